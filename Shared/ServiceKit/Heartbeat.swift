import Database
import Foundation
import Logging
import ServiceLifecycle
import Store

/// Writes this instance's row of `service_instance` every second, for `signalbox status` and for the portal; and takes up LOGLEVEL.
struct Heartbeat: Service {
    let environment: ServiceEnvironment
    let health: Health

    private static let sql = """
        INSERT INTO service_instance (service, instance, pid, started, beat, state, detail, endpoint)
        VALUES ($1, $2, $3, now(), now(), $4, $5, $6)
        ON CONFLICT (service, instance) DO UPDATE SET
            pid = EXCLUDED.pid, beat = now(), state = EXCLUDED.state, detail = EXCLUDED.detail, endpoint = EXCLUDED.endpoint,
            started = CASE WHEN service_instance.pid = EXCLUDED.pid THEN service_instance.started ELSE now() END
        """

    func run() async throws {
        // A connection of its own: a slow login must not make the instance look dead.
        let database = Database(url: environment.databaseURL, applicationName: "\(environment.instance)/heartbeat")
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let (state, detail) = health.summary
                try? await beat(database, state: state, detail: detail)
                try? await Task.sleep(for: .seconds(1))
            }
        }
        try? await beat(database, state: "stopped", detail: "")
    }

    private func beat(_ database: Database, state: String, detail: String) async throws {
        let environment = environment
        let level = try await database.run { connection in
            _ = try connection.execute(
                Heartbeat.sql,
                [
                    .text(environment.service), .text(environment.instance), .int(Int64(ProcessInfo.processInfo.processIdentifier)),
                    .text(state), .text(String(detail.prefix(500))), .text(environment.httpPort.map { "http port \($0)" } ?? ""),
                ])
            return try ConnectorStore.serviceLogLevel(connection)
        }
        ServiceLogLevel.follow(level)
    }
}
