import Bus
import Database
import Logging
import Message
import ServiceKit
import ServiceLifecycle
import Store

/// Takes phones' messages in that providers bring by calling. A call is answered once the broker has all of them, and one that comes
/// again, because its answer was lost, brings none a second time: the provider's ids are claimed in PostgreSQL before, in batches.
final class MessageIntake: Service {
    struct Arrival: Sendable {
        /// The provider's; empty where it gives none.
        var id: String
        /// Without an id of ours.
        var message: ShortMessage
    }

    /// Between two looks for claims that are so old that nobody asks for them any more.
    private static let tidyInterval = Duration.seconds(300)
    /// A body does not matter: what makes a message the same is its id.
    private static let fingerprint: [UInt8] = [1]

    private let desk: ReceiptDesk
    private let ids: SharedMessageIDs
    private let database: Database
    private let claims: BatchDesk<[IdempotencyStore.Claim], [IdempotencyStore.Verdict]>
    private let answers: BatchDesk<[IdempotencyStore.Answer], Bool>
    private let logger: Logger

    init(_ environment: ServiceEnvironment, desk: ReceiptDesk, ids: SharedMessageIDs) {
        self.desk = desk
        self.ids = ids
        logger = environment.logger
        let database = Database(
            url: environment.databaseURL, applicationName: "\(environment.instance)/calls", statementTimeoutMilliseconds: 5_000)
        self.database = database
        let overloaded = ServiceError("too many calls wait")
        claims = BatchDesk(database, overloaded: overloaded) { connection, calls in
            var verdicts = try IdempotencyStore.claim(connection, calls.flatMap { $0 })[...]
            return calls.map { call in
                defer { verdicts = verdicts.dropFirst(call.count) }
                return Array(verdicts.prefix(call.count))
            }
        }
        answers = BatchDesk(database, overloaded: overloaded) { connection, calls in
            try IdempotencyStore.settle(connection, calls.flatMap { $0 })
            return calls.map { _ in true }
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: MessageIntake.tidyInterval)
                // What is not removed now is removed later.
                try? await database.run { try IdempotencyStore.removeOld($0) }
            }
        }
    }

    /// - Parameter arrivals: no two of one id.
    /// - Returns: whether the broker has all of them. Where it has not, the call is to come again.
    func keep(_ arrivals: [Arrival], connector: String) async -> Bool {
        let now = wallClockMilliseconds()
        // No account can be called so.
        let owner = "provider \(connector)"
        var messages: [ShortMessage] = []
        var named: [ShortMessage] = []
        var wanted: [IdempotencyStore.Claim] = []
        for arrival in arrivals {
            var message = arrival.message
            message.msgid = ids.next(now: now)
            guard !arrival.id.isEmpty else {
                messages.append(message)
                continue
            }
            named.append(message)
            wanted.append(
                IdempotencyStore.Claim(
                    username: owner, key: arrival.id, fingerprint: MessageIntake.fingerprint, msgids: [message.msgid]))
        }
        var settled: [IdempotencyStore.Answer] = []
        if !wanted.isEmpty {
            do {
                for ((verdict, claim), message) in zip(zip(try await claims.ask(wanted), wanted), named) {
                    let isKept: Bool
                    switch verdict {
                    case .new:
                        messages.append(message)
                        isKept = false
                    case .takenOver(let msgids, let known):
                        // A call that nobody answered: its message is in the log, or never reached the broker.
                        if let old = msgids.first, !known.contains(old) {
                            var message = message
                            message.msgid = old
                            messages.append(message)
                        }
                        isKept = false
                    case .answered: isKept = true
                    case .underWay, .otherRequest: return false
                    }
                    if !isKept { settled.append(IdempotencyStore.Answer(username: owner, key: claim.key, status: 200, answer: [])) }
                }
            } catch {
                logger.warning("messages of a call not claimed", metadata: ["connector": "\(connector)", "error": "\(error)"])
                return false
            }
        }
        let records = messages.map { OutgoingRecord(topic: Topics.accepted, key: $0.destination.number, value: encode($0)) }
        // Where this fails the claims stay: whether the broker has the messages the log will tell when the call comes again.
        guard await desk.keep(records) else { return false }
        EgressMetrics.messages.add(messages.count)
        // Likewise.
        if !settled.isEmpty { _ = try? await answers.ask(settled) }
        return true
    }
}
