/// query_sm (SMPP 3.4 §4.8.1).
public struct QuerySm: Hashable, Sendable {
    public var messageID: String
    /// As in the original submit_sm.
    public var sourceAddr: SMEAddress
    /// None by the specification, yet they come: kept.
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

/// query_sm_resp (§4.8.2).
public struct QuerySmResp: Hashable, Sendable {
    /// Nil when the response has no body.
    public var messageID: String?
    /// Empty, or when the message reached its final state (§7.1.1).
    public var finalDate: String
    public var messageState: MessageState
    /// The network's own code; 0 when there is none.
    public var errorCode: UInt8
    /// None by the specification, yet they come: kept.
    public var tlvs: TLVs

    public init(
        messageID: String?, finalDate: String = "", messageState: MessageState = .unknown, errorCode: UInt8 = 0, tlvs: TLVs = []
    ) {
        self.tlvs = tlvs
        self.messageID = messageID
        self.finalDate = finalDate
        self.messageState = messageState
        self.errorCode = errorCode
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.init(messageID: nil)
        if reader.remaining == 0 { return }
        self.messageID = try reader.cOctets(.messageID)
        self.finalDate = try reader.cOctets(.finalDate)
        self.messageState = .init(rawValue: try reader.octet("message_state"))
        self.errorCode = try reader.octet("error_code")
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        guard let messageID else { return }
        try writer.cOctets(messageID, .messageID)
        try writer.cOctets(self.finalDate, .finalDate)
        writer.octet(self.messageState.rawValue)
        writer.octet(self.errorCode)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int { 4 + (self.messageID?.utf8.count ?? 0) + self.finalDate.utf8.count + self.tlvs.encodedOctets }
}
