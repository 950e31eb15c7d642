import Bus
import Database
import Logging
import Message
import NIOPosix
import SMPP
import ServiceKit
import Store
import Synchronization

/// A wish to cancel all of one's own waiting messages between two addresses (SMPP 3.4 §4.9.1).
package struct AddressCancellation: Sendable, Equatable {
    package var account: String
    /// Nil = not compared, for the account's senders are forced.
    package var source: String?
    package var destination: String
    /// Empty = any.
    package var serviceType: String

    package init(account: String, source: String?, destination: String, serviceType: String = "") {
        self.account = account
        self.source = source
        self.destination = destination
        self.serviceType = serviceType
    }

    /// What became of the messages so far. Pure.
    struct Tally: Equatable {
        var cancelled = 0
        /// A provider took them, or they ended.
        var gone = 0
        /// They still wait, and nobody could say that they are not sent.
        var undecided = 0

        /// - Parameter isOverdue: there may be more messages than were looked at.
        func answer(isOverdue: Bool) -> DeskAnswer {
            if undecided > 0 || isOverdue { return .refused(.systemError) }
            return cancelled > 0 ? .done : .refused(.cancelFailed)
        }
    }
}

/// Finds what such a wish means and cancels it message by message, a batch at a time.
///
/// The log is asked, once it has everything that was accepted before the wish: then nothing that its sender had an answer for is missed.
final class AddressCancellations: Sendable {
    /// Wishes that are worked on at a time; the next is refused.
    private static let maxRunning = 16
    /// Messages that are looked up and cancelled together: well below what the desk takes.
    private static let batch = 100
    /// How long a wish may take. Beyond it the client is told that it is not done; what was cancelled stays cancelled.
    private static let patienceMilliseconds: Int64 = 25_000
    /// Tries for a message that could not be decided.
    private static let attempts = 2
    private static let log = "routelog"

    typealias Ask = @Sendable (DeskRequest, @escaping @Sendable (DeskAnswer) -> Void) -> Bool

    /// A connection of its own: a search may take longer than a question by id may wait.
    private let database: Database
    private let bus: BusConfiguration
    private let logger: Logger
    private let running = Mutex(0)

    init(_ environment: ServiceEnvironment) {
        database = Database(
            url: environment.databaseURL, applicationName: "\(environment.instance)/addresses", statementTimeoutMilliseconds: 20_000)
        bus = environment.bus
        logger = environment.logger
    }

    /// - Parameters:
    ///   - ask: cancels one message by its id; false where too many wait.
    ///   - reply: called once, on some thread.
    /// - Returns: false where too many wait; then `reply` is not called.
    func take(_ wish: AddressCancellation, ask: @escaping Ask, reply: @escaping @Sendable (DeskAnswer) -> Void) -> Bool {
        let isTaken = running.withLock { running in
            guard running < AddressCancellations.maxRunning else { return false }
            running += 1
            return true
        }
        guard isTaken else { return false }
        // Ends with the wish, which its patience bounds.
        Task {
            let answer = await work(wish, ask)
            running.withLock { $0 -= 1 }
            reply(answer)
        }
        return true
    }

    private func work(_ wish: AddressCancellation, _ ask: @escaping Ask) async -> DeskAnswer {
        let deadline = monotonicMilliseconds() + AddressCancellations.patienceMilliseconds
        do {
            guard try await logHasCaughtUp(by: deadline) else { return .refused(.systemError) }
            var tally = AddressCancellation.Tally()
            var last: Int64 = 0
            while true {
                let after = last
                let found = try await database.run { connection in
                    try MessageOrderStore.waiting(
                        connection, account: wish.account, source: wish.source, destination: wish.destination,
                        serviceType: wish.serviceType, after: after, limit: AddressCancellations.batch)
                }
                guard let newest = found.last else { return tally.answer(isOverdue: false) }
                try await cancel(found, of: wish.account, ask, &tally)
                guard monotonicMilliseconds() < deadline else { return tally.answer(isOverdue: true) }
                last = newest
            }
        } catch {
            logger.warning("messages between two addresses not cancelled", metadata: ["error": "\(error)"])
            return .refused(.systemError)
        }
    }

    /// What is refused was sent meanwhile, as the log says a moment later, or could not be decided: then it is tried again.
    private func cancel(_ found: [Int64], of account: String, _ ask: @escaping Ask, _ tally: inout AddressCancellation.Tally) async throws {
        var open = found
        for _ in 0..<AddressCancellations.attempts {
            let requests = open.map { DeskRequest(wish: .cancel(destination: ""), msgid: $0, account: account) }
            let answers = await Answers.gather(requests, ask)
            let refused = zip(open, answers).filter { $0.1 != .done }.map(\.0)
            tally.cancelled += open.count - refused.count
            guard !refused.isEmpty else { return }
            try await Task.sleep(for: .seconds(1))
            let waiting = try await database.run { connection in
                try MessageOrderStore.find(connection, refused.map { ($0, account) })
                    .filter { $0.status < Int64(Status.submitted.rawValue) }.map(\.msgid)
            }
            tally.gone += refused.count - waiting.count
            open = waiting
        }
        tally.undecided += open.count
    }

    /// Whether the log has what was accepted up to now.
    private func logHasCaughtUp(by deadline: Int64) async throws -> Bool {
        let bus = bus
        // The calls block: not on the pool of tasks.
        let fence = try await NIOThreadPool.singleton.runIfActive { try Admin(bus).ends(of: [Topics.accepted]) }
        while monotonicMilliseconds() < deadline {
            let hasFinished = try await NIOThreadPool.singleton.runIfActive {
                try Admin(bus).hasFinished(AddressCancellations.log, before: fence)
            }
            if hasFinished { return true }
            try await Task.sleep(for: .milliseconds(250))
        }
        return false
    }
}

/// The answers to a batch of requests in their order, handed on together when the last is there.
private final class Answers: Sendable {
    private struct State {
        var answers: [DeskAnswer]
        var left: Int
        var whole: CheckedContinuation<[DeskAnswer], Never>?
    }

    private let state: Mutex<State>

    private init(_ count: Int, _ whole: CheckedContinuation<[DeskAnswer], Never>) {
        state = Mutex(State(answers: Array(repeating: .refused(.throttled), count: count), left: count, whole: whole))
    }

    private func take(_ answer: DeskAnswer, at place: Int) {
        let (whole, answers) = state.withLock { state in
            state.answers[place] = answer
            state.left -= 1
            guard state.left == 0 else { return (CheckedContinuation<[DeskAnswer], Never>?.none, [DeskAnswer]()) }
            defer { state.whole = nil }
            return (state.whole, state.answers)
        }
        whole?.resume(returning: answers)
    }

    static func gather(_ requests: [DeskRequest], _ ask: AddressCancellations.Ask) async -> [DeskAnswer] {
        guard !requests.isEmpty else { return [] }
        return await withCheckedContinuation { whole in
            let answers = Answers(requests.count, whole)
            for (place, request) in requests.enumerated() where !ask(request, { answers.take($0, at: place) }) {
                answers.take(.refused(.throttled), at: place)
            }
        }
    }
}
