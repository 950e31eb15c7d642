import NIOCore
import SMPP
import Testing

/// Every PDU in every state, for either role: SMPP 3.4 table 2-1 and 5.0 §2.4, written out.
@Suite struct SessionTableTests {
    /// The states of a session, and how to get there.
    enum Situation: String, CaseIterable {
        case open, binding, transmitter, receiver, transceiver, draining, unbinding, peerUnbinding, closed

        func session(_ role: TestSession.Role) -> TestSession {
            var session = TestSession(role: role, now: 0)
            var buffer = ByteBuffer()
            func bind(_ kind: BindKind) {
                let request = Bind(kind: kind, systemID: "a", password: "b", interfaceVersion: .v50)
                if role == .smsc {
                    _ = session.received(.pdu(PDU(.bind(request), sequenceNumber: 1)), now: 0)
                } else {
                    _ = session.bind(request, now: 0)
                }
            }
            func bound(_ kind: BindKind) {
                bind(kind)
                if role == .smsc {
                    _ = session.bindAnswered(.ok, response: BindResp(kind: kind, systemID: "s"), now: 0)
                } else {
                    _ = session.received(.pdu(PDU(.bindResp(BindResp(kind: kind, systemID: "s")), sequenceNumber: 1)), now: 0)
                }
            }
            switch self {
            case .open: break
            case .binding: bind(.transceiver)
            case .transmitter: bound(.transmitter)
            case .receiver: bound(.receiver)
            case .transceiver: bound(.transceiver)
            case .draining:
                bound(.transceiver)
                let request: PDU.Body = role == .smsc ? .deliverSm(DeliverSm()) : .submitSm(SubmitSm())
                _ = try? session.request(request, context: 1, now: 0, into: &buffer)
                _ = session.unbind(now: 0)
            case .unbinding:
                bound(.transceiver)
                _ = session.unbind(now: 0)
            case .peerUnbinding:
                bound(.transceiver)
                let request: PDU.Body = role == .smsc ? .submitSm(SubmitSm()) : .deliverSm(DeliverSm())
                _ = session.received(.pdu(PDU(request, sequenceNumber: 5)), now: 0)
                _ = session.received(.pdu(PDU(.unbind, sequenceNumber: 6)), now: 0)
            case .closed:
                _ = session.ended()
            }
            return session
        }
    }

    /// What the session does with a PDU, in one letter:
    /// d delivers it, a asks who it is, e answers enquire_link, u unbinds, . ignores it, n answers it with
    /// ESME_RINVBNDSTS, N does so by generic_nack, B says ESME_RALYBND, q ESME_RMSGQFUL, w holds unbind_resp back until its
    /// own answers are out.
    private static let legend = [
        "open", "binding", "transmitter", "receiver", "transceiver", "draining", "unbinding", "peerUnbinding", "closed",
    ]

    // One letter for each state of the legend.
    private static let smscTable: [(CommandID, String)] = [
        (.bindTransmitter, "aBBBBBnn."), (.bindReceiver, "aBBBBBnn."), (.bindTransceiver, "aBBBBBnn."),
        (.unbind, "nnuuuuu.."), (.enquireLink, "eeeeeeee."),
        (.submitSm, "nndndqqn."), (.submitMulti, "nndndqqn."), (.dataSm, "nndndqqn."), (.querySm, "nndndqqn."),
        (.cancelSm, "nndndqqn."), (.replaceSm, "nndndqqn."), (.broadcastSm, "nndndqqn."), (.queryBroadcastSm, "nndndqqn."),
        (.cancelBroadcastSm, "nndndqqn."),
        (.deliverSm, "nnnnnnnn."), (.outbind, "NNNNNNNN."), (.alertNotification, "NNNNNNNN."),
    ]
    private static let esmeTable: [(CommandID, String)] = [
        (.bindTransmitter, "nBBBBBnn."), (.bindReceiver, "nBBBBBnn."), (.bindTransceiver, "nBBBBBnn."),
        (.unbind, "nnuuuuu.."), (.enquireLink, "eeeeeeee."),
        (.submitSm, "nnnnnnnn."), (.submitMulti, "nnnnnnnn."), (.dataSm, "nnnddqqn."), (.querySm, "nnnnnnnn."),
        (.cancelSm, "nnnnnnnn."), (.replaceSm, "nnnnnnnn."), (.broadcastSm, "nnnnnnnn."), (.queryBroadcastSm, "nnnnnnnn."),
        (.cancelBroadcastSm, "nnnnnnnn."),
        (.deliverSm, "nnnddqqn."), (.outbind, "dNNNNNNN."), (.alertNotification, "NNNddQQN."),
    ]

    @Test(arguments: [TestSession.Role.smsc, .esme])
    func `each request of the specification meets each state`(role: TestSession.Role) throws {
        let table = role == .smsc ? Self.smscTable : Self.esmeTable
        #expect(Self.legend == Situation.allCases.map(\.rawValue))
        var met: Set<CommandID> = []
        for (command, row) in table {
            met.insert(command)
            #expect(row.count == Situation.allCases.count)
            for (situation, expected) in zip(Situation.allCases, row) {
                var session = situation.session(role)
                let pdu = PDU(try Self.body(command), sequenceNumber: 77)
                #expect(Self.letter(session.received(.pdu(pdu), now: 1), pdu) == expected, "\(command) in \(situation), \(role)")
            }
        }
        var all: Set<CommandID> = []
        for kind in 0..<Seeded.kinds {
            for seed in UInt64(0)..<20 {
                var random = Seeded(seed)
                let command = random.body(kind).commandID
                if !command.isResponse { all.insert(command) }
            }
        }
        #expect(met == all, "the table names every request that the codec knows")
    }

    @Test(arguments: [TestSession.Role.smsc, .esme], Situation.allCases)
    func `no response is answered in any state, readable, malformed or unknown`(role: TestSession.Role, situation: Situation) {
        let error = PDUError(field: "x", offset: 16, problem: .truncated, status: .invalidCommandLength)
        for kind in 0..<Seeded.kinds {
            for sequence in [UInt32(0), 1, 2, 3, 99, .max] {
                var random = Seeded(UInt64(kind))
                let body = random.body(kind)
                guard body.commandID.isResponse else { continue }
                let all: [Framed] = [
                    .pdu(PDU(body, sequenceNumber: sequence)), .pdu(PDU(body, sequenceNumber: sequence, commandStatus: .systemError)),
                    .malformedResponse(body.commandID, sequenceNumber: sequence, error),
                    .unknownCommand(CommandID(rawValue: 0x8000_0F00), sequenceNumber: sequence),
                ]
                for framed in all {
                    var session = situation.session(role)
                    switch session.received(framed, now: 1) {
                    case .write, .writeAndClose, .deliver, .authenticate: Issue.record("\(framed) was answered in \(situation)")
                    case .ignore, .none, .close, .completed, .unreadable, .bound: break
                    }
                }
            }
        }
    }

    @Test(arguments: [TestSession.Role.smsc, .esme], Situation.allCases)
    func `a malformed request gets one answer with its own sequence number, if the session lives`(
        role: TestSession.Role, situation: Situation
    ) throws {
        let error = PDUError(field: "x", offset: 16, problem: .truncated, status: .invalidCommandLength)
        for (command, _) in Self.smscTable {
            var session = situation.session(role)
            switch session.received(.malformedRequest(command, sequenceNumber: 77, error), now: 1) {
            case .write(let pdu), .writeAndClose(let pdu, _):
                #expect(situation != .closed)
                #expect(pdu.sequenceNumber == 77)
                #expect(pdu.commandStatus != .ok)
                #expect(pdu.commandID == (command.hasResponse ? command.response : .genericNack))
            case .ignore: #expect(situation == .closed, "\(command) in \(situation)")
            default: Issue.record("\(command) in \(situation)")
            }
        }
    }

    @Test(
        arguments: [
            // What we may send, by what was agreed; transceiver.
            (.v33, TestSession.Role.esme, CommandID.submitSm, "submit_sm"), (.v33, .esme, .dataSm, "submit_sm"),
            (.v33, .smsc, .dataSm, "deliver_sm"),
            (.v33, .esme, .broadcastSm, ""), (.v34, .esme, .dataSm, "data_sm"), (.v34, .esme, .broadcastSm, ""),
            (.v50, .esme, .broadcastSm, "broadcast_sm"), (.v50, .esme, .cancelBroadcastSm, "cancel_broadcast_sm"),
            (.v50, .smsc, .broadcastSm, ""),
        ] as [(InterfaceVersion, TestSession.Role, CommandID, String)])
    func `we send only what the agreed version has`(version: InterfaceVersion, role: TestSession.Role, command: CommandID, sent: String)
        throws
    {
        var session = Self.bound(role, version)
        #expect(session.agreedVersion == version)
        var buffer = ByteBuffer()
        if sent.isEmpty {
            #expect(throws: RequestRefusal.notPermitted) {
                try session.request(try Self.body(command), context: 1, now: 0, into: &buffer)
            }
        } else {
            try session.request(try Self.body(command), context: 1, now: 0, into: &buffer)
            guard case .pdu(let pdu) = Framer.decode(buffer) else {
                Issue.record("no PDU")
                return
            }
            #expect("\(pdu.commandID)" == sent)
        }
    }

    @Test func `a peer of 3_3 is sent no optional parameters, and a payload moves into short_message`() throws {
        var session = Self.bound(.smsc, .v33)
        var buffer = ByteBuffer()
        let payload: TLVs = [TLV(tag: .messagePayload, value: [0x41]), TLV(tag: .userMessageReference, value: [0, 1])]
        try session.request(.deliverSm(DeliverSm(tlvs: payload)), context: 1, now: 0, into: &buffer)
        guard case .pdu(let pdu) = Framer.decode(buffer), case .deliverSm(let deliver) = pdu.body else {
            Issue.record("no deliver_sm")
            return
        }
        #expect(deliver.shortMessage == [0x41])
        #expect(deliver.tlvs.isEmpty)
        let tooLong: TLVs = [TLV(tag: .messagePayload, value: Array(repeating: 0x41, count: 300))]
        #expect(throws: RequestRefusal.self) {
            try session.request(.deliverSm(DeliverSm(tlvs: tooLong)), context: 1, now: 0, into: &buffer)
        }
    }

    @Test func `a bind response to 3_3 says nothing in parameters`() {
        var session = TestSession(role: .smsc, now: 0)
        let bind = Bind(kind: .transmitter, systemID: "a", password: "b", interfaceVersion: .v33)
        _ = session.received(.pdu(PDU(.bind(bind), sequenceNumber: 1)), now: 0)
        let response = BindResp(kind: .transmitter, systemID: "s", tlvs: [TLV(tag: .scInterfaceVersion, value: [0x34])])
        #expect(
            session.bindAnswered(.ok, response: response, now: 0)
                == .write(PDU(.bindResp(BindResp(kind: .transmitter, systemID: "s")), sequenceNumber: 1)))
    }

    @Test func `where versions are enforced, what the agreed one lacks is an invalid command`() throws {
        for (enforces, expected) in [(true, CommandStatus.invalidCommandID), (false, nil)] {
            var session = Self.bound(.smsc, .v33, SessionConfiguration(enforcesVersion: enforces))
            let pdu = PDU(try Self.body(.dataSm), sequenceNumber: 3)
            let action = session.received(.pdu(pdu), now: 0)
            if let expected {
                #expect(action == .write(.response(to: .dataSm, sequenceNumber: 3, commandStatus: expected)))
            } else {
                #expect(action == .deliver(pdu))
            }
        }
    }

    @Test func `sequence numbers wrap behind 0x7FFFFFFF, past those that still wait`() throws {
        var session = Self.bound(.esme, .v34)
        session.skipSequenceNumbers(to: 0x7FFF_FFFE)
        var buffer = ByteBuffer()
        let numbers = try (0..<4).map { try session.request(.submitSm(SubmitSm()), context: $0, now: 0, into: &buffer) }
        #expect(numbers == [0x7FFF_FFFE, 0x7FFF_FFFF, 1, 2])
        session.skipSequenceNumbers(to: 0x7FFF_FFFF)
        #expect(try session.request(.submitSm(SubmitSm()), context: 9, now: 0, into: &buffer) == 3)
    }

    // MARK: Inside

    private static func bound(_ role: TestSession.Role, _ version: InterfaceVersion, _ configuration: SessionConfiguration = .init())
        -> TestSession
    {
        var session = TestSession(role: role, configuration: configuration, now: 0)
        let bind = Bind(kind: .transceiver, systemID: "a", password: "b", interfaceVersion: version)
        let response = BindResp(kind: .transceiver, systemID: "s")
        if role == .smsc {
            _ = session.received(.pdu(PDU(.bind(bind), sequenceNumber: 1)), now: 0)
            _ = session.bindAnswered(.ok, response: response, now: 0)
        } else {
            _ = session.bind(bind, now: 0)
            _ = session.received(.pdu(PDU(.bindResp(response), sequenceNumber: 1)), now: 0)
        }
        return session
    }

    private static func body(_ command: CommandID) throws -> PDU.Body {
        let payload: TLVs = [TLV(tag: .messagePayload, value: [0x41])]
        switch command {
        case .bindTransmitter: return .bind(Bind(kind: .transmitter, systemID: "a", password: "b"))
        case .bindReceiver: return .bind(Bind(kind: .receiver, systemID: "a", password: "b"))
        case .bindTransceiver: return .bind(Bind(kind: .transceiver, systemID: "a", password: "b"))
        case .dataSm: return .dataSm(DataSm(sourceAddr: .init(), destinationAddr: .init(value: "1"), tlvs: payload))
        case .enquireLink: return .enquireLink
        default:
            return try #require(
                (0..<Seeded.kinds).lazy.map { kind -> PDU.Body in
                    var random = Seeded(UInt64(kind))
                    return random.body(kind)
                }.first { $0.commandID == command })
        }
    }

    private static func letter(_ action: SessionAction<Int>, _ pdu: PDU) -> Character {
        switch action {
        case .deliver(pdu): return "d"
        case .authenticate: return "a"
        case .ignore: return "."
        case .none: return "w"
        case .writeAndClose(let answer, .peerUnbound) where answer.commandID == .unbind.response: return "u"
        case .write(let answer):
            guard answer.sequenceNumber == pdu.sequenceNumber else { return "?" }
            if answer.commandID == .genericNack {
                return answer.commandStatus == .messageQueueFull ? "Q" : answer.commandStatus == .invalidBindStatus ? "N" : "?"
            }
            guard answer.commandID == pdu.commandID.response else { return "?" }
            switch answer.commandStatus {
            case .ok: return pdu.commandID == .enquireLink ? "e" : "?"
            case .invalidBindStatus: return "n"
            case .alreadyBound: return "B"
            case .messageQueueFull: return "q"
            default: return "?"
            }
        default: return "?"
        }
    }
}
