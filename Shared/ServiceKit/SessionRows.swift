import Database

/// The `session` table: who is bound where, for `signalbox status` and the portal. Nothing is decided by it on its own instance.
///
/// One row per bind, not per message; what cannot be written now is only missing from a list.
public struct SessionRows: Sendable {
    private let database: Database
    private let instance: String

    public init(_ context: ServiceContext) {
        database = context.database
        instance = context.environment.instance
    }

    /// - Parameters:
    ///   - account: who bound to us, or as whom we bound.
    ///   - remote: the peer's address.
    /// - Returns: the row's id, for `closed`.
    public func opened(connector: String, account: String, bind: String, remote: String, number: Int) -> String {
        let (database, instance) = (database, instance)
        let id = "\(instance)/\(connector)/\(number)/\(wallClockMilliseconds())"
        Task {
            try? await database.run {
                _ = try $0.execute(
                    """
                    INSERT INTO session (sessionid, connector, username, instance, bind, remote) VALUES ($1, $2, $3, $4, $5, $6)
                    ON CONFLICT DO NOTHING
                    """, [.text(id), .text(connector), .text(account), .text(instance), .text(bind), .text(remote)])
            }
        }
        return id
    }

    public func closed(_ id: String) {
        let database = database
        Task { try? await database.run { _ = try $0.execute("DELETE FROM session WHERE sessionid = $1", [.text(id)]) } }
    }

    /// At the start: the sessions of this instance's predecessor are gone.
    public func clear() async throws {
        let instance = instance
        try await database.run { _ = try $0.execute("DELETE FROM session WHERE instance = $1", [.text(instance)]) }
    }
}
