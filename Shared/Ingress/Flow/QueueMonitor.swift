import Configuration
package import Database
import Logging
package import ServiceKit
import ServiceLifecycle
import Store

/// Which queues are full and who would fill them further, so that the ingress can refuse what would make a full one longer.
package final class QueueMonitor: Service {
    /// What limits there are, and what leads to the limited queues.
    package struct Limits: Sendable, Equatable {
        package var watched = QueueWatch.Limits()
        package var ways: [QueueRoom.Way] = []
    }

    private let limits: @Sendable () -> Limits
    private let watch: QueueWatch

    package init(_ environment: ServiceEnvironment, limits: @escaping @Sendable () -> Limits) {
        self.limits = limits
        watch = QueueWatch(environment, limits: { limits().watched })
    }

    /// Taken once per read cycle.
    package var room: QueueRoom {
        let finding = watch.finding
        // Nothing is asked of the ways while there is room everywhere.
        guard finding.isTotalFull || !finding.full.isEmpty else { return QueueRoom() }
        return QueueRoom(isTotalFull: finding.isTotalFull, full: finding.full, ways: limits().ways)
    }

    package func run() async throws { try await watch.run() }
}

extension QueueMonitor.Limits {
    package static func load(_ connection: Connection) throws -> QueueMonitor.Limits {
        var limits = QueueMonitor.Limits()
        limits.watched.total = try connection.query(
            "SELECT value FROM general_option WHERE key = 'MAXTOTALQUEUESIZE' ORDER BY ordinal DESC LIMIT 1"
        ).first?.optionalText(0).flatMap { Int64($0) }
        for connector in try ConnectorStore.load(connection).connectors where connector.direction == .outgoing {
            limits.watched.queues.append(
                QueueWatch.Limits.Queue(
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
