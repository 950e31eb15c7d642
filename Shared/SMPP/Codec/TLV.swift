/// One optional parameter, as it came (SMPP 3.4 §5.3).
public struct TLV: Hashable, Sendable {
    public var tag: TLVTag
    /// At most 65,535 octets.
    public var value: [UInt8]

    public init(tag: TLVTag, value: [UInt8]) {
        self.tag = tag
        self.value = value
    }
}

/// Optional parameters in their order on the wire. Unknown ones are kept.
public struct TLVs: Hashable, Sendable, RandomAccessCollection, ExpressibleByArrayLiteral {
    private var list: [TLV]

    public init() { self.list = [] }
    public init(_ list: [TLV]) { self.list = list }
    public init(arrayLiteral elements: TLV...) { self.list = elements }

    public var startIndex: Int { 0 }
    public var endIndex: Int { self.list.count }
    public subscript(position: Int) -> TLV { self.list[position] }

    public mutating func append(_ tlv: TLV) { self.list.append(tlv) }

    /// The value of the first parameter with this tag. Setting replaces it in place or appends it; nil removes all of them.
    public subscript(tag: TLVTag) -> [UInt8]? {
        get { self.list.first { $0.tag == tag }?.value }
        set {
            guard let newValue else { return self.list.removeAll { $0.tag == tag } }
            if let index = self.list.firstIndex(where: { $0.tag == tag }) {
                self.list[index].value = newValue
            } else {
                self.list.append(TLV(tag: tag, value: newValue))
            }
        }
    }

    /// Octets on the wire.
    var encodedOctets: Int {
        var sum = 0
        for tlv in self.list { sum += 4 + tlv.value.count }
        return sum
    }
}

extension TLVs {
    /// An integer of 1, 2 or 4 octets; nil when absent or of another length.
    public func integer(_ tag: TLVTag) -> UInt32? {
        guard let value = self[tag], (1...4).contains(value.count) else { return nil }
        return value.reduce(0) { $0 << 8 | UInt32($1) }
    }

    public mutating func set(_ tag: TLVTag, _ value: UInt8) { self[tag] = [value] }

    public mutating func set(_ tag: TLVTag, _ value: UInt16) {
        self[tag] = [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
    }

    public mutating func set(_ tag: TLVTag, _ value: UInt32) {
        self[tag] = (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }

    /// A C-octet string; a missing NUL is tolerated, for many peers leave it out.
    public func text(_ tag: TLVTag) -> String? {
        guard let value = self[tag] else { return nil }
        return latin1Text(value.prefix { $0 != 0 })
    }

    /// Writes `value` with its NUL. Scalars above Latin-1 become question marks.
    public mutating func set(_ tag: TLVTag, text value: String) {
        self[tag] = value.unicodeScalars.map { UInt8(exactly: $0.value) ?? 0x3F } + [0]
    }

    private func octet(_ tag: TLVTag) -> UInt8? { self.integer(tag).flatMap { UInt8(exactly: $0) } }
    private func short(_ tag: TLVTag) -> UInt16? { self.integer(tag).flatMap { UInt16(exactly: $0) } }

    /// §5.3.2.32: user data beyond 254 octets, or in place of short_message.
    public var messagePayload: [UInt8]? { self[.messagePayload] }
    /// §5.3.2.12: the SMSC's id of the message that a receipt is about.
    public var receiptedMessageID: String? { self.text(.receiptedMessageID) }
    /// §5.3.2.35.
    public var messageState: MessageState? { self.octet(.messageState).map { MessageState(rawValue: $0) } }
    /// §5.3.2.31.
    public var networkErrorCode: NetworkErrorCode? { self[.networkErrorCode].flatMap(NetworkErrorCode.init(octets:)) }
    /// §5.3.2.25, in a bind response.
    public var scInterfaceVersion: InterfaceVersion? { self.octet(.scInterfaceVersion).map { InterfaceVersion(rawValue: $0) } }
    /// §5.3.2.17.
    public var userMessageReference: UInt16? { self.short(.userMessageReference) }
    /// §5.3.2.20.
    public var sourcePort: UInt16? { self.short(.sourcePort) }
    /// §5.3.2.21.
    public var destinationPort: UInt16? { self.short(.destinationPort) }
    /// §5.3.2.22 to 24, all three or nothing.
    public var segmentation: (reference: UInt16, total: UInt8, sequence: UInt8)? {
        guard let reference = self.short(.sarMsgRefNum), let total = self.octet(.sarTotalSegments),
            let sequence = self.octet(.sarSegmentSeqnum)
        else { return nil }
        return (reference, total, sequence)
    }
    /// §5.3.2.33.
    public var deliveryFailureReason: UInt8? { self.octet(.deliveryFailureReason) }
    /// §5.3.2.34.
    public var moreMessagesToSend: UInt8? { self.octet(.moreMessagesToSend) }
    /// §5.3.2.19.
    public var languageIndicator: UInt8? { self.octet(.languageIndicator) }
    /// §5.3.2.30.
    public var msAvailabilityStatus: UInt8? { self.octet(.msAvailabilityStatus) }
    /// 5.0 §4.8.4.18: how full the peer is, in percent.
    public var congestionState: UInt8? { self.octet(.congestionState) }
}

/// `network_error_code` (SMPP 3.4 §5.3.2.31): three octets.
public struct NetworkErrorCode: Hashable, Sendable {
    /// 1 ANSI-136, 2 IS-95, 3 GSM, 4 reserved (5.0: 1 to 8).
    public var networkType: UInt8
    public var code: UInt16

    public init(networkType: UInt8, code: UInt16) {
        self.networkType = networkType
        self.code = code
    }

    init?(octets: [UInt8]) {
        guard octets.count == 3 else { return nil }
        self.init(networkType: octets[0], code: UInt16(octets[1]) << 8 | UInt16(octets[2]))
    }

    public var octets: [UInt8] { [self.networkType, UInt8(truncatingIfNeeded: self.code >> 8), UInt8(truncatingIfNeeded: self.code)] }
}
