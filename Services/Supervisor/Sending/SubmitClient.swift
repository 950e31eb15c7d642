import Foundation
import NIOCore
import SMPP

/// A small SMPP client for `signalbox send`: binds as a transceiver, submits, takes reports. Blocking; for one thread.
struct SubmitClient {
    /// What became of a submission.
    enum Answer: Sendable, Equatable {
        case accepted(messageID: String)
        case refused(CommandStatus)
        /// No answer that could be read: the gateway may have accepted it or not.
        case unknown
    }

    /// A gateway that does not answer within this is not there.
    private static let answerMilliseconds: Int64 = 30_000

    private let connection: TCPConnection
    private var session: Session<Int>
    private var framer = Framer()
    private(set) var answers: [Int: Answer] = [:]
    /// Reports that came on this session.
    private(set) var reports = 0
    private var isBound = false
    private var closed: CloseReason?

    /// Connects and binds.
    /// - Throws: `UpError`: nobody there, or the bind was refused, and why.
    init(host: String, port: Int, account: String, password: String) throws(UpError) {
        connection = try TCPConnection(host: host, port: port)
        let now = monotonicMilliseconds()
        session = Session(
            role: .esme,
            configuration: SessionConfiguration(
                bindTimeoutMilliseconds: Self.answerMilliseconds, responseTimeoutMilliseconds: Self.answerMilliseconds, window: 50),
            now: now)
        let bind = session.bind(Bind(kind: .transceiver, systemID: account, password: password), now: now)
        try perform(bind)
        while !isBound {
            guard closed == nil else {
                throw UpError(
                    "the gateway refused the bind of \(account): \(session.refusedWith.map(Self.explain) ?? "it closed the connection")")
            }
            try turn(waitingMilliseconds: 200)
        }
    }

    /// Submits all, within the window, and waits for their answers, which are in `answers` under the same indices.
    mutating func submit(_ messages: [SubmitSm]) throws(UpError) {
        var next = 0
        while next < messages.count || session.outstandingRequests > 0 {
            var output = ByteBuffer()
            while next < messages.count, session.room > 0 {
                do throws(RequestRefusal) {
                    try session.request(.submitSm(messages[next]), context: next, now: monotonicMilliseconds(), into: &output)
                } catch {
                    throw UpError("message \(next + 1) cannot be written: \(error)")
                }
                next += 1
            }
            if output.readableBytes > 0 { try connection.send(Array(output.readableBytesView)) }
            guard closed == nil else {
                throw UpError("the gateway closed the session (\(closed?.rawValue ?? "")) before it had answered all")
            }
            try turn(waitingMilliseconds: 200)
        }
    }

    /// Reads and answers what comes within `milliseconds`.
    mutating func turn(waitingMilliseconds milliseconds: Int64) throws(UpError) {
        if let bytes = try connection.receive(waitingMilliseconds: milliseconds) {
            var input = ByteBuffer(bytes: bytes)
            framer.append(&input)
            while let framed = framer.next() { try perform(session.received(framed, now: monotonicMilliseconds())) }
        } else if closed == nil {
            closed = .peerUnbound
            for context in session.ended() { answers[context] = .unknown }
        }
        let outcome = session.timerFired(now: monotonicMilliseconds())
        for context in outcome.timedOut { answers[context] = .unknown }
        try perform(outcome.action)
    }

    /// Says good-bye. That the peer is gone already is no fault.
    mutating func unbind() {
        let deadline = monotonicMilliseconds() + 2_000
        do throws(UpError) {
            try perform(session.unbind(now: monotonicMilliseconds()))
            while closed == nil, monotonicMilliseconds() < deadline { try turn(waitingMilliseconds: 100) }
        } catch {}
    }

    private mutating func perform(_ action: SessionAction<Int>) throws(UpError) {
        switch action {
        case .bound: isBound = true
        case .completed(let index, let pdu):
            if pdu.commandStatus == .ok, case .submitSmResp(let response) = pdu.body {
                answers[index] = .accepted(messageID: response.messageID ?? "")
            } else {
                answers[index] = .refused(pdu.commandStatus)
            }
        case .unreadable(let index, _): answers[index] = .unknown
        case .deliver(let pdu):
            if case .deliverSm(let message) = pdu.body, message.esmClass == .deliveryReceipt { reports += 1 }
            try write(.response(to: pdu.commandID, sequenceNumber: pdu.sequenceNumber, commandStatus: .ok))
            session.requestsAnswered()
        case .write(let pdu): try write(pdu)
        case .writeAndClose(let pdu, let reason):
            try write(pdu)
            close(reason)
        case .close(let reason): close(reason)
        case .authenticate, .ignore, .none: break
        }
    }

    private mutating func close(_ reason: CloseReason) {
        closed = reason
        for context in session.ended() { answers[context] = .unknown }
    }

    private func write(_ pdu: PDU) throws(UpError) {
        var output = ByteBuffer()
        do throws(PDUError) { try pdu.encode(into: &output) } catch { throw UpError("\(pdu.commandID) cannot be written: \(error)") }
        try connection.send(Array(output.readableBytesView))
    }

    /// What an operator should look at.
    static func explain(_ status: CommandStatus) -> String {
        switch status {
        case .invalidPassword: "wrong password (\(status))"
        case .invalidSystemID: "unknown account (\(status))"
        case .bindFailed: "no access from here, too many sessions, or the account is locked (\(status))"
        case .messageQueueFull: "a queue is full, try again later (\(status))"
        case .throttled: "too many messages at once, try again later (\(status))"
        default: "\(status)"
        }
    }
}
