/// submit_sm_resp (SMPP 3.4 §4.4.2).
public typealias SubmitSmResp = MessageResp
/// deliver_sm_resp (§4.6.2), whose message_id is unused and empty.
public typealias DeliverSmResp = MessageResp
/// data_sm_resp (§4.7.2).
public typealias DataSmResp = MessageResp

/// broadcast_sm_resp (5.0 §4.4.1.2), with broadcast_error_status and broadcast_area_identifier where an area failed.
public typealias BroadcastSmResp = MessageResp
/// query_broadcast_sm_resp (5.0 §4.6.1.3), with message_state, broadcast_area_identifier, broadcast_area_success.
public typealias QueryBroadcastSmResp = MessageResp

/// The responses that carry a message_id: of submit_sm, deliver_sm, data_sm, broadcast_sm and query_broadcast_sm.
public struct MessageResp: Hashable, Sendable {
    /// At most 64 octets, opaque; nil when the response has no body, as §4.4.2 has it for errors.
    public var messageID: String?
    public var tlvs: TLVs

    public init(messageID: String?, tlvs: TLVs = []) {
        self.messageID = messageID
        self.tlvs = tlvs
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.messageID = reader.remaining == 0 ? nil : try reader.cOctets(.messageID)
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        guard let messageID else { return }
        try writer.cOctets(messageID, .messageID)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int { 1 + (self.messageID?.utf8.count ?? 0) + self.tlvs.encodedOctets }
}
