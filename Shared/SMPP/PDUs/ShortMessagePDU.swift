/// submit_sm (SMPP 3.4 §4.4.1).
public typealias SubmitSm = ShortMessagePDU
/// deliver_sm (SMPP 3.4 §4.6.1).
public typealias DeliverSm = ShortMessagePDU

/// submit_sm and deliver_sm, which are laid out alike (SMPP 3.4 §4.4.1, §4.6.1).
public struct ShortMessagePDU: Hashable, Sendable {
    /// At most 5 octets.
    public var serviceType: String
    public var sourceAddr: SMEAddress
    public var destinationAddr: SMEAddress
    public var esmClass: ESMClass
    public var protocolID: UInt8
    /// 0 to 3 (§5.2.14).
    public var priorityFlag: UInt8
    /// Empty or 16 characters (§7.1.1); see ``SMPPTime``.
    public var scheduleDeliveryTime: String
    /// Empty or 16 characters (§7.1.1); see ``SMPPTime``.
    public var validityPeriod: String
    public var registeredDelivery: RegisteredDelivery
    public var replaceIfPresentFlag: UInt8
    public var dataCoding: DataCoding
    public var smDefaultMsgID: UInt8
    /// User data, its header included where `esmClass` says so; at most 254 octets (5.0: 255).
    public var shortMessage: [UInt8]
    public var tlvs: TLVs

    public init(
        serviceType: String = "", sourceAddr: SMEAddress = .init(), destinationAddr: SMEAddress = .init(),
        esmClass: ESMClass = .default, protocolID: UInt8 = 0, priorityFlag: UInt8 = 0, scheduleDeliveryTime: String = "",
        validityPeriod: String = "", registeredDelivery: RegisteredDelivery = .none, replaceIfPresentFlag: UInt8 = 0,
        dataCoding: DataCoding = .smscDefault, smDefaultMsgID: UInt8 = 0, shortMessage: [UInt8] = [], tlvs: TLVs = []
    ) {
        self.serviceType = serviceType
        self.sourceAddr = sourceAddr
        self.destinationAddr = destinationAddr
        self.esmClass = esmClass
        self.protocolID = protocolID
        self.priorityFlag = priorityFlag
        self.scheduleDeliveryTime = scheduleDeliveryTime
        self.validityPeriod = validityPeriod
        self.registeredDelivery = registeredDelivery
        self.replaceIfPresentFlag = replaceIfPresentFlag
        self.dataCoding = dataCoding
        self.smDefaultMsgID = smDefaultMsgID
        self.shortMessage = shortMessage
        self.tlvs = tlvs
    }

    /// The user data, wherever it is: message_payload counts when short_message is empty (§5.3.2.32).
    public var userData: [UInt8] { self.shortMessage.isEmpty ? self.tlvs.messagePayload ?? [] : self.shortMessage }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.serviceType = try reader.cOctets(.serviceType)
        self.sourceAddr = try reader.address(.sourceAddr)
        self.destinationAddr = try reader.address(.destinationAddr)
        self.esmClass = .init(rawValue: try reader.octet("esm_class"))
        self.protocolID = try reader.octet("protocol_id")
        self.priorityFlag = try reader.octet("priority_flag")
        self.scheduleDeliveryTime = try reader.cOctets(.scheduleDeliveryTime)
        self.validityPeriod = try reader.cOctets(.validityPeriod)
        self.registeredDelivery = .init(rawValue: try reader.octet("registered_delivery"))
        self.replaceIfPresentFlag = try reader.octet("replace_if_present_flag")
        self.dataCoding = .init(rawValue: try reader.octet("data_coding"))
        self.smDefaultMsgID = try reader.octet("sm_default_msg_id")
        self.shortMessage = try reader.shortMessage()
        self.tlvs = try reader.tlvs()
    }

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
