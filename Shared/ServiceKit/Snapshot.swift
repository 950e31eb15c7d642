public import Database
import Logging
public import ServiceLifecycle
import Synchronization

/// A value read from the database (routes, prices, connectors) that is read again when its tables change.
///
/// Readers take the current value with one short lock per batch. A change takes effect within a second: PostgreSQL notifies, and a
/// slow poll stands behind it for notifications that were missed while the connection was away.
public final class Snapshot<Value: Sendable>: Service {
    /// What it is read again for.
    public enum Source: Sendable {
        /// Connectors, routes, prices, sections, general options, and what services keep of accounts.
        case configuration
        /// Prices alone.
        case prices

        fileprivate func version(_ connection: Connection) throws -> Int64 {
            let row = try connection.query("SELECT version, prices FROM configuration_version").first
            switch self {
            case .configuration: return try row?.int(0) ?? 0
            case .prices: return try row?.int(1) ?? 0
            }
        }
    }

    private let source: Source
    private let current: Mutex<Value>
    private let firstVersion: Int64
    private let database: Database
    private let interval: Duration
    private let name: String
    private let logger: Logger
    private let load: @Sendable (Connection) throws -> Value
    private let onChange: @Sendable (Value) -> Void

    /// Reads the first value; a service cannot start without it.
    /// - Parameters:
    ///   - source: prices are read on a connection and a thread of their own: there may be very many of them.
    ///   - load: makes the value, on the connection's thread; readers go on with the old one meanwhile.
    public init(
        _ name: String, _ context: ServiceContext, of source: Source = .configuration, interval: Duration = .milliseconds(500),
        load: @escaping @Sendable (Connection) throws -> Value, onChange: @escaping @Sendable (Value) -> Void = { _ in }
    ) async throws {
        self.name = name
        self.source = source
        switch source {
        case .configuration: database = context.database
        case .prices:
            database = Database(
                url: context.environment.databaseURL, applicationName: "\(context.environment.instance)/\(name)",
                statementTimeoutMilliseconds: 120_000)
        }
        self.interval = interval
        self.logger = context.environment.logger
        self.load = load
        self.onChange = onChange
        let (loaded, first) = try await database.run { connection in
            // Before the value: a change in between is read again.
            let version = try source.version(connection)
            return (version, try load(connection))
        }
        firstVersion = loaded
        current = Mutex(first)
    }

    public var value: Value { current.withLock { $0 } }

    public func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            // What others are told of it, they are told once at the start too; nobody is told anything of prices.
            var seen: Int64 = source == .prices ? firstVersion : -1
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                do {
                    // One cheap read tells whether anything was configured since; the tables are read only then.
                    let source = source
                    let version = try await database.run { try source.version($0) }
                    guard version != seen else { continue }
                    let value = try await database.run(load)
                    current.withLock { $0 = value }
                    seen = version
                    onChange(value)
                } catch is CancellationError {
                    return
                } catch {
                    logger.warning("configuration not refreshed", metadata: ["what": "\(name)", "error": "\(error)"])
                }
            }
        }
    }
}
