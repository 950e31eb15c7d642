import Bus
import Database
import Logging
import Message
import NIOPosix
import SMPP
import ServiceKit
import Store

/// Decides orders about messages that are on their way to a provider.
///
/// The owners of the queues are asked first: once each of them has read the order none sends the message any more, and one that has it
/// says so. Where none has it, it waits in a topic, in a delay, or has been sent: that the log tells, once it has caught up with what
/// was recorded by then.
struct QueueOrders: Sendable {
    /// How long a client waits for its answer at most. Below the owners' patience with an order that nobody decides.
    static let patienceMilliseconds: Int64 = 12_000
    private static let log = "routelog"

    /// An order that was written and is not decided yet.
    struct Asked: Sendable {
        var id: Int64
        var request: DeskRequest
        var replacement: ShortMessage?
        var deadline: Int64
        var reply: @Sendable (DeskAnswer) -> Void
        /// What the log must have read, from the moment on at which no owner sent the message any more.
        var fence: [TopicPartition: Int64]?
        var hasLogCaughtUp = false
    }

    /// What is known of an order. Pure.
    enum Verdict: Equatable {
        case grant, refuse, wait
        /// Nobody has it: the log is to be asked.
        case askLog
    }

    /// - Parameters:
    ///   - standing: nil where the order is no more.
    ///   - seen: up to which order all owners follow; nil = there are none.
    static func judge(_ standing: QueueOrderStore.Standing?, id: Int64, seen: Int64?, isOverdue: Bool) -> Verdict {
        guard let standing, standing.state == .asked, !standing.isLate else { return .refuse }
        if isOverdue { return .refuse }
        guard let seen, seen >= id else { return .wait }
        return standing.isHeld ? .grant : .askLog
    }

    private let database: Database
    private let bus: BusConfiguration
    private let logger: Logger

    init(_ environment: ServiceEnvironment, database: Database) {
        self.database = database
        bus = environment.bus
        logger = environment.logger
    }

    private struct Settled: Sendable {
        var answers: [Int64: DeskAnswer] = [:]
        var mustAskLog: Set<Int64> = []
    }

    /// Answers what can be decided now.
    /// - Returns: the rest, to be given again a moment later.
    /// - Throws: `DatabaseError`: nothing was decided.
    func settle(_ asked: [Asked], now: Int64) async throws -> [Asked] {
        var asked = asked
        let wanted = asked
        let settled = try await database.run { try QueueOrders.settle(wanted, $0, now: now) }
        if !settled.mustAskLog.isEmpty { await askLog(&asked, settled.mustAskLog) }
        return asked.filter { order in
            guard let answer = settled.answers[order.id] else { return true }
            if now >= order.deadline, answer != .done {
                logger.notice(
                    "an order was not decided in time, its message goes on",
                    metadata: [
                        "message.id": "\(order.request.msgid)", "owners_have_read_it": "\(order.fence != nil)",
                        "log_has_caught_up": "\(order.hasLogCaughtUp)",
                    ])
            }
            order.reply(answer)
            return false
        }
    }

    /// Looks how far the log is, once for all. What cannot be looked at now is looked at again.
    private func askLog(_ asked: inout [Asked], _ ids: Set<Int64>) async {
        let bus = bus
        let fences = Dictionary(asked.filter { ids.contains($0.id) }.map { ($0.id, $0.fence) }, uniquingKeysWith: { first, _ in first })
        // The calls block: not on an event loop, nor on the pool of tasks.
        let looked = try? await NIOThreadPool.singleton.runIfActive { () -> [Int64: ([TopicPartition: Int64], Bool)] in
            let admin = try Admin(bus)
            let ends = try admin.ends(of: [Topics.accepted, Topics.submitted, Topics.events])
            var hasFinished: [[TopicPartition: Int64]: Bool] = [:]
            return try fences.mapValues { fence in
                let fence = fence ?? ends
                let isDone = try hasFinished[fence] ?? admin.hasFinished(QueueOrders.log, before: fence)
                hasFinished[fence] = isDone
                return (fence, isDone)
            }
        }
        for index in asked.indices {
            if let (fence, isDone) = looked?[asked[index].id] { (asked[index].fence, asked[index].hasLogCaughtUp) = (fence, isDone) }
        }
    }

    private static func settle(_ asked: [Asked], _ connection: Connection, now: Int64) throws -> Settled {
        try connection.transaction {
            let standings = try QueueOrderStore.standings(connection, of: asked.map(\.id))
            let seen = try QueueOrderStore.slowestReader(connection)
            var settled = Settled()
            var grant: [Asked] = []
            var refuse: [Asked] = []
            var quiet: [Asked] = []
            for order in asked {
                switch judge(standings[order.id], id: order.id, seen: seen, isOverdue: now >= order.deadline) {
                case .grant: grant.append(order)
                case .refuse: refuse.append(order)
                case .wait: break
                case .askLog where order.hasLogCaughtUp: quiet.append(order)
                case .askLog: settled.mustAskLog.insert(order.id)
                }
            }
            if !quiet.isEmpty {
                let found = try MessageOrderStore.find(connection, quiet.map { ($0.request.msgid, $0.request.account) })
                let unsent = Set(found.filter { $0.status < Int64(Status.submitted.rawValue) }.map(\.msgid))
                let elsewhere = try QueueOrderStore.leavingElsewhere(connection, quiet.map(\.request.msgid))
                for order in quiet {
                    let isWaiting = unsent.contains(order.request.msgid) && !elsewhere.contains(order.request.msgid)
                    if isWaiting { grant.append(order) } else { refuse.append(order) }
                }
            }
            let granted = try QueueOrderStore.decide(connection, grant: grant.map(\.id), refuse: refuse.map(\.id))
            for order in grant + refuse {
                guard granted.contains(order.id) else {
                    settled.answers[order.id] = .refused(order.request.wish.failure)
                    continue
                }
                if let replacement = order.replacement {
                    try MessageDesk.log(replacement, of: order.request.msgid, connection)
                }
                settled.answers[order.id] = .done
            }
            return settled
        }
    }
}
