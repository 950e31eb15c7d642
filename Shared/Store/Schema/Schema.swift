public import Database

/// The database's schema: all migrations in order.
public enum Schema {
    public static let migrations: [Migration] = [
        .firstSchema, .stages, .sessions, .connectors, .routing, .money, .parts, .messageLog, .queueOrders, .accountFiles, .http,
        .accountMessages, .lookups, .leanLog,
    ]

    public static let migrator = Migrator(migrations)

    /// Channel of the NOTIFY that follows each change of connectors, routes, prices, access rows and general
    /// options; its payload is the table's name.
    public static let configurationChannel = "signalbox_config"

    /// How many days of log partitions exist ahead of today.
    public static let daysAhead = 7

    /// Brings the database up to date and makes the partitions of the next days.
    /// - Returns: the migrations that were applied now.
    @discardableResult
    public static func migrate(_ connection: Connection) throws -> [Migration] {
        let applied = try migrator.migrate(connection)
        try ensurePartitions(connection)
        return applied
    }

    /// Makes the partitions of `routelog`, `messageoptions` and `messagebody` from yesterday (UTC) on, where
    /// they are missing. Several may do so at once.
    /// - Returns: the number of partitions made.
    @discardableResult
    public static func ensurePartitions(_ connection: Connection, daysAhead: Int = daysAhead) throws -> Int {
        let rows = try connection.query(
            "SELECT signalbox_ensure_partitions((now() AT TIME ZONE 'UTC')::date - 1, $1::int)", [.int(daysAhead + 2)])
        return Int(try rows[0].int(0))
    }
}
