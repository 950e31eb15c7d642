import Bus
import Configuration
package import Database
import Dispatch
import Logging
package import ServiceKit
import ServiceLifecycle
import Store
import Synchronization

/// Looks once a second how long the queues are, as far as a limit is configured for them, so that the ingress can refuse what would
/// make a full one longer.
package final class QueueMonitor: Service {
    /// What limits there are, and what leads to the limited queues.
    package struct Limits: Sendable, Equatable {
        struct Queue: Sendable, Equatable {
            var name: String
            var group: String
            /// MAXQUEUESIZE; nil = none of its own.
            var limit: Int64?
        }

        /// MAXTOTALQUEUESIZE.
        var total: Int64?
        var queues: [Queue] = []
        var ways: [QueueRoom.Way] = []

        var isEmpty: Bool { total == nil && queues.allSatisfy { $0.limit == nil } }
    }

    private let environment: ServiceEnvironment
    private let limits: @Sendable () -> Limits
    private let current = Mutex(QueueRoom())
    private let stopping = Atomic<Bool>(false)
    private let stopped = DispatchSemaphore(value: 0)

    package init(_ environment: ServiceEnvironment, limits: @escaping @Sendable () -> Limits) {
        self.environment = environment
        self.limits = limits
    }

    /// Taken once per read cycle.
    package var room: QueueRoom { current.withLock { $0 } }

    package func run() async throws {
        let thread = ThreadService(
            name: "queue lengths",
            stop: { [self] in
                stopping.store(true, ordering: .releasing)
                stopped.signal()
            }, body: { [self] in watch() })
        try await thread.run()
    }

    private func watch() {
        var admin: Admin?
        while !stopping.load(ordering: .acquiring) {
            let limits = limits()
            if limits.isEmpty {
                current.withLock { $0 = QueueRoom() }
            } else {
                do throws(BusError) {
                    let usable: Admin
                    if let admin { usable = admin } else { usable = try Admin(environment.bus) }
                    admin = usable
                    let room = try look(usable, limits)
                    let before = current.withLock { current in
                        defer { current = room }
                        return current
                    }
                    tell(before, room)
                } catch {
                    // What was known stays: a broker that is away takes no messages anyhow.
                    environment.logger.debug("queue lengths not known", metadata: ["error": "\(error)"])
                }
            }
            _ = stopped.wait(timeout: .now() + .seconds(1))
        }
    }

    private func look(_ admin: Admin, _ limits: Limits) throws(BusError) -> QueueRoom {
        var topics: [String: [GroupTopic]] = [:]
        var all: [GroupTopic] = []
        for queue in limits.queues {
            topics[queue.name] = [Topics.queue(queue.name), Topics.priorityQueue(queue.name)].map {
                GroupTopic(group: queue.group, topic: $0)
            }
            all += topics[queue.name] ?? []
        }
        if limits.total != nil {
            all += [Topics.accepted, Topics.due].map { GroupTopic(group: "router", topic: $0) }
            all.append(GroupTopic(group: "billing", topic: Topics.routed))
        }
        let lags = try admin.lags(of: all, counting: false)
        var room = QueueRoom(ways: limits.ways)
        for queue in limits.queues {
            let length = (topics[queue.name] ?? []).reduce(Int64(0)) { $0 + (lags[$1] ?? 0) }
            if let limit = queue.limit, length >= limit { room.full.insert(queue.name) }
        }
        if let total = limits.total { room.isTotalFull = lags.values.reduce(0, +) >= total }
        return room
    }

    private func tell(_ before: QueueRoom, _ now: QueueRoom) {
        for name in now.full.subtracting(before.full).sorted() {
            environment.logger.warning("queue is full, messages for it are refused", metadata: ["connector": "\(name)"])
        }
        for name in before.full.subtracting(now.full).sorted() {
            environment.logger.notice("queue has room again", metadata: ["connector": "\(name)"])
        }
        guard before.isTotalFull != now.isTotalFull else { return }
        environment.logger.warning(
            "\(now.isTotalFull ? "MAXTOTALQUEUESIZE is reached, all messages are refused" : "messages are taken again")")
    }
}

extension QueueMonitor.Limits {
    package static func load(_ connection: Connection) throws -> QueueMonitor.Limits {
        var limits = QueueMonitor.Limits()
        limits.total = try connection.query(
            "SELECT value FROM general_option WHERE key = 'MAXTOTALQUEUESIZE' ORDER BY ordinal DESC LIMIT 1"
        ).first?.optionalText(0).flatMap { Int64($0) }
        for connector in try ConnectorStore.load(connection).connectors where connector.direction == .outgoing {
            limits.queues.append(
                Queue(
                    name: connector.name, group: "egress-\(connector.protocolName.lowercased()).\(connector.name)",
                    limit: connector.maxQueueSize.map { Int64($0) }))
        }
        // Where messages of whom may go: routes, the account's own connector, the incoming connector's (EMG's ROUTE).
        let groups = try groupMembers(connection)
        for row in try connection.query(
            """
            SELECT DISTINCT account, in_connector, out_connector FROM route WHERE NOT disabled
            UNION SELECT username, NULL, route FROM emguser WHERE route <> ''
            UNION SELECT NULL, connector, value FROM connector_option WHERE key = 'ROUTE' AND value <> ''
            """)
        {
            let target = try row.text(2)
            for name in groups[target] ?? [target] {
                limits.ways.append(
                    QueueRoom.Way(account: try row.optionalText(0), inConnector: try row.optionalText(1), outConnector: name))
            }
        }
        return limits
    }

    /// Connectors of each CONNECTORGROUP (`name` or `name:weight`). A group within a group is no connector, and so never full.
    private static func groupMembers(_ connection: Connection) throws -> [String: [String]] {
        var groups: [String: [String]] = [:]
        for row in try connection.query(
            "SELECT name, value FROM config_section_option WHERE kind = 'CONNECTORGROUP' AND key = 'CONNECTOR' AND value <> ''")
        {
            groups[try row.text(0), default: []].append(String(try row.text(1).prefix { $0 != ":" }))
        }
        return groups
    }
}
