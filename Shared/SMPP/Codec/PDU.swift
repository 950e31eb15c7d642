public import NIOCore

/// One protocol data unit: what the header says beyond the length, and the body.
public struct PDU: Hashable, Sendable {
    /// Zero in requests; kept as it came, for some peers write something there.
    public var commandStatus: CommandStatus
    /// Of a response: that of its request.
    public var sequenceNumber: UInt32
    public var body: Body

    public init(_ body: Body, sequenceNumber: UInt32, commandStatus: CommandStatus = .ok) {
        self.commandStatus = commandStatus
        self.sequenceNumber = sequenceNumber
        self.body = body
    }

    /// The body, by `command_id`. The large ones that are rare stand behind a reference, so that the frequent ones stay small.
    public enum Body: Hashable, Sendable {
        indirect case bind(Bind)
        indirect case bindResp(BindResp)
        indirect case outbind(Outbind)
        case unbind
        case unbindResp
        case submitSm(SubmitSm)
        case submitSmResp(SubmitSmResp)
        indirect case submitMulti(SubmitMulti)
        indirect case submitMultiResp(SubmitMultiResp)
        case deliverSm(DeliverSm)
        case deliverSmResp(DeliverSmResp)
        indirect case dataSm(DataSm)
        case dataSmResp(DataSmResp)
        indirect case querySm(QuerySm)
        indirect case querySmResp(QuerySmResp)
        indirect case cancelSm(CancelSm)
        case cancelSmResp
        indirect case replaceSm(ReplaceSm)
        case replaceSmResp
        case enquireLink
        case enquireLinkResp
        indirect case alertNotification(AlertNotification)
        indirect case broadcastSm(BroadcastSm)
        case broadcastSmResp(BroadcastSmResp)
        indirect case queryBroadcastSm(QueryBroadcastSm)
        case queryBroadcastSmResp(QueryBroadcastSmResp)
        indirect case cancelBroadcastSm(CancelBroadcastSm)
        case cancelBroadcastSmResp
        case genericNack

        public var commandID: CommandID {
            switch self {
            case .bind(let bind): bind.kind.commandID
            case .bindResp(let bind): bind.kind.commandID.response
            case .outbind: .outbind
            case .unbind: .unbind
            case .unbindResp: .unbind.response
            case .submitSm: .submitSm
            case .submitSmResp: .submitSm.response
            case .submitMulti: .submitMulti
            case .submitMultiResp: .submitMulti.response
            case .deliverSm: .deliverSm
            case .deliverSmResp: .deliverSm.response
            case .dataSm: .dataSm
            case .dataSmResp: .dataSm.response
            case .querySm: .querySm
            case .querySmResp: .querySm.response
            case .cancelSm: .cancelSm
            case .cancelSmResp: .cancelSm.response
            case .replaceSm: .replaceSm
            case .replaceSmResp: .replaceSm.response
            case .enquireLink: .enquireLink
            case .enquireLinkResp: .enquireLink.response
            case .alertNotification: .alertNotification
            case .broadcastSm: .broadcastSm
            case .broadcastSmResp: .broadcastSm.response
            case .queryBroadcastSm: .queryBroadcastSm
            case .queryBroadcastSmResp: .queryBroadcastSm.response
            case .cancelBroadcastSm: .cancelBroadcastSm
            case .cancelBroadcastSmResp: .cancelBroadcastSm.response
            case .genericNack: .genericNack
            }
        }
    }

    public var commandID: CommandID { self.body.commandID }

    /// The answer to a request that carries nothing but a status: the matching response without a body, or
    /// generic_nack where the specification has no response.
    public static func response(to command: CommandID, sequenceNumber: UInt32, commandStatus: CommandStatus) -> PDU {
        let body: Body =
            switch command {
            case .bindReceiver: .bindResp(BindResp(kind: .receiver, systemID: nil))
            case .bindTransmitter: .bindResp(BindResp(kind: .transmitter, systemID: nil))
            case .bindTransceiver: .bindResp(BindResp(kind: .transceiver, systemID: nil))
            case .unbind: .unbindResp
            case .submitSm: .submitSmResp(SubmitSmResp(messageID: nil))
            case .submitMulti: .submitMultiResp(SubmitMultiResp(messageID: nil))
            // message_id is there, unused and empty, whatever the status (§4.6.2).
            case .deliverSm: .deliverSmResp(DeliverSmResp(messageID: ""))
            case .dataSm: .dataSmResp(DataSmResp(messageID: nil))
            case .querySm: .querySmResp(QuerySmResp(messageID: nil))
            case .cancelSm: .cancelSmResp
            case .replaceSm: .replaceSmResp
            case .broadcastSm: .broadcastSmResp(BroadcastSmResp(messageID: nil))
            case .queryBroadcastSm: .queryBroadcastSmResp(QueryBroadcastSmResp(messageID: nil))
            case .cancelBroadcastSm: .cancelBroadcastSmResp
            case .enquireLink: .enquireLinkResp
            default: .genericNack
            }
        return PDU(body, sequenceNumber: sequenceNumber, commandStatus: commandStatus)
    }
}

extension PDU {
    /// Nil for a `command_id` that this version of the product does not know.
    init?(decoding header: PDUHeader, body bytes: UnsafeRawBufferPointer) throws(PDUError) {
        var reader = PDUReader(body: bytes, isResponse: header.commandID.isResponse)
        let body: Body
        switch header.commandID {
        case .submitSm: body = .submitSm(try SubmitSm(decoding: &reader))
        case .submitSm.response: body = .submitSmResp(try SubmitSmResp(decoding: &reader))
        case .deliverSm: body = .deliverSm(try DeliverSm(decoding: &reader))
        case .deliverSm.response: body = .deliverSmResp(try DeliverSmResp(decoding: &reader))
        case .enquireLink: body = try Self.empty(.enquireLink, reader)
        case .enquireLink.response: body = try Self.empty(.enquireLinkResp, reader)
        case .bindReceiver: body = .bind(try Bind(decoding: &reader, kind: .receiver))
        case .bindTransmitter: body = .bind(try Bind(decoding: &reader, kind: .transmitter))
        case .bindTransceiver: body = .bind(try Bind(decoding: &reader, kind: .transceiver))
        case .bindReceiver.response: body = .bindResp(try BindResp(decoding: &reader, kind: .receiver))
        case .bindTransmitter.response: body = .bindResp(try BindResp(decoding: &reader, kind: .transmitter))
        case .bindTransceiver.response: body = .bindResp(try BindResp(decoding: &reader, kind: .transceiver))
        case .outbind: body = .outbind(try Outbind(decoding: &reader))
        case .unbind: body = try Self.empty(.unbind, reader)
        case .unbind.response: body = try Self.empty(.unbindResp, reader)
        case .submitMulti: body = .submitMulti(try SubmitMulti(decoding: &reader))
        case .submitMulti.response: body = .submitMultiResp(try SubmitMultiResp(decoding: &reader))
        case .dataSm: body = .dataSm(try DataSm(decoding: &reader))
        case .dataSm.response: body = .dataSmResp(try DataSmResp(decoding: &reader))
        case .querySm: body = .querySm(try QuerySm(decoding: &reader))
        case .querySm.response: body = .querySmResp(try QuerySmResp(decoding: &reader))
        case .cancelSm: body = .cancelSm(try CancelSm(decoding: &reader))
        case .cancelSm.response: body = try Self.empty(.cancelSmResp, reader)
        case .replaceSm: body = .replaceSm(try ReplaceSm(decoding: &reader))
        case .replaceSm.response: body = try Self.empty(.replaceSmResp, reader)
        case .alertNotification: body = .alertNotification(try AlertNotification(decoding: &reader))
        case .broadcastSm: body = .broadcastSm(try BroadcastSm(decoding: &reader))
        case .broadcastSm.response: body = .broadcastSmResp(try BroadcastSmResp(decoding: &reader))
        case .queryBroadcastSm: body = .queryBroadcastSm(try QueryBroadcastSm(decoding: &reader))
        case .queryBroadcastSm.response: body = .queryBroadcastSmResp(try QueryBroadcastSmResp(decoding: &reader))
        case .cancelBroadcastSm: body = .cancelBroadcastSm(try CancelBroadcastSm(decoding: &reader))
        case .cancelBroadcastSm.response: body = try Self.empty(.cancelBroadcastSmResp, reader)
        case .genericNack: body = try Self.empty(.genericNack, reader)
        default: return nil
        }
        self.init(body, sequenceNumber: header.sequenceNumber, commandStatus: header.commandStatus)
    }

    private static func empty(_ body: Body, _ reader: PDUReader) throws(PDUError) -> Body {
        try reader.expectEnd()
        return body
    }

    /// Appends the PDU to `buffer`.
    /// - Throws: ``PDUError`` when a field cannot be written: too long, or with a NUL or a character beyond Latin-1 in
    ///   a C-octet string. Then `buffer` is as it was.
    public func encode(into buffer: inout ByteBuffer) throws(PDUError) {
        try Self.encode(self.body, sequenceNumber: self.sequenceNumber, commandStatus: self.commandStatus, into: &buffer)
    }

    /// As ``encode(into:)``, without a `PDU` around the body.
    public static func encode(
        _ body: Body, sequenceNumber: UInt32, commandStatus: CommandStatus, into buffer: inout ByteBuffer
    ) throws(PDUError) {
        var failure: PDUError?
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: PDUHeader.octets + body.octetBound) { room in
            var writer = PDUWriter(room: room)
            do throws(PDUError) {
                try body.encode(into: &writer)
            } catch {
                failure = error
                return 0
            }
            if writer.hasOverflowed {  // octetBound would be wrong: better no PDU than half of one
                failure = PDUError(field: "body", offset: writer.position, problem: .tooLong, status: .systemError)
                return 0
            }
            return writer.finish(body.commandID, commandStatus, sequenceNumber)
        }
        if let failure { throw failure }
    }
}

extension PDU.Body {
    fileprivate func encode(into writer: inout PDUWriter) throws(PDUError) {
        switch self {
        case .submitSm(let body), .deliverSm(let body): try body.encode(into: &writer)
        case .submitSmResp(let body), .deliverSmResp(let body), .dataSmResp(let body), .broadcastSmResp(let body),
            .queryBroadcastSmResp(let body):
            try body.encode(into: &writer)
        case .bind(let body): try body.encode(into: &writer)
        case .bindResp(let body): try body.encode(into: &writer)
        case .outbind(let body): try body.encode(into: &writer)
        case .submitMulti(let body): try body.encode(into: &writer)
        case .submitMultiResp(let body): try body.encode(into: &writer)
        case .dataSm(let body): try body.encode(into: &writer)
        case .querySm(let body): try body.encode(into: &writer)
        case .querySmResp(let body): try body.encode(into: &writer)
        case .cancelSm(let body): try body.encode(into: &writer)
        case .replaceSm(let body): try body.encode(into: &writer)
        case .alertNotification(let body): try body.encode(into: &writer)
        case .broadcastSm(let body): try body.encode(into: &writer)
        case .queryBroadcastSm(let body): try body.encode(into: &writer)
        case .cancelBroadcastSm(let body): try body.encode(into: &writer)
        case .unbind, .unbindResp, .cancelSmResp, .replaceSmResp, .cancelBroadcastSmResp, .enquireLink, .enquireLinkResp, .genericNack:
            break
        }
    }

    fileprivate var octetBound: Int {
        switch self {
        case .submitSm(let body), .deliverSm(let body): body.octetBound
        case .submitSmResp(let body), .deliverSmResp(let body), .dataSmResp(let body), .broadcastSmResp(let body),
            .queryBroadcastSmResp(let body):
            body.octetBound
        case .bind(let body): body.octetBound
        case .bindResp(let body): body.octetBound
        case .outbind(let body): body.octetBound
        case .submitMulti(let body): body.octetBound
        case .submitMultiResp(let body): body.octetBound
        case .dataSm(let body): body.octetBound
        case .querySm(let body): body.octetBound
        case .querySmResp(let body): body.octetBound
        case .cancelSm(let body): body.octetBound
        case .replaceSm(let body): body.octetBound
        case .alertNotification(let body): body.octetBound
        case .broadcastSm(let body): body.octetBound
        case .queryBroadcastSm(let body): body.octetBound
        case .cancelBroadcastSm(let body): body.octetBound
        case .unbind, .unbindResp, .cancelSmResp, .replaceSmResp, .cancelBroadcastSmResp, .enquireLink, .enquireLinkResp, .genericNack: 0
        }
    }
}
