import Bus
import Dispatch
import Logging
public import ServiceLifecycle
import Synchronization

/// Looks once a second how long the queues of connectors are, as far as a limit is set for them, and tells which have reached it.
///
/// The ingress refuses what would make a full queue longer; the router passes it over. Messages are counted only where the offsets
/// say that a limit may have been reached (`QueueLengths`).
public final class QueueWatch: Service {
    /// What limits there are.
    public struct Limits: Sendable, Equatable {
        public struct Queue: Sendable, Equatable {
            /// The connector's name.
            public var name: String
            /// The consumer group that reads its two lanes.
            public var group: String
            /// MAXQUEUESIZE; nil = none of its own.
            public var limit: Int64?

            public init(name: String, group: String, limit: Int64?) {
                self.name = name
                self.group = group
                self.limit = limit
            }

            var lanes: [GroupTopic] {
                [Topics.queue(name), Topics.priorityQueue(name)].map { GroupTopic(group: group, topic: $0) }
            }
        }

        public var queues: [Queue]
        /// MAXTOTALQUEUESIZE: of all queues and of what is on its way to them.
        public var total: Int64?

        public init(queues: [Queue] = [], total: Int64? = nil) {
            self.queues = queues
            self.total = total
        }

        public var isEmpty: Bool { total == nil && queues.allSatisfy { $0.limit == nil } }
    }

    public struct Finding: Sendable, Equatable {
        /// Connectors whose limit is reached.
        public var full: Set<String>
        public var isTotalFull: Bool

        public init(full: Set<String> = [], isTotalFull: Bool = false) {
            self.full = full
            self.isTotalFull = isTotalFull
        }
    }

    /// What was accepted and stands in no connector's queue yet.
    private static let onTheWay =
        [Topics.accepted, Topics.due].map { GroupTopic(group: "router", topic: $0) } + [GroupTopic(group: "billing", topic: Topics.routed)]

    private let bus: BusConfiguration
    private let logger: Logger
    private let limits: @Sendable () -> Limits
    private let current = Mutex(Finding())
    private let stopping = Atomic<Bool>(false)
    private let stopped = DispatchSemaphore(value: 0)

    public init(_ environment: ServiceEnvironment, limits: @escaping @Sendable () -> Limits) {
        bus = environment.bus
        logger = environment.logger
        self.limits = limits
    }

    /// As of the last look.
    public var finding: Finding { current.withLock { $0 } }

    public func run() async throws {
        let thread = ThreadService(
            name: "queue lengths",
            stop: { [self] in
                stopping.store(true, ordering: .releasing)
                stopped.signal()
            }, body: { [self] in watch() })
        try await thread.run()
    }

    private func watch() {
        var lengths: QueueLengths?
        while !stopping.load(ordering: .acquiring) {
            let limits = limits()
            if limits.isEmpty {
                publish(Finding())
            } else {
                do throws(BusError) {
                    let usable: QueueLengths
                    if let lengths { usable = lengths } else { usable = try QueueLengths(bus) }
                    lengths = usable
                    publish(try Self.look(usable, limits))
                } catch {
                    // What was known stays: a broker that is away takes no messages anyhow.
                    logger.debug("queue lengths not known", metadata: ["error": "\(error)"])
                }
            }
            _ = stopped.wait(timeout: .now() + .seconds(1))
        }
    }

    private static func look(_ lengths: QueueLengths, _ limits: Limits) throws(BusError) -> Finding {
        let watched = limits.queues.filter { limits.total != nil || $0.limit != nil }
        let all = watched.flatMap(\.lanes) + (limits.total == nil ? [] : onTheWay)
        return Finding(limits, try lengths.lengths(of: all) { Finding.worthCounting(limits, $0) })
    }

    private func publish(_ finding: Finding) {
        let before = current.withLock { current in
            defer { current = finding }
            return current
        }
        for name in finding.full.subtracting(before.full).sorted() {
            logger.warning("queue is full, messages for it are refused or go another way", metadata: ["connector": "\(name)"])
        }
        for name in before.full.subtracting(finding.full).sorted() {
            logger.notice("queue has room again", metadata: ["connector": "\(name)"])
        }
        guard before.isTotalFull != finding.isTotalFull else { return }
        logger.warning("\(finding.isTotalFull ? "MAXTOTALQUEUESIZE is reached, all messages are refused" : "messages are taken again")")
    }
}

extension QueueWatch.Finding {
    /// - Parameter lengths: of the queues' lanes, and of what is on its way.
    init(_ limits: QueueWatch.Limits, _ lengths: [GroupTopic: Int64]) {
        full = Set(limits.queues.filter { queue in queue.limit.map { Self.length(queue, lengths) >= $0 } ?? false }.map(\.name))
        isTotalFull = limits.total.map { lengths.values.reduce(0, +) >= $0 } ?? false
    }

    /// The queues whose offsets reach a limit: whether their messages do is to be counted.
    static func worthCounting(_ limits: QueueWatch.Limits, _ offsets: [GroupTopic: Int64]) -> Set<GroupTopic> {
        let rough = Self(limits, offsets)
        guard !rough.isTotalFull else { return Set(offsets.keys) }
        return Set(limits.queues.filter { rough.full.contains($0.name) }.flatMap(\.lanes))
    }

    private static func length(_ queue: QueueWatch.Limits.Queue, _ lengths: [GroupTopic: Int64]) -> Int64 {
        queue.lanes.reduce(0) { $0 + (lengths[$1] ?? 0) }
    }
}
