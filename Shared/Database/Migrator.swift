/// A numbered step of the schema. Once released it is never edited; what follows is a new one.
public struct Migration: Sendable {
    public let version: Int
    public let name: String
    /// Commands separated by semicolons, run in one transaction.
    public let sql: String

    public init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }
}

/// Brings a database to the newest schema.
public struct Migrator: Sendable {
    private let migrations: [Migration]
    /// Any number will do, as long as it stays: two that migrate at once wait for each other by it.
    private static let lock: Int64 = 0x5349_474E

    public init(_ migrations: [Migration]) {
        self.migrations = migrations.sorted { $0.version < $1.version }
    }

    /// Applies what is missing, in order, each in its own transaction together with its record.
    /// - Returns: what was applied now; empty when all was there already.
    /// - Throws: `DatabaseError`; what was applied before the fault stays.
    public func migrate(_ connection: Connection) throws -> [Migration] {
        try connection.query("SELECT pg_advisory_lock($1)", [.int(Self.lock)])
        defer { _ = try? connection.query("SELECT pg_advisory_unlock($1)", [.int(Self.lock)]) }
        try connection.script(
            """
            CREATE TABLE IF NOT EXISTS schema_migration (
                version integer PRIMARY KEY, name text NOT NULL, applied timestamptz NOT NULL DEFAULT now())
            """)
        let missing = try pending(connection)
        for migration in missing {
            try connection.transaction {
                try connection.script(migration.sql)
                try connection.execute(
                    "INSERT INTO schema_migration (version, name) VALUES ($1, $2)",
                    [.int(migration.version), .text(migration.name)])
            }
        }
        return missing
    }

    /// What `migrate` would apply.
    public func pending(_ connection: Connection) throws -> [Migration] {
        let exists = try connection.query("SELECT to_regclass('schema_migration') IS NOT NULL")[0].bool(0)
        guard exists else { return migrations }
        var applied: Set<Int64> = []
        for row in try connection.query("SELECT version FROM schema_migration") { applied.insert(try row.int("version")) }
        return migrations.filter { !applied.contains(Int64($0.version)) }
    }
}
