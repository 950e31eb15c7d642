import Database
import ServiceKit

/// The `session` table: who is bound where, for `signalbox status` and the portal. Nothing is decided by it on this instance.
enum SessionRows {
    static func opened(_ id: String, _ connector: IncomingConnector, account: String, bind: String, remote: String) {
        let (database, name, instance) = (connector.database, connector.name, connector.environment.instance)
        // One per bind, not per message; what cannot be written now is only missing from a list.
        Task {
            try? await database.run {
                _ = try $0.execute(
                    """
                    INSERT INTO session (sessionid, connector, username, instance, bind, remote) VALUES ($1, $2, $3, $4, $5, $6)
                    ON CONFLICT DO NOTHING
                    """, [.text(id), .text(name), .text(account), .text(instance), .text(bind), .text(remote)])
            }
        }
    }

    static func closed(_ id: String, _ connector: IncomingConnector) {
        let database = connector.database
        Task { try? await database.run { _ = try $0.execute("DELETE FROM session WHERE sessionid = $1", [.text(id)]) } }
    }

    /// At the start: the sessions of this instance's predecessor are gone.
    static func clear(_ database: Database, instance: String) async throws {
        try await database.run { _ = try $0.execute("DELETE FROM session WHERE instance = $1", [.text(instance)]) }
    }
}
