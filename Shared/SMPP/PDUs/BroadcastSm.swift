/// broadcast_sm (SMPP 5.0 §4.4.1.1): a message to all handsets in an area. Its user data is in `message_payload`; where,
/// what kind, how often and at which interval are in the parameters broadcast_area_identifier, broadcast_content_type,
/// broadcast_rep_num and broadcast_frequency_interval, without which it is incomplete (see ``missingParameter``).
public struct BroadcastSm: Hashable, Sendable {
    public var serviceType: String
    public var sourceAddr: SMEAddress
    /// Of an earlier broadcast that this one replaces; empty for a new one.
    public var messageID: String
    public var priorityFlag: UInt8
    public var scheduleDeliveryTime: String
    public var validityPeriod: String
    public var replaceIfPresentFlag: UInt8
    public var dataCoding: DataCoding
    public var smDefaultMsgID: UInt8
    public var tlvs: TLVs

    public init(
        serviceType: String = "", sourceAddr: SMEAddress = .init(), messageID: String = "", priorityFlag: UInt8 = 0,
        scheduleDeliveryTime: String = "", validityPeriod: String = "", replaceIfPresentFlag: UInt8 = 0,
        dataCoding: DataCoding = .smscDefault, smDefaultMsgID: UInt8 = 0, tlvs: TLVs
    ) {
        self.serviceType = serviceType
        self.sourceAddr = sourceAddr
        self.messageID = messageID
        self.priorityFlag = priorityFlag
        self.scheduleDeliveryTime = scheduleDeliveryTime
        self.validityPeriod = validityPeriod
        self.replaceIfPresentFlag = replaceIfPresentFlag
        self.dataCoding = dataCoding
        self.smDefaultMsgID = smDefaultMsgID
        self.tlvs = tlvs
    }

    /// The first parameter that must be there and is not (ESME_RMISSINGTLV); nil when it is complete.
    public var missingParameter: TLVTag? {
        [TLVTag.broadcastAreaIdentifier, .broadcastContentType, .broadcastRepNum, .broadcastFrequencyInterval]
            .first { self.tlvs[$0] == nil }
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.serviceType = try reader.cOctets(.serviceType)
        self.sourceAddr = try reader.address(.sourceAddr)
        self.messageID = try reader.cOctets(.messageID)
        self.priorityFlag = try reader.octet("priority_flag")
        self.scheduleDeliveryTime = try reader.cOctets(.scheduleDeliveryTime)
        self.validityPeriod = try reader.cOctets(.validityPeriod)
        self.replaceIfPresentFlag = try reader.octet("replace_if_present_flag")
        self.dataCoding = .init(rawValue: try reader.octet("data_coding"))
        self.smDefaultMsgID = try reader.octet("sm_default_msg_id")
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        try writer.cOctets(self.serviceType, .serviceType)
        try writer.address(self.sourceAddr, .sourceAddr)
        try writer.cOctets(self.messageID, .messageID)
        writer.octet(self.priorityFlag)
        try writer.cOctets(self.scheduleDeliveryTime, .scheduleDeliveryTime)
        try writer.cOctets(self.validityPeriod, .validityPeriod)
        writer.octet(self.replaceIfPresentFlag)
        writer.octet(self.dataCoding.rawValue)
        writer.octet(self.smDefaultMsgID)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int {
        8 + self.serviceType.utf8.count + self.sourceAddr.octetBound + self.messageID.utf8.count + self.scheduleDeliveryTime.utf8.count
            + self.validityPeriod.utf8.count + self.tlvs.encodedOctets
    }
}

/// query_broadcast_sm (SMPP 5.0 §4.6.1.1).
public struct QueryBroadcastSm: Hashable, Sendable {
    public var messageID: String
    /// As in the original broadcast_sm.
    public var sourceAddr: SMEAddress
    /// user_message_reference, where the sender wants it back.
    public var tlvs: TLVs

    public init(messageID: String, sourceAddr: SMEAddress, tlvs: TLVs = []) {
        self.messageID = messageID
        self.sourceAddr = sourceAddr
        self.tlvs = tlvs
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.messageID = try reader.cOctets(.messageID)
        self.sourceAddr = try reader.address(.sourceAddr)
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        try writer.cOctets(self.messageID, .messageID)
        try writer.address(self.sourceAddr, .sourceAddr)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int { 1 + self.messageID.utf8.count + self.sourceAddr.octetBound + self.tlvs.encodedOctets }
}

/// cancel_broadcast_sm (SMPP 5.0 §4.6.2.1): of one broadcast, or of all of this source, service type and content type when
/// the id is empty.
public struct CancelBroadcastSm: Hashable, Sendable {
    public var serviceType: String
    public var messageID: String
    public var sourceAddr: SMEAddress
    /// broadcast_content_type, user_message_reference.
    public var tlvs: TLVs

    public init(serviceType: String = "", messageID: String, sourceAddr: SMEAddress, tlvs: TLVs = []) {
        self.serviceType = serviceType
        self.messageID = messageID
        self.sourceAddr = sourceAddr
        self.tlvs = tlvs
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.serviceType = try reader.cOctets(.serviceType)
        self.messageID = try reader.cOctets(.messageID)
        self.sourceAddr = try reader.address(.sourceAddr)
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        try writer.cOctets(self.serviceType, .serviceType)
        try writer.cOctets(self.messageID, .messageID)
        try writer.address(self.sourceAddr, .sourceAddr)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int {
        2 + self.serviceType.utf8.count + self.messageID.utf8.count + self.sourceAddr.octetBound + self.tlvs.encodedOctets
    }
}
