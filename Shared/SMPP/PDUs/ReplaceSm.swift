/// replace_sm (SMPP 3.4 §4.10.1).
public struct ReplaceSm: Hashable, Sendable {
    public var messageID: String
    public var sourceAddr: SMEAddress
    public var scheduleDeliveryTime: String
    public var validityPeriod: String
    public var registeredDelivery: RegisteredDelivery
    public var smDefaultMsgID: UInt8
    public var shortMessage: [UInt8]
    /// None in 3.4; message_payload in 5.0 (§4.5.3.1).
    public var tlvs: TLVs

    public init(
        messageID: String, sourceAddr: SMEAddress, scheduleDeliveryTime: String = "", validityPeriod: String = "",
        registeredDelivery: RegisteredDelivery = .none, smDefaultMsgID: UInt8 = 0, shortMessage: [UInt8], tlvs: TLVs = []
    ) {
        self.messageID = messageID
        self.sourceAddr = sourceAddr
        self.scheduleDeliveryTime = scheduleDeliveryTime
        self.validityPeriod = validityPeriod
        self.registeredDelivery = registeredDelivery
        self.smDefaultMsgID = smDefaultMsgID
        self.shortMessage = shortMessage
        self.tlvs = tlvs
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.messageID = try reader.cOctets(.messageID)
        self.sourceAddr = try reader.address(.sourceAddr)
        self.scheduleDeliveryTime = try reader.cOctets(.scheduleDeliveryTime)
        self.validityPeriod = try reader.cOctets(.validityPeriod)
        self.registeredDelivery = .init(rawValue: try reader.octet("registered_delivery"))
        self.smDefaultMsgID = try reader.octet("sm_default_msg_id")
        self.shortMessage = try reader.shortMessage()
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        try writer.cOctets(self.messageID, .messageID)
        try writer.address(self.sourceAddr, .sourceAddr)
        try writer.cOctets(self.scheduleDeliveryTime, .scheduleDeliveryTime)
        try writer.cOctets(self.validityPeriod, .validityPeriod)
        writer.octet(self.registeredDelivery.rawValue)
        writer.octet(self.smDefaultMsgID)
        try writer.shortMessage(self.shortMessage)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int {
        6 + self.messageID.utf8.count + self.sourceAddr.octetBound + self.scheduleDeliveryTime.utf8.count
            + self.validityPeriod.utf8.count + self.shortMessage.count + self.tlvs.encodedOctets
    }
}
