import Bus
import Database
import Logging
import Message
import SMPP
package import ServiceKit
import Store
import SwiftProtobuf
import Synchronization

/// Answers query_sm, cancel_sm and replace_sm from PostgreSQL: off the event loops, in batches, and only so many at a time.
///
/// A cancellation, or a replacement, of a message that waits for its time is an order in `message_order`, which is read when it fires
/// (Services/Delay). Of one that is on its way to a provider it is asked of the owners of the queues (`QueueOrders`).
package final class MessageDesk: Sendable {
    /// Requests that may wait; the next is refused.
    private static let maxPending = 1_000
    private static let batch = 200
    /// How long a message is waited for that the log does not have yet.
    private static let patienceMilliseconds: Int64 = 3_000

    private struct Pending: Sendable {
        var request: DeskRequest
        var deadline: Int64
        var reply: @Sendable (DeskAnswer) -> Void
    }

    private struct State {
        var pending: [Pending] = []
        /// Orders that the owners of the queues were asked for.
        var asked = 0
        var isWorking = false
    }

    private let database: Database
    private let intake: Intake
    private let ids: SharedMessageIDs
    private let logger: Logger
    private let orders: QueueOrders
    private let byAddresses: AddressCancellations
    private let state = Mutex(State())

    package init(_ environment: ServiceEnvironment, intake: Intake, ids: SharedMessageIDs) {
        database = Database(
            url: environment.databaseURL, applicationName: "\(environment.instance)/desk", statementTimeoutMilliseconds: 5_000)
        self.intake = intake
        self.ids = ids
        orders = QueueOrders(environment, database: database)
        byAddresses = AddressCancellations(environment)
        logger = environment.logger
    }

    /// - Parameter reply: called once, on some thread.
    /// - Returns: false where too many wait; then `reply` is not called.
    package func ask(_ request: DeskRequest, reply: @escaping @Sendable (DeskAnswer) -> Void) -> Bool {
        let pending = Pending(request: request, deadline: monotonicMilliseconds() + MessageDesk.patienceMilliseconds, reply: reply)
        let (isTaken, mustStart) = state.withLock { state in
            guard state.pending.count + state.asked < MessageDesk.maxPending else { return (false, false) }
            state.pending.append(pending)
            defer { state.isWorking = true }
            return (true, !state.isWorking)
        }
        // Ends when nothing waits any more.
        if mustStart { Task { await work() } }
        return isTaken
    }

    /// Cancels all that waits between two addresses.
    /// - Parameter reply: called once, on some thread.
    /// - Returns: false where too many wait; then `reply` is not called.
    package func cancelAll(_ request: AddressCancellation, reply: @escaping @Sendable (DeskAnswer) -> Void) -> Bool {
        byAddresses.take(request, ask: { [self] in ask($0, reply: $1) }, reply: reply)
    }

    private func work() async {
        var asked: [QueueOrders.Asked] = []
        while true {
            let (batch, mayRest): ([Pending], Bool) = state.withLock { state in
                let batch = Array(state.pending.prefix(MessageDesk.batch))
                state.pending.removeFirst(batch.count)
                state.asked = asked.count
                if batch.isEmpty, asked.isEmpty { state.isWorking = false }
                return (batch, state.pending.isEmpty)
            }
            guard !batch.isEmpty || !asked.isEmpty else { return }
            let again = batch.isEmpty ? [] : await serve(batch, &asked)
            if !asked.isEmpty { asked = await settle(asked) }
            guard !again.isEmpty || (mayRest && !asked.isEmpty) else { continue }
            state.withLock { $0.pending += again }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private func settle(_ asked: [QueueOrders.Asked]) async -> [QueueOrders.Asked] {
        let now = monotonicMilliseconds()
        do {
            return try await orders.settle(asked, now: now)
        } catch {
            logger.warning("orders about messages not decided", metadata: ["count": "\(asked.count)", "error": "\(error)"])
            // What nobody decides is refused by the owners of the queues.
            return asked.filter { order in
                if now >= order.deadline { order.reply(.refused(.systemError)) }
                return now < order.deadline
            }
        }
    }

    private struct Served: Sendable {
        enum Outcome: Sendable {
            case answer(DeskAnswer)
            case askAgain
            /// The order's id.
            case asked(Int64, replacement: ShortMessage?)
        }

        var outcomes: [Outcome]
        var cancelled: [ShortMessage]
    }

    /// - Parameter asked: gets the orders that the owners of the queues are asked for.
    /// - Returns: those whose message may still come into the log.
    private func serve(_ batch: [Pending], _ asked: inout [QueueOrders.Asked]) async -> [Pending] {
        let requests = batch.map(\.request)
        let served: Served
        do {
            served = try await database.run { try MessageDesk.serve(requests, $0) }
        } catch {
            logger.warning("questions about messages not answered", metadata: ["count": "\(batch.count)", "error": "\(error)"])
            for pending in batch { pending.reply(.refused(.systemError)) }
            return []
        }
        let now = wallClockMilliseconds()
        for message in served.cancelled {
            let records = Reports.end(
                message, as: .deleted, reason: 0, text: "cancelled by its sender", at: now, reportID: ids.next(now: now))
            // What does not get through here is written when the message fires.
            for record in records { try? intake.publish(record) }
        }
        var again: [Pending] = []
        let monotonic = monotonicMilliseconds()
        for (pending, outcome) in zip(batch, served.outcomes) {
            switch outcome {
            case .answer(let answer): pending.reply(answer)
            case .askAgain where monotonic >= pending.deadline: pending.reply(.refused(.invalidMessageID))
            case .askAgain: again.append(pending)
            case .asked(let id, let replacement):
                asked.append(
                    QueueOrders.Asked(
                        id: id, request: pending.request, replacement: replacement,
                        deadline: monotonic + QueueOrders.patienceMilliseconds, reply: pending.reply))
            }
        }
        return again
    }

    private static func serve(_ requests: [DeskRequest], _ connection: Connection) throws -> Served {
        try connection.transaction {
            let found = try MessageOrderStore.find(connection, requests.map { ($0.msgid, $0.account) })
            var messages = Dictionary(found.map { ($0.msgid, $0) }, uniquingKeysWith: { first, _ in first })
            var served = Served(outcomes: [], cancelled: [])
            for request in requests {
                let now = wallClockMilliseconds()
                let message = messages[request.msgid]
                switch DeskDecision.decide(request, message, now: now) {
                case .answer(let answer): served.outcomes.append(.answer(answer))
                case .askAgain: served.outcomes.append(.askAgain)
                case .ask(let kind, let replacement):
                    let id = try QueueOrderStore.ask(
                        connection, msgid: request.msgid, account: request.account, kind: kind, record: replacement.map { encode($0) } ?? []
                    )
                    served.outcomes.append(id.map { .asked($0, replacement: replacement) } ?? .answer(.refused(request.wish.failure)))
                case .order(let kind, let due, let replacement):
                    guard
                        let message,
                        try MessageOrderStore.write(
                            connection, msgid: request.msgid, account: request.account, kind: kind, due: due,
                            record: replacement.map { encode($0) } ?? [])
                    else {
                        served.outcomes.append(.answer(.refused(request.wish.failure)))
                        continue
                    }
                    if let replacement {
                        try log(replacement, of: request.msgid, connection)
                    } else {
                        served.cancelled.append(DeskDecision.cancelled(message, account: request.account))
                    }
                    // Another request of this batch may be about the same message.
                    messages[request.msgid]?.order = kind
                    messages[request.msgid]?.due = due
                    served.outcomes.append(.answer(.done))
                }
            }
            return served
        }
    }

    /// The log shows what will be sent.
    static func log(_ replacement: ShortMessage, of msgid: Int64, _ connection: Connection) throws(DatabaseError) {
        let body = replacement.body
        try MessageOrderStore.replaceBody(
            connection, msgid: msgid, body: body.encoding == .binary ? hexText(body.data) : body.text,
            udh: body.udh.isEmpty ? nil : hexText(body.udh), parts: Int(replacement.parts))
    }

    private static func hexText(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
