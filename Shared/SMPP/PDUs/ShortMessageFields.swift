/// The fields of submit_sm and deliver_sm as values, in their order on the wire.
struct ShortMessageFields: Hashable, Sendable {
    var serviceType: String
    var sourceAddr: SMEAddress
    var destinationAddr: SMEAddress
    var esmClass: ESMClass
    var protocolID: UInt8
    var priorityFlag: UInt8
    var scheduleDeliveryTime: String
    var validityPeriod: String
    var registeredDelivery: RegisteredDelivery
    var replaceIfPresentFlag: UInt8
    var dataCoding: DataCoding
    var smDefaultMsgID: UInt8
    var shortMessage: [UInt8]
    var tlvs: TLVs

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        try writer.cOctets(self.serviceType, .serviceType)
        try writer.address(self.sourceAddr, .sourceAddr)
        try writer.address(self.destinationAddr, .destinationAddr)
        writer.octet(self.esmClass.rawValue)
        writer.octet(self.protocolID)
        writer.octet(self.priorityFlag)
        try writer.cOctets(self.scheduleDeliveryTime, .scheduleDeliveryTime)
        try writer.cOctets(self.validityPeriod, .validityPeriod)
        writer.octet(self.registeredDelivery.rawValue)
        writer.octet(self.replaceIfPresentFlag)
        writer.octet(self.dataCoding.rawValue)
        writer.octet(self.smDefaultMsgID)
        try writer.shortMessage(self.shortMessage)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int {
        11 + self.serviceType.utf8.count + self.sourceAddr.octetBound + self.destinationAddr.octetBound
            + self.scheduleDeliveryTime.utf8.count + self.validityPeriod.utf8.count + self.shortMessage.count + self.tlvs.encodedOctets
    }
}

/// The body of a submit_sm or deliver_sm as it came, all of it checked, and where its parts begin:
///
///     service_type | source | destination | esm_class protocol_id priority_flag | schedule | validity |
///     registered_delivery replace_if_present_flag data_coding sm_default_msg_id sm_length | short_message | parameters
struct ShortMessageOctets: Sendable {
    /// Fields of one octet: which of the two groups, and the place in it.
    enum Octet {
        case esmClass, protocolID, priorityFlag, registeredDelivery, replaceIfPresentFlag, dataCoding, smDefaultMsgID
    }

    let bytes: [UInt8]
    // All below 512: only parameters are longer, and they come last.
    private let source: UInt16
    private let destination: UInt16
    private let firstGroup: UInt16
    private let validity: UInt16
    private let secondGroup: UInt16
    private let parameters: UInt16

    /// Stands in for a form that is being changed; never read.
    static let none = ShortMessageOctets()
    private init() {
        self.bytes = []
        (self.source, self.destination, self.firstGroup, self.validity, self.secondGroup, self.parameters) = (0, 0, 0, 0, 0, 0)
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        try reader.skipCOctets(.serviceType)
        self.source = reader.place
        try reader.skip(2, "source_addr", onError: .invalidSourceAddress)
        try reader.skipCOctets(.sourceAddr)
        self.destination = reader.place
        try reader.skip(2, "destination_addr", onError: .invalidDestinationAddress)
        try reader.skipCOctets(.destinationAddr)
        self.firstGroup = reader.place
        try reader.skipOctets(3) { $0 == 0 ? "esm_class" : $0 == 1 ? "protocol_id" : "priority_flag" }
        try reader.skipCOctets(.scheduleDeliveryTime)
        self.validity = reader.place
        try reader.skipCOctets(.validityPeriod)
        self.secondGroup = reader.place
        try reader.skipOctets(4) {
            $0 == 0 ? "registered_delivery" : $0 == 1 ? "replace_if_present_flag" : $0 == 2 ? "data_coding" : "sm_default_msg_id"
        }
        let length = try reader.octet("sm_length", onError: .invalidMessageLength)
        try reader.skip(Int(length), "short_message", onError: .invalidMessageLength)
        self.parameters = reader.place
        try reader.skipTLVs()
        self.bytes = reader.wholeBody
    }

    var fields: ShortMessageFields {
        ShortMessageFields(
            serviceType: self.serviceType, sourceAddr: self.sourceAddr, destinationAddr: self.destinationAddr,
            esmClass: .init(rawValue: self.octet(.esmClass)), protocolID: self.octet(.protocolID),
            priorityFlag: self.octet(.priorityFlag), scheduleDeliveryTime: self.scheduleDeliveryTime,
            validityPeriod: self.validityPeriod, registeredDelivery: .init(rawValue: self.octet(.registeredDelivery)),
            replaceIfPresentFlag: self.octet(.replaceIfPresentFlag), dataCoding: .init(rawValue: self.octet(.dataCoding)),
            smDefaultMsgID: self.octet(.smDefaultMsgID), shortMessage: self.shortMessage, tlvs: self.tlvs)
    }

    func octet(_ field: Octet) -> UInt8 {
        let place =
            switch field {
            case .esmClass: Int(self.firstGroup)
            case .protocolID: Int(self.firstGroup) + 1
            case .priorityFlag: Int(self.firstGroup) + 2
            case .registeredDelivery: Int(self.secondGroup)
            case .replaceIfPresentFlag: Int(self.secondGroup) + 1
            case .dataCoding: Int(self.secondGroup) + 2
            case .smDefaultMsgID: Int(self.secondGroup) + 3
            }
        return place < self.bytes.count ? self.bytes[place] : 0
    }

    var serviceType: String { self.text(0, self.source) }
    var sourceAddr: SMEAddress { self.address(self.source, self.destination) }
    var destinationAddr: SMEAddress { self.address(self.destination, self.firstGroup) }
    var scheduleDeliveryTime: String { self.text(self.firstGroup + 3, self.validity) }
    var validityPeriod: String { self.text(self.validity, self.secondGroup) }
    var shortMessage: [UInt8] { Array(self.bytes[Int(self.secondGroup) + 5..<Int(self.parameters)]) }

    var tlvs: TLVs {
        var list = TLVs()
        var place = Int(self.parameters)
        while self.bytes.count - place >= 4 {
            let tag = UInt16(self.bytes[place]) << 8 | UInt16(self.bytes[place + 1])
            let length = Int(self.bytes[place + 2]) << 8 | Int(self.bytes[place + 3])
            let end = min(place + 4 + length, self.bytes.count)
            list.append(TLV(tag: TLVTag(rawValue: tag), value: Array(self.bytes[place + 4..<end])))
            place = end
        }
        return list
    }

    /// The characters from `start` to the NUL before `end`.
    private func text(_ start: UInt16, _ end: UInt16) -> String {
        guard end > start + 1 else { return "" }
        return self.bytes.withUnsafeBytes { latin1Text(ascii: UnsafeRawBufferPointer(rebasing: $0[Int(start)..<Int(end) - 1])) }
    }

    private func address(_ start: UInt16, _ end: UInt16) -> SMEAddress {
        SMEAddress(
            ton: .init(rawValue: self.bytes[Int(start)]), npi: .init(rawValue: self.bytes[Int(start) + 1]),
            value: self.text(start + 2, end))
    }
}
