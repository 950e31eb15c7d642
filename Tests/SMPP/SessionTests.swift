import NIOCore
import SMPP
import Testing

/// The context is a number, so that every one can be followed.
typealias TestSession = Session<Int>

@Suite struct SessionTests {
    private static let message = PDU.Body.submitSm(SubmitSm(destinationAddr: .init(value: "46701234567")))
    private static let configuration = SessionConfiguration(
        bindTimeoutMilliseconds: 5_000, responseTimeoutMilliseconds: 30_000, enquireLinkIntervalMilliseconds: 60_000,
        enquireLinkTimeoutMilliseconds: 10_000, unbindTimeoutMilliseconds: 2_000, window: 4, incomingWindow: 3)

    private static func smsc(_ kind: BindKind = .transceiver, _ configuration: SessionConfiguration = configuration) -> TestSession {
        var session = TestSession(role: .smsc, configuration: configuration, now: 0)
        _ = session.received(.pdu(PDU(.bind(Bind(kind: kind, systemID: "a", password: "b")), sequenceNumber: 1)), now: 0)
        _ = session.bindAnswered(.ok, response: BindResp(kind: kind, systemID: "smsc"), now: 0)
        return session
    }

    private static func esme(_ kind: BindKind = .transceiver, _ configuration: SessionConfiguration = configuration) -> TestSession {
        var session = TestSession(role: .esme, configuration: configuration, now: 0)
        _ = session.bind(Bind(kind: kind, systemID: "a", password: "b"), now: 0)
        _ = session.received(.pdu(PDU(.bindResp(BindResp(kind: kind, systemID: "smsc")), sequenceNumber: 1)), now: 0)
        return session
    }

    private static func answer(_ sequence: UInt32, _ status: CommandStatus = .ok) -> Framed {
        .pdu(PDU(.submitSmResp(.init(messageID: "m\(sequence)")), sequenceNumber: sequence, commandStatus: status))
    }

    // MARK: Binding

    @Test func `an SMSC asks for authentication, then is bound`() {
        var session = TestSession(role: .smsc, configuration: Self.configuration, now: 0)
        #expect(session.nextDeadline == 5_000)
        let bind = Bind(kind: .transmitter, systemID: "a", password: "b")
        #expect(session.received(.pdu(PDU(.bind(bind), sequenceNumber: 9)), now: 10) == .authenticate(bind))
        #expect(session.state == .binding(.transmitter))
        let response = BindResp(kind: .transmitter, systemID: "smsc")
        #expect(session.bindAnswered(.ok, response: response, now: 20) == .write(PDU(.bindResp(response), sequenceNumber: 9)))
        #expect(session.boundKind == .transmitter)
    }

    @Test func `a refused bind is answered with its reason and the connection closes`() {
        var session = TestSession(role: .smsc, now: 0)
        _ = session.received(.pdu(PDU(.bind(Bind(kind: .receiver, systemID: "a", password: "b")), sequenceNumber: 3)), now: 0)
        let response = BindResp(kind: .receiver, systemID: nil)
        #expect(
            session.bindAnswered(.invalidPassword, response: response, now: 0)
                == .writeAndClose(PDU(.bindResp(response), sequenceNumber: 3, commandStatus: .invalidPassword), .bindRejected))
        #expect(session.state == .closed)
    }

    @Test func `a refused bind closes the link with the SMSC's own status`() {
        var session = TestSession(role: .esme, now: 0)
        _ = session.bind(Bind(kind: .transceiver, systemID: "a", password: "b"), now: 0)
        let refusal = PDU(.bindResp(.init(kind: .transceiver, systemID: nil)), sequenceNumber: 1, commandStatus: .bindFailed)
        #expect(session.received(.pdu(refusal), now: 1) == .close(.bindRejected))
        #expect(session.refusedWith == .bindFailed)
    }

    @Test func `who does not bind in time is closed, on either side`() {
        for role in [TestSession.Role.smsc, .esme] {
            var session = TestSession(role: role, configuration: Self.configuration, now: 0)
            #expect(session.timerFired(now: 4_999).action == .none)
            #expect(session.timerFired(now: 5_000).action == .close(.bindTimedOut))
        }
    }

    @Test func `a second bind is refused, before and after the first is answered`() {
        let bind = PDU(.bind(Bind(kind: .transceiver, systemID: "a", password: "b")), sequenceNumber: 2)
        let refusal = TestSession.refusal(.bindTransceiver, 2, .alreadyBound)
        var binding = TestSession(role: .smsc, now: 0)
        _ = binding.received(.pdu(bind), now: 0)
        #expect(binding.received(.pdu(bind), now: 0) == refusal)
        var bound = Self.smsc()
        #expect(bound.received(.pdu(bind), now: 0) == refusal)
    }

    @Test func `an ESME hears an outbind only before it binds`() {
        let outbind = PDU(.outbind(.init(systemID: "smsc", password: "x")), sequenceNumber: 1)
        var open = TestSession(role: .esme, now: 0)
        #expect(open.received(.pdu(outbind), now: 0) == .deliver(outbind))
        var bound = Self.esme()
        #expect(
            bound.received(.pdu(outbind), now: 0)
                == .write(PDU(.genericNack, sequenceNumber: 1, commandStatus: .invalidBindStatus)))
    }

    // MARK: What is permitted

    /// Table 2-1, as far as requests for the application go: who may send what in which bind.
    @Test(
        arguments: [
            (.submitSm, .esme, "TX TRX"), (.submitMulti, .esme, "TX TRX"), (.querySm, .esme, "TX TRX"), (.cancelSm, .esme, "TX TRX"),
            (.replaceSm, .esme, "TX TRX"), (.dataSm, .esme, "TX TRX"), (.deliverSm, .smsc, "RX TRX"), (.dataSm, .smsc, "RX TRX"),
            (.alertNotification, .smsc, "RX TRX"), (.submitSm, .smsc, ""), (.deliverSm, .esme, ""), (.querySm, .smsc, ""),
        ] as [(CommandID, TestSession.Role, String)])
    func `each request meets each bind`(command: CommandID, sender: TestSession.Role, permitted: String) throws {
        var random = Seeded(1)
        let body = try #require((0..<Seeded.kinds).lazy.map { random.body($0) }.first { $0.commandID == command })
        for (kind, name) in [(BindKind.transmitter, "TX"), (.receiver, "RX"), (.transceiver, "TRX")] {
            var receiver = sender == .esme ? Self.smsc(kind) : Self.esme(kind)
            let pdu = PDU(body, sequenceNumber: 77)
            let action = receiver.received(.pdu(pdu), now: 1)
            if permitted.split(separator: " ").contains(Substring(name)) {
                #expect(action == .deliver(pdu), "\(name)")
            } else {
                #expect(action == TestSession.refusal(command, 77, .invalidBindStatus), "\(name)")
            }
        }
    }

    @Test func `submit without a bind is refused and the session lives on`() {
        var session = TestSession(role: .smsc, now: 0)
        #expect(
            session.received(.pdu(PDU(Self.message, sequenceNumber: 4)), now: 0)
                == TestSession.refusal(.submitSm, 4, .invalidBindStatus))
        #expect(session.state == .open)
    }

    @Test func `we cannot send what the bind does not permit`() {
        var session = Self.esme(.receiver)
        var buffer = ByteBuffer()
        #expect(throws: RequestRefusal.notPermitted) { try session.request(Self.message, context: 1, now: 0, into: &buffer) }
        #expect(throws: RequestRefusal.notPermitted) { try session.request(.enquireLink, context: 1, now: 0, into: &buffer) }
        #expect(buffer.readableBytes == 0)
    }

    @Test func `more unanswered requests than agreed are refused until some are answered`() {
        var session = Self.smsc()
        for sequence in UInt32(1)...3 {
            let pdu = PDU(Self.message, sequenceNumber: sequence)
            #expect(session.received(.pdu(pdu), now: 0) == .deliver(pdu))
        }
        let fourth = PDU(Self.message, sequenceNumber: 4)
        #expect(session.received(.pdu(fourth), now: 0) == TestSession.refusal(.submitSm, 4, .throttled))
        session.requestsAnswered(1)
        #expect(session.received(.pdu(fourth), now: 0) == .deliver(fourth))
    }

    @Test func `unknown commands and lost framing get generic_nack; only the latter ends the session`() {
        var session = Self.smsc()
        #expect(
            session.received(.unknownCommand(.init(rawValue: 0x1F0), sequenceNumber: 5), now: 0)
                == .write(PDU(.genericNack, sequenceNumber: 5, commandStatus: .invalidCommandID)))
        #expect(
            session.received(.framingLost(commandLength: 3, sequenceNumber: 6), now: 0)
                == .writeAndClose(PDU(.genericNack, sequenceNumber: 6, commandStatus: .invalidCommandLength), .framingLost))
        #expect(session.received(.pdu(PDU(.enquireLink, sequenceNumber: 7)), now: 0) == .ignore(.sessionOver))
    }

    // MARK: The window

    @Test func `answers give their contexts back in any order, and the window fills and empties`() throws {
        var session = Self.esme()
        var buffer = ByteBuffer()
        let sequences = try (10..<14).map { try session.request(Self.message, context: $0, now: 0, into: &buffer) }
        #expect(sequences == [2, 3, 4, 5])
        #expect(session.room == 0)
        #expect(throws: RequestRefusal.windowFull) { try session.request(Self.message, context: 0, now: 0, into: &buffer) }
        for (sequence, context) in [(UInt32(4), 12), (2, 10), (5, 13), (3, 11)] {
            guard case .completed(context, let pdu) = session.received(Self.answer(sequence), now: 1) else {
                Issue.record("\(sequence) did not complete")
                continue
            }
            #expect(pdu.sequenceNumber == sequence)
        }
        #expect(session.received(Self.answer(3), now: 1) == .ignore(.unexpectedResponse))
        #expect(session.room == 4)
    }

    @Test func `a wrong kind of response is ignored, generic_nack completes, an unreadable one says so`() throws {
        var session = Self.esme()
        var buffer = ByteBuffer()
        for context in 1...3 { try session.request(Self.message, context: context, now: 0, into: &buffer) }
        #expect(
            session.received(.pdu(PDU(.deliverSmResp(.init(messageID: "")), sequenceNumber: 2)), now: 0) == .ignore(.mismatchedResponse))
        let nack = PDU(.genericNack, sequenceNumber: 2, commandStatus: .invalidCommandID)
        #expect(session.received(.pdu(nack), now: 0) == .completed(1, nack))
        let error = PDUError(field: "message_id", offset: 16, problem: .tooLong, status: .invalidMessageID)
        #expect(session.received(.malformedResponse(.submitSm.response, sequenceNumber: 3, error), now: 0) == .unreadable(2, error))
        #expect(session.ended() == [3])
    }

    @Test func `unanswered requests time out, oldest first`() throws {
        var session = Self.esme()
        var buffer = ByteBuffer()
        for context in 1...3 { try session.request(Self.message, context: context, now: Int64(context) * 1_000, into: &buffer) }
        #expect(session.nextDeadline == 31_000)
        #expect(session.timerFired(now: 32_000).timedOut == [1, 2])
        #expect(session.nextDeadline == 33_000)
        #expect(session.received(Self.answer(2), now: 32_001) == .ignore(.unexpectedResponse))
    }

    @Test func `every context leaves exactly once, whatever happens`() throws {
        for seed in UInt64(1)...200 {
            var random = Seeded(seed)
            var configuration = Self.configuration
            configuration.window = Int.random(in: 1...40, using: &random)
            configuration.responseTimeoutMilliseconds = 500
            configuration.enquireLinkIntervalMilliseconds = 200
            var session = Self.esme(.transceiver, configuration)
            var (next, now, left) = (0, Int64(0), [Int]())
            var buffer = ByteBuffer()
            for _ in 0..<400 {
                buffer.clear()
                now += Int64.random(in: 0...20, using: &random)
                switch Int.random(in: 0..<6, using: &random) {
                case 0...2:
                    if (try? session.request(Self.message, context: next, now: now, into: &buffer)) != nil { next += 1 }
                case 3...4:
                    let newest = UInt32(next + 30)
                    let sequence = UInt32.random(in: (newest > 60 ? newest - 60 : 0)...newest, using: &random)
                    if case .completed(let context, _) = session.received(Self.answer(sequence), now: now) { left.append(context) }
                default:
                    left += session.timerFired(now: now).timedOut
                }
                #expect(session.outstandingRequests == next - left.count, "seed \(seed)")
            }
            left += session.ended()
            #expect(session.ended() == [])
            #expect(left.sorted() == Array(0..<next), "seed \(seed)")
        }
    }

    // MARK: Keepalive and end

    @Test func `silence brings enquire_link, more silence the end; an answer starts the clock again`() {
        var session = Self.esme()
        #expect(session.nextDeadline == 60_000)
        #expect(session.timerFired(now: 60_000).action == .write(PDU(.enquireLink, sequenceNumber: 2)))
        #expect(session.nextDeadline == 70_000)
        #expect(session.received(.pdu(PDU(.enquireLinkResp, sequenceNumber: 2)), now: 61_000) == .none)
        #expect(session.nextDeadline == 121_000)
        #expect(session.timerFired(now: 121_000).action == .write(PDU(.enquireLink, sequenceNumber: 3)))
        #expect(session.timerFired(now: 131_000).action == .close(.enquireLinkUnanswered))
    }

    @Test func `a silent peer is unbound at the idle timeout`() {
        var configuration = Self.configuration
        configuration.enquireLinkIntervalMilliseconds = 0
        configuration.idleTimeoutMilliseconds = 90_000
        var session = Self.esme(.transceiver, configuration)
        #expect(session.nextDeadline == 90_000)
        #expect(session.timerFired(now: 90_000).action == .write(PDU(.unbind, sequenceNumber: 2)))
    }

    @Test func `our unbind waits for answers, then for its own`() throws {
        var session = Self.esme()
        var buffer = ByteBuffer()
        try session.request(Self.message, context: 7, now: 0, into: &buffer)
        #expect(session.unbind(now: 10) == .none)
        #expect(session.state == .draining(.transceiver))
        #expect(throws: RequestRefusal.notBound) { try session.request(Self.message, context: 8, now: 0, into: &buffer) }
        _ = session.received(Self.answer(2), now: 20)
        #expect(session.nextDeadline == .min)
        #expect(session.timerFired(now: 20).action == .write(PDU(.unbind, sequenceNumber: 3)))
        #expect(session.received(.pdu(PDU(.unbindResp, sequenceNumber: 3)), now: 30) == .close(.unbound))
        #expect(session.ended() == [])
    }

    @Test func `what comes before our unbind is taken for a while, and nothing after it`() {
        var configuration = Self.configuration
        configuration.drainIntakeMilliseconds = 500
        var session = Self.smsc(.transceiver, configuration)
        func submit(_ number: UInt32) -> PDU { PDU(Self.message, sequenceNumber: number) }
        func refusal(of number: UInt32) -> SessionAction<Int> {
            .write(.response(to: .submitSm, sequenceNumber: number, commandStatus: .messageQueueFull))
        }
        #expect(session.received(.pdu(submit(2)), now: 0) == .deliver(submit(2)))
        #expect(session.unbind(now: 10) == .none)
        #expect(session.received(.pdu(submit(3)), now: 509) == .deliver(submit(3)))
        #expect(!session.isReadyToEnd)
        #expect(session.received(.pdu(submit(4)), now: 510) == refusal(of: 4))
        session.requestsAnswered(2)
        #expect(session.isReadyToEnd)
        #expect(session.timerFired(now: 520).action == .write(PDU(.unbind, sequenceNumber: 1)))
        #expect(!session.isReadyToEnd)
        #expect(session.received(.pdu(submit(5)), now: 530) == refusal(of: 5))
    }

    @Test func `our unbind waits until the peer has its answers, but not for ever`() {
        var session = Self.smsc()
        _ = session.received(.pdu(PDU(Self.message, sequenceNumber: 2)), now: 0)
        #expect(session.unbind(now: 10) == .none)
        #expect(session.nextDeadline == 2_010)
        var patient = session
        #expect(session.timerFired(now: 2_010).action == .write(PDU(.unbind, sequenceNumber: 1)))
        patient.requestsAnswered()
        #expect(patient.nextDeadline == .min)
        #expect(patient.timerFired(now: 20).action == .write(PDU(.unbind, sequenceNumber: 1)))
    }

    @Test func `an unbind that nobody answers ends at its timeout`() {
        var session = Self.smsc()
        #expect(session.unbind(now: 0) == .write(PDU(.unbind, sequenceNumber: 1)))
        #expect(session.timerFired(now: 2_000).action == .close(.unbound))
    }

    @Test func `the peer's unbind is answered after its earlier requests`() {
        var session = Self.smsc()
        _ = session.received(.pdu(PDU(Self.message, sequenceNumber: 2)), now: 0)
        #expect(session.received(.pdu(PDU(.unbind, sequenceNumber: 3)), now: 0) == .none)
        #expect(
            session.received(.pdu(PDU(Self.message, sequenceNumber: 4)), now: 0)
                == TestSession.refusal(.submitSm, 4, .invalidBindStatus))
        session.requestsAnswered()
        #expect(session.nextDeadline == .min)
        #expect(session.timerFired(now: 1).action == .writeAndClose(PDU(.unbindResp, sequenceNumber: 3), .peerUnbound))
    }

    @Test func `no response is ever answered, in any state`() {
        var random = Seeded(3)
        let responses = (0..<Seeded.kinds).map { random.body($0) }.filter(\.commandID.isResponse)
        let sessions = [
            TestSession(role: .smsc, now: 0), TestSession(role: .esme, now: 0), Self.smsc(), Self.esme(), Self.smsc(.transmitter),
        ]
        for session in sessions {
            for body in responses {
                var session = session
                switch session.received(.pdu(PDU(body, sequenceNumber: 99)), now: 0) {
                case .write, .writeAndClose, .deliver, .authenticate: Issue.record("\(body.commandID) was answered")
                case .ignore, .none, .close, .completed, .unreadable, .bound: break
                }
            }
        }
    }

    @Test func `each session meets random octets in each state and never traps`() throws {
        for seed in UInt64(1)...300 {
            var random = Seeded(seed)
            var session = seed % 2 == 0 ? Self.smsc() : Self.esme()
            for step in Int64(0)..<30 {
                var octets = Array(try encoded(random.pdu()).readableBytesView)
                if step % 3 == 0 { octets[Int.random(in: 0..<octets.count, using: &random)] = random.octet() }
                for framed in frames(ByteBuffer(bytes: octets)) { _ = session.received(framed, now: step) }
                _ = session.timerFired(now: step * 700)
            }
        }
    }
}

extension Session {
    /// The plain refusal of a request.
    static func refusal(_ command: CommandID, _ sequence: UInt32, _ status: CommandStatus) -> SessionAction<Context> {
        .write(.response(to: command, sequenceNumber: sequence, commandStatus: status))
    }
}
