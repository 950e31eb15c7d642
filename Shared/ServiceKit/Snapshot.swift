public import Database
import Logging
public import ServiceLifecycle
import Synchronization

/// A value read from the database (routes, prices, connectors) that is read again when its tables change.
///
/// Readers take the current value with one short lock per batch. A change takes effect within a second: PostgreSQL notifies, and a
/// slow poll stands behind it for notifications that were missed while the connection was away.
public final class Snapshot<Value: Sendable>: Service {
    private let current: Mutex<Value>
    private let database: Database
    private let interval: Duration
    private let name: String
    private let logger: Logger
    private let load: @Sendable (Connection) throws -> Value
    private let onChange: @Sendable (Value) -> Void

    /// Reads the first value; a service cannot start without it.
    public init(
        _ name: String, _ context: ServiceContext, interval: Duration = .milliseconds(500),
        load: @escaping @Sendable (Connection) throws -> Value, onChange: @escaping @Sendable (Value) -> Void = { _ in }
    ) async throws {
        self.name = name
        self.database = context.database
        self.interval = interval
        self.logger = context.environment.logger
        self.load = load
        self.onChange = onChange
        current = Mutex(try await context.database.run(load))
    }

    public var value: Value { current.withLock { $0 } }

    public func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            var seen: Int64 = -1
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                do {
                    // One cheap read tells whether anything was configured since; the tables are read only then.
                    let version = try await database.run { try configurationVersion($0) }
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

/// Rises with every change of connectors, routes, prices and general options (kept by triggers).
func configurationVersion(_ connection: Connection) throws -> Int64 {
    try connection.query("SELECT version FROM configuration_version").first?.int(0) ?? 0
}
