/// How the value of an optional parameter is laid out (SMPP 3.4 §5.3.2, 5.0 §4.8.4).
public enum TLVFormat: Hashable, Sendable {
    /// Most significant octet first.
    case integer(octets: Int)
    /// A C-octet string of at most so many octets, its NUL included.
    case text(maxOctets: Int)
    /// Octets without a structure that we look into.
    case octets(ClosedRange<Int>)
    /// Its presence is all it says.
    case flag
    /// network_error_code: one octet of network type, two of the error.
    case networkError
}

/// The value of an optional parameter, read by its format.
public enum TLVValue: Hashable, Sendable {
    case integer(UInt32)
    case text(String)
    case octets([UInt8])
    case flag
    case networkError(NetworkErrorCode)
}

extension TLVTag {
    /// How the specification lays the value out; nil for a parameter that it does not know.
    public var format: TLVFormat? {
        switch self {
        case .destAddrSubunit, .sourceAddrSubunit, .destNetworkType, .sourceNetworkType, .destBearerType, .sourceBearerType,
            .sourceTelematicsID, .payloadType, .msMsgWaitFacilities, .privacyIndicator, .userResponseCode, .languageIndicator,
            .sarTotalSegments, .sarSegmentSeqnum, .scInterfaceVersion, .callbackNumPresInd, .numberOfMessages, .dpfResult, .setDpf,
            .msAvailabilityStatus, .deliveryFailureReason, .moreMessagesToSend, .messageState, .congestionState, .ussdServiceOp,
            .broadcastChannelIndicator, .broadcastMessageClass, .broadcastAreaSuccess, .displayTime, .itsReplyType, .destAddrNpResolution:
            .integer(octets: 1)
        case .destTelematicsID, .userMessageReference, .sourcePort, .destinationPort, .sarMsgRefNum, .broadcastRepNum, .smsSignal,
            .itsSessionInfo:
            .integer(octets: 2)
        case .qosTimeToLive, .broadcastErrorStatus: .integer(octets: 4)
        case .networkErrorCode: .networkError
        case .additionalStatusInfoText: .text(maxOctets: 256)
        case .receiptedMessageID: .text(maxOctets: 65)
        // A C-octet string of which the specification counts the NUL: sixteen digits and it (5.0 §4.8.4.10).
        case .broadcastEndTime: .text(maxOctets: 17)
        case .sourceNetworkID, .destNetworkID: .text(maxOctets: 66)
        case .sourceSubaddress, .destSubaddress: .octets(2...23)
        case .callbackNum: .octets(4...19)
        case .callbackNumAtag: .octets(0...65)
        case .messagePayload: .octets(0...65_535)
        case .broadcastContentType, .broadcastFrequencyInterval: .octets(3...3)
        case .broadcastContentTypeInfo, .broadcastServiceGroup: .octets(1...255)
        case .broadcastAreaIdentifier: .octets(1...101)
        case .billingIdentification: .octets(1...1_024)
        case .sourceNodeID, .destNodeID: .octets(6...6)
        case .destAddrNpInformation: .octets(10...10)
        case .destAddrNpCountry: .octets(1...5)
        // One octet since 3.4's first corrections; four in others' reading of its table.
        case .msValidity: .octets(1...4)
        case .alertOnMessageDelivery: .octets(0...1)
        default: nil
        }
    }

    /// Every tag that a specification names.
    public static let standard: [TLVTag] = (0...0x1400 as ClosedRange<UInt16>).map { TLVTag(rawValue: $0) }.filter { $0.format != nil }
}

extension TLV {
    /// The value by its format; nil when the tag is unknown or the length is wrong. A missing NUL is tolerated.
    public var typedValue: TLVValue? {
        switch self.tag.format {
        case nil: nil
        case .integer(let octets):
            self.value.count == octets ? .integer(self.value.reduce(0) { $0 << 8 | UInt32($1) }) : nil
        case .text(let maxOctets):
            self.value.count <= maxOctets ? .text(latin1Text(self.value.prefix { $0 != 0 })) : nil
        case .octets(let range): range.contains(self.value.count) ? .octets(self.value) : nil
        case .flag: self.value.isEmpty ? .flag : nil
        case .networkError: NetworkErrorCode(octets: self.value).map { .networkError($0) }
        }
    }

    /// Whether the length is what the specification wants; of an unknown parameter, always.
    public var hasValidLength: Bool { self.tag.format == nil || self.typedValue != nil }
}

extension TLV: CustomStringConvertible {
    /// For people: `message_state: DELIVRD (2)`, `source_port: 8080`, `0x1403: 0A0B`. Payloads are given by their length.
    public var description: String {
        let name = self.tag.description
        if self.tag == .messagePayload { return "\(name): \(self.value.count) octets" }
        guard let typed = self.typedValue else {
            return self.tag.format == nil ? "\(name): \(Self.hex(self.value))" : "\(name): \(Self.hex(self.value)) (wrong length)"
        }
        switch typed {
        case .integer(let number):
            let word = self.word(number)
            return word.map { "\(name): \($0) (\(number))" } ?? "\(name): \(number)"
        case .text(let text): return "\(name): \(text)"
        case .octets(let octets): return "\(name): \(Self.hex(octets))"
        case .flag: return name
        case .networkError(let error): return "\(name): \(error.networkName) \(error.code)"
        }
    }

    /// What a number means, where it is an enumeration that people know by its words.
    private func word(_ number: UInt32) -> String? {
        switch self.tag {
        case .messageState: MessageState(rawValue: UInt8(truncatingIfNeeded: number)).statWord
        case .deliveryFailureReason:
            switch number {
            case 0: "destination unavailable"
            case 1: "destination address invalid"
            case 2: "permanent network error"
            case 3: "temporary network error"
            default: nil
            }
        case .msAvailabilityStatus:
            switch number {
            case 0: "available"
            case 1: "denied"
            case 2: "unavailable"
            default: nil
            }
        case .moreMessagesToSend: number == 0 ? "no" : "yes"
        case .scInterfaceVersion: "\(number >> 4).\(number & 0xF)"
        case .payloadType:
            switch number {
            case 0: "default"
            case 1: "WCMP"
            default: nil
            }
        case .privacyIndicator:
            switch number {
            case 0: "not restricted"
            case 1: "restricted"
            case 2: "confidential"
            case 3: "secret"
            default: nil
            }
        case .languageIndicator:
            switch number {
            case 0: "unspecified"
            case 1: "English"
            case 2: "French"
            case 3: "Spanish"
            case 4: "German"
            case 5: "Portuguese"
            default: nil
            }
        case .congestionState:
            switch number {
            case 0: "idle"
            case 1...29: "low load"
            case 30...49: "medium load"
            case 50...79: "high load"
            case 80...89: "optimum load"
            case 90...99: "nearing congestion"
            case 100: "congested"
            default: nil
            }
        default: nil
        }
    }

    private static func hex(_ octets: [UInt8]) -> String {
        octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
    }
}

extension NetworkErrorCode {
    /// What `networkType` means (5.0 §4.8.4.42).
    public var networkName: String {
        switch self.networkType {
        case 1: "ANSI-136 access denied"
        case 2: "IS-95 access denied"
        case 3: "GSM"
        case 4: "ANSI-136 cause"
        case 5: "IS-95 cause"
        case 6: "ANSI-41"
        case 7: "SMPP"
        case 8: "message centre"
        default: "network \(self.networkType)"
        }
    }
}

extension TLVs {
    /// The first parameter whose length is not what the specification wants (ESME_RINVTLVLEN); nil when all are right.
    public var firstOfWrongLength: TLV? { self.first { !$0.hasValidLength } }

    /// All values of a parameter that may come more than once, such as broadcast_area_identifier.
    public func all(_ tag: TLVTag) -> [[UInt8]] { self.filter { $0.tag == tag }.map(\.value) }
}
