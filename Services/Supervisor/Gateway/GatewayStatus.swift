import Bus
import Database
import Foundation
import Logging
import ServiceKit

/// What an operator wants to know about a running gateway.
public struct GatewayStatus: Encodable, Sendable {
    /// One instance of a service, by its own word.
    public struct Instance: Encodable, Sendable {
        public var service: String
        public var instance: String
        /// `healthy`, `starting`, `failing`, `stopped`; `silent` when it has not been heard of for seconds, `missing` when never.
        public var state: String
        public var pid: Int?
        public var uptimeSeconds: Int?
        public var detail: String

        enum CodingKeys: String, CodingKey {
            case service, instance, state, pid, detail
            case uptimeSeconds = "uptime_seconds"
        }
    }

    /// What the services need: `answers`, or the trouble.
    public struct Dependency: Encodable, Sendable {
        public var name: String
        public var state: String
        public var detail: String
    }

    public struct Connector: Encodable, Sendable {
        public var name: String
        public var type: String
        public var protocolName: String
        /// Sessions bound now.
        public var sessions: Int
        /// Messages that wait for it, or are on their way through it; nil where the broker does not say.
        public var queued: Int?

        enum CodingKeys: String, CodingKey {
            case name, type, sessions, queued
            case protocolName = "protocol"
        }

        /// Its two lanes, as the service that owns it reads them.
        var lanes: [GroupTopic] {
            let group = "\(type == "OUTGOING" ? "egress" : "ingress")-\(protocolName.lowercased()).\(name)"
            return [Topics.queue(name), Topics.priorityQueue(name)].map { GroupTopic(group: group, topic: $0) }
        }
    }

    public var healthy: Bool
    public var services: [Instance]
    public var dependencies: [Dependency]
    public var connectors: [Connector]
    /// Reports that wait for a client to bind.
    public var parkedDeliveries: Int?
    /// Reports and messages that no endpoint took in time.
    public var parkedWebhooks: Int?
    /// Messages that went out and whose report has not come yet.
    public var openReports: Int?
    /// Scheduled messages and retries that wait; nil where the broker does not say.
    public var delayed: Int?

    enum CodingKeys: String, CodingKey {
        case healthy, services, dependencies, connectors, delayed
        case parkedDeliveries = "parked_deliveries"
        case parkedWebhooks = "parked_webhooks"
        case openReports = "open_reports"
    }

    /// Asks the stores.
    /// - Parameter expected: the services that must be healthy.
    public static func read(databaseURL: String, kafka: String, smscPort: Int? = nil, expected: [String] = GatewayServices.all) async
        -> GatewayStatus
    {
        var status = GatewayStatus(healthy: false, services: [], dependencies: [], connectors: [])
        do {
            status = try await onThread {
                let connection = try Connection(url: databaseURL, applicationName: "signalbox status", statementTimeoutMilliseconds: 5_000)
                return try fromDatabase(connection, expected: expected)
            }
            status.dependencies.append(Dependency(name: "postgresql", state: "answers", detail: ConnectionURL.printable(databaseURL)))
        } catch {
            status.dependencies.append(Dependency(name: "postgresql", state: "failing", detail: "\(error)"))
            status.services = expected.map { Instance(service: $0, instance: "", state: "unknown", detail: "the database does not answer") }
        }
        let trouble = await Stores.brokerTrouble(kafka, timeoutMilliseconds: 3_000)
        status.dependencies.append(Dependency(name: "broker", state: trouble == nil ? "answers" : "failing", detail: trouble ?? kafka))
        if trouble == nil, let lags = await Stores.lags(of: status.connectors.flatMap(\.lanes), kafka) {
            for index in status.connectors.indices {
                status.connectors[index].queued = Int(status.connectors[index].lanes.reduce(0) { $0 + (lags[$1] ?? 0) })
            }
            status.delayed = Int(Stores.delayed.reduce(0) { $0 + (lags[$1] ?? 0) })
        }
        if let smscPort {
            let answers = TCP.answers(port: smscPort)
            status.dependencies.append(
                Dependency(
                    name: "smsc", state: answers ? "answers" : "failing", detail: "\(answers ? "" : "nobody listens on ")port \(smscPort)"))
        }
        status.healthy = status.dependencies.allSatisfy { $0.state == "answers" } && status.services.allSatisfy { $0.state == "healthy" }
        return status
    }

    private static func fromDatabase(_ connection: Connection, expected always: [String]) throws -> GatewayStatus {
        let expected = always + (try GatewayServices.needed(connection)).filter { !always.contains($0) }
        // An instance that said good-bye, or has been silent for an hour, is history unless its service is expected and has no other.
        let rows = try connection.query(
            """
            SELECT service, instance, pid, coalesce(state, '') AS state, coalesce(detail, '') AS detail,
                extract(epoch FROM now() - started)::bigint AS uptime,
                extract(epoch FROM now() - beat)::bigint AS silence
            FROM service_instance
            WHERE beat > now() - interval '1 hour' ORDER BY service, instance
            """)
        var instances = try rows.map { row in
            let silence = try row.int("silence")
            let isSilent = silence >= Int64(Stores.freshSeconds)
            let (state, detail) = (try row.text("state"), try row.text("detail"))
            let isStopped = state == "stopped"
            return Instance(
                service: try row.text("service"), instance: try row.text("instance"), state: isSilent && !isStopped ? "silent" : state,
                pid: isSilent ? nil : try row.optionalInt("pid").map { Int($0) },
                uptimeSeconds: isSilent || isStopped ? nil : Int(try row.int("uptime")),
                detail: isSilent ? "last heard of \(silence) s ago" + (detail.isEmpty ? "" : " (\(detail))") : detail)
        }
        let running = Set(instances.filter { $0.state != "stopped" }.map(\.service))
        instances.removeAll { $0.state == "stopped" && (!expected.contains($0.service) || running.contains($0.service)) }
        for service in expected where !instances.contains(where: { $0.service == service }) {
            instances.append(Instance(service: service, instance: "", state: "missing", detail: "has never reported itself"))
        }
        let order = Dictionary(uniqueKeysWithValues: expected.enumerated().map { ($1, $0) })
        instances.sort { (order[$0.service] ?? .max, $0.service, $0.instance) < (order[$1.service] ?? .max, $1.service, $1.instance) }

        let connectors = try connection.query(
            """
            SELECT name, type, protocol,
                (SELECT count(*) FROM live_session s WHERE s.connector = c.name) AS sessions
            FROM connector c WHERE NOT disabled ORDER BY position, name
            """
        ).map { row in
            Connector(
                name: try row.text("name"), type: try row.text("type"), protocolName: try row.text("protocol"),
                sessions: Int(try row.int("sessions")))
        }
        let counts = try connection.query(
            """
            SELECT (SELECT count(*) FROM parked_delivery) AS parked, (SELECT count(*) FROM parked_webhook) AS webhooks,
                (SELECT count(*) FROM (SELECT 1 FROM open_dlr WHERE closed_at IS NULL LIMIT 1000000) AS open) AS open
            """)[0]
        return GatewayStatus(
            healthy: false, services: instances, dependencies: [], connectors: connectors,
            parkedDeliveries: Int(try counts.int("parked")), parkedWebhooks: Int(try counts.int("webhooks")),
            openReports: Int(try counts.int("open")))
    }

    // MARK: For people

    /// A table, and whether all is well.
    public var table: String {
        var rows = [["SERVICE", "INSTANCE", "STATE", "UPTIME", "DETAIL"]]
        for instance in services {
            rows.append([
                instance.service, instance.instance, instance.state, instance.uptimeSeconds.map(GatewayStatus.readable(seconds:)) ?? "",
                instance.detail,
            ])
        }
        for dependency in dependencies { rows.append([dependency.name, "", dependency.state, "", dependency.detail]) }
        var text = GatewayStatus.columns(rows)
        if !connectors.isEmpty {
            text +=
                "\n"
                + GatewayStatus.columns(
                    [["CONNECTOR", "TYPE", "PROTOCOL", "SESSIONS", "QUEUED"]]
                        + connectors.map {
                            [$0.name, $0.type, $0.protocolName, "\($0.sessions)", $0.queued.map { "\($0)" } ?? "-"]
                        })
        }
        if let openReports, let parkedDeliveries {
            text += "\nOpen reports: \(openReports). Reports waiting for a client to bind: \(parkedDeliveries)."
            if let parkedWebhooks, parkedWebhooks > 0 { text += " Parked webhooks: \(parkedWebhooks)." }
            text += delayed.map { " Scheduled messages and retries: \($0).\n" } ?? "\n"
        }
        return text + (healthy ? "Everything is healthy.\n" : "NOT everything is healthy.\n")
    }

    static func columns(_ rows: [[String]]) -> String {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            let line = row.enumerated().map { column, text in text + String(repeating: " ", count: widths[column] - text.count) }
            return line.joined(separator: "  ").trimmingSuffix(while: { $0 == " " }) + "\n"
        }.joined()
    }

    static func readable(seconds: Int) -> String {
        switch seconds {
        case ..<60: "\(seconds) s"
        case ..<3_600: "\(seconds / 60) min \(seconds % 60) s"
        case ..<86_400: "\(seconds / 3_600) h \(seconds % 3_600 / 60) min"
        default: "\(seconds / 86_400) d \(seconds % 86_400 / 3_600) h"
        }
    }
}

extension String {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> String {
        var end = endIndex
        while end > startIndex, predicate(self[index(before: end)]) { end = index(before: end) }
        return String(self[..<end])
    }
}
