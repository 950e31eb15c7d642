import Database
import Logging
public import ServiceLifecycle
import Store

/// What the owner of a queue says to an order.
public enum QueueOrderVote: Sendable, Equatable {
    /// The message is here, nobody was sent it, and it is held back.
    case held
    /// It was sent, or may have been.
    case late
}

/// Follows the orders to cancel or replace what is queued, four times a second, and tells the ingress what was found.
///
/// For every process that sends what is queued: create it before the first record is read, so that no order is unknown then.
public final class QueueOrderReader: Service {
    private static let interval = Duration.milliseconds(250)
    private static let limit = 2_000
    /// Turns between two signs of life.
    private static let beat = 20
    private static let tidy = 240

    public let book: QueueOrderBook
    private let database: Database
    private let instance: String
    private let logger: Logger
    private let first: Int64
    private let vote: @Sendable ([Int64]) async -> [Int64: QueueOrderVote]

    /// - Parameter vote: holds these messages back, lets them go or ends them, as `book` says of them now, and says where those stand
    ///   that are being decided; nothing of those that it does not know.
    public init(_ context: ServiceContext, vote: @escaping @Sendable ([Int64]) async -> [Int64: QueueOrderVote]) async throws {
        self.vote = vote
        database = Database(
            url: context.environment.databaseURL, applicationName: "\(context.environment.instance)/orders",
            statementTimeoutMilliseconds: 10_000)
        instance = context.environment.instance
        logger = context.environment.logger
        let (database, instance, book) = (database, instance, QueueOrderBook())
        let known = try await database.run { try QueueOrderStore.register($0, instance: instance) }
        _ = book.apply(known.orders)
        self.book = book
        first = known.seen
    }

    public func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            var seen = first
            var turn = 0
            while !Task.isCancelled {
                turn += 1
                do {
                    while try await follow(&seen, turn) {}
                } catch is CancellationError {
                    return
                } catch {
                    // Senders are told that it cannot be done, as long as we do not say that we know.
                    logger.debug("orders not read", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: QueueOrderReader.interval)
            }
        }
        // Its queues are closed by now, or will not be sent from any more.
        let instance = instance
        try? await database.run { try QueueOrderStore.leave($0, instance: instance) }
    }

    /// - Returns: whether there is more to read at once.
    private func follow(_ seen: inout Int64, _ turn: Int) async throws -> Bool {
        let known = seen
        let news = try await database.run { try QueueOrderStore.news($0, after: known, limit: QueueOrderReader.limit) }
        let touched = book.apply(news).union(book.asked.keys)
        let votes = touched.isEmpty ? [:] : await vote(touched.sorted())
        let now = news.last?.changed ?? known
        let asked = book.asked
        if !news.isEmpty || !votes.isEmpty || turn % QueueOrderReader.beat == 0 {
            let late = asked.filter { votes[$0.key] == .late }.map(\.value)
            let held = asked.filter { votes[$0.key] == .held }.map(\.value)
            let instance = instance
            try await database.run { connection in
                try connection.transaction {
                    try QueueOrderStore.report(connection, instance: instance, seen: now, late: late, held: held)
                }
            }
        }
        // Only now: what was not reported is voted on again.
        seen = now
        if !asked.isEmpty, turn % 4 == 0 { try await database.run { try QueueOrderStore.refuseForgotten($0) } }
        if turn % QueueOrderReader.tidy == 0 { try await database.run { try QueueOrderStore.tidy($0) } }
        return news.count == QueueOrderReader.limit
    }
}
