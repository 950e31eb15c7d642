import Bus
import Database
import Foundation
import Logging
import ServiceKit

/// Questions to the stores that `up` and `status` share.
enum Stores {
    /// A service's heartbeat older than this is none: it beats every second.
    static let freshSeconds = 5

    /// What keeps the broker from answering; nil when it answers.
    static func brokerTrouble(_ kafka: String, timeoutMilliseconds: Int32) async -> String? {
        // Asked first, because librdkafka retries where a refused connection says it all.
        if let port = kafka.hasPrefix("127.0.0.1:") ? Int(kafka.dropFirst("127.0.0.1:".count)) : nil, !TCP.answers(port: port) {
            return "nobody listens on port \(port)"
        }
        do {
            return try await onThread {
                _ = try Admin(configuration(kafka)).topics(timeoutMilliseconds: timeoutMilliseconds)
                return nil
            }
        } catch {
            return "\(error)"
        }
    }

    /// What waits for later.
    static let delayed = DelayTier.allCases.map { GroupTopic(group: "delay", topic: $0.topic) }

    /// How many records wait in `queues` and for later; nil when the broker does not say.
    static func lags(of queues: [GroupTopic], _ kafka: String) async -> [GroupTopic: Int64]? {
        try? await onThread { try Admin(configuration(kafka)).lags(of: queues + delayed) }
    }

    private static func configuration(_ kafka: String) throws -> BusConfiguration {
        let properties = ProcessInfo.processInfo.environment["SIGNALBOX_KAFKA_PROPERTIES"] ?? ""
        return BusConfiguration(
            bootstrap: kafka, clientID: "signalbox-status", properties: try BusConfiguration.parseProperties(properties),
            logger: makeLogger("kafka", level: .critical))
    }

    /// The services that did not report themselves healthy after `since` (the database's clock), with what they say.
    static func missingServices(_ services: [String], _ connection: Connection, since: String) throws -> [String] {
        let rows = try connection.query(
            """
            SELECT wanted.name, row.state, row.detail FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
            LEFT JOIN service_instance row
                ON row.service = wanted.name AND row.beat > $2::timestamptz AND row.beat > now() - make_interval(secs => $3::int)
            WHERE row.state IS DISTINCT FROM 'healthy' ORDER BY wanted.place
            """, [.textArray(services), .text(since), .int(freshSeconds)])
        return try rows.map { row in
            let detail = try row.optionalText("detail") ?? ""
            let state = try row.optionalText("state") ?? "no word yet"
            return try "\(row.text("name")) (\(state)\(detail.isEmpty ? "" : ": \(detail)"))"
        }
    }
}

extension Connection {
    /// The server's time, in its own words.
    func databaseClock() throws -> String { try query("SELECT clock_timestamp()::text AS now")[0].text("now") }
}

/// Runs what blocks on a thread that may.
func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(with: Result(catching: body)) }
    }
}

/// Whether somebody listens on a port of this machine.
enum TCP {
    static func answers(port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0, let number = UInt16(exactly: port) else { return false }
        defer { close(descriptor) }
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = in_port_t(number.bigEndian)
        inet_pton(AF_INET, "127.0.0.1", &place.sin_addr)
        return withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
