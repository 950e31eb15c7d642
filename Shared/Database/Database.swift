/// A connection with its own thread, for services: work is handed in as a closure and runs there, one at a time.
///
/// The connection is opened at the first use and again after it was lost. Work that was under way when it was
/// lost is not repeated here, since only the caller knows whether it may be: it gets the error, whose
/// `isRetriable` is true.
///
/// It lives as long as its service, so its statements are planned by index (`StatementPlans`).
public actor Database {
    private nonisolated let executor: ThreadExecutor
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let url: String
    private let applicationName: String
    private let statementTimeoutMilliseconds: Int
    private var connection: Connection?

    /// - Parameter statementTimeoutMilliseconds: after which the server gives a statement up; 0 = never.
    public init(url: String, applicationName: String, statementTimeoutMilliseconds: Int = 30_000) {
        self.url = url
        self.applicationName = applicationName
        self.statementTimeoutMilliseconds = statementTimeoutMilliseconds
        executor = ThreadExecutor(name: "db \(applicationName)")
    }

    deinit {
        executor.stop()
    }

    /// Runs `body` with the connection, on this database's thread.
    ///
    /// A connection that is found broken before `body` begins is replaced once. A transaction that `body`
    /// leaves open is rolled back and reported as an error.
    public func run<T: Sendable>(_ body: @Sendable (Connection) throws -> T) async throws -> T {
        let connection = try open()
        do {
            let value = try body(connection)
            guard !connection.rollbackIfOpen() else {
                throw DatabaseError(kind: .usage, message: "a transaction was left open and has been rolled back")
            }
            return value
        } catch {
            if (error as? DatabaseError)?.isConnectionLost == true {
                self.connection = nil
            } else {
                _ = connection.rollbackIfOpen()
            }
            throw error
        }
    }

    /// Closes the connection; the next `run` opens a new one.
    public func close() {
        connection = nil
    }

    private func open() throws -> Connection {
        if let connection, connection.isAlive { return connection }
        connection = nil
        let fresh = try Connection(
            url: url, applicationName: applicationName, statementTimeoutMilliseconds: statementTimeoutMilliseconds,
            silenceMilliseconds: statementTimeoutMilliseconds == 0 ? 0 : statementTimeoutMilliseconds + 5_000, plans: .byIndex)
        connection = fresh
        return fresh
    }
}
