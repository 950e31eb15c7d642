/// query_sm (SMPP 3.4 §4.8.1).
public struct QuerySm: Hashable, Sendable {
    public var messageID: String
    /// As in the original submit_sm.
    public var sourceAddr: SMEAddress

    public init(messageID: String, sourceAddr: SMEAddress) {
        self.messageID = messageID
        self.sourceAddr = sourceAddr
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.messageID = try reader.cOctets(.messageID)
        self.sourceAddr = try reader.address(.sourceAddr)
        try reader.expectEnd()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        try writer.cOctets(self.messageID, .messageID)
        try writer.address(self.sourceAddr, .sourceAddr)
    }

    var octetBound: Int { 1 + self.messageID.utf8.count + self.sourceAddr.octetBound }
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

    public init(messageID: String?, finalDate: String = "", messageState: MessageState = .unknown, errorCode: UInt8 = 0) {
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
        try reader.expectEnd()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        guard let messageID else { return }
        try writer.cOctets(messageID, .messageID)
        try writer.cOctets(self.finalDate, .finalDate)
        writer.octet(self.messageState.rawValue)
        writer.octet(self.errorCode)
    }

    var octetBound: Int { 4 + (self.messageID?.utf8.count ?? 0) + self.finalDate.utf8.count }
}
