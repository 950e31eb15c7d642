import CLibPQ

/// One connection to PostgreSQL through libpq: blocking, for one thread at a time, and therefore not Sendable.
///
/// Services use it inside `Database.run`, which gives it a thread of its own; commands and tests may use it
/// directly. Every statement is prepared once under its SQL text and found again, so SQL must be constant text
/// with its data in parameters. Statements that hold several commands go to `script`.
public final class Connection {
    let handle: OpaquePointer
    private var statements = StatementCache()
    private var inTransaction = false
    /// Our place in the `SilenceWatch`, and how long the server may be silent in one call.
    private let watch: (mark: Int, limit: Duration)?
    private var watchedCalls = 0

    /// Connects.
    /// - Parameters:
    ///   - url: `postgresql://user:password@host:port/database`, or libpq's keyword form. It is never printed.
    ///   - applicationName: shown in `pg_stat_activity`.
    ///   - statementTimeoutMilliseconds: after which the server gives a statement up; 0 = never.
    ///   - silenceMilliseconds: after which a call that the server has not answered ends with an error of kind `.connection`; 0 = never.
    ///     What is not to fail, however slow the disk, gets much more than it should ever need. After half of it the server ends a
    ///     transaction of ours that it hears no more of: otherwise, where neither side learns that the way between them is gone, it would
    ///     keep its locks, and our next connection would wait for them in vain.
    ///   - plans: `.byIndex` for a connection that lives long.
    /// - Throws: `DatabaseError` of kind `.connection`, or `.usage` for a URL that cannot be read.
    public convenience init(
        url: String, applicationName: String, statementTimeoutMilliseconds: Int = 0, silenceMilliseconds: Int = 0,
        plans: StatementPlans = .byCost
    ) throws(DatabaseError) {
        try self.init(
            url: url, applicationName: applicationName, statementTimeoutMilliseconds: statementTimeoutMilliseconds,
            silenceMilliseconds: silenceMilliseconds, plans: plans, isProbed: true)
    }

    /// - Parameter isProbed: whether the server may be asked about calls of ours; not those that ask.
    init(
        url: String, applicationName: String, statementTimeoutMilliseconds: Int, silenceMilliseconds: Int, plans: StatementPlans = .byCost,
        isProbed: Bool
    ) throws(DatabaseError) {
        let secrets = try ConnectionURL.secrets(of: url)
        // Keepalives and the user timeout bound how long a silently vanished server can hold us (34.1.2).
        let options: [(String, String)] = [
            ("dbname", url), ("application_name", applicationName), ("client_encoding", "UTF8"), ("connect_timeout", "5"),
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"), ("tcp_user_timeout", "30000"),
        ]
        let opened = withCStrings(options.map(\.0)) { keywords in
            withCStrings(options.map(\.1)) { values in PQconnectdbParams(keywords, values, 1) }
        }
        guard let opened else { throw DatabaseError(kind: .connection, message: "out of memory") }
        guard PQstatus(opened) == CONNECTION_OK else {
            let message = ConnectionURL.redact(String(cString: PQerrorMessage(opened)).firstLine, secrets)
            PQfinish(opened)
            throw DatabaseError(kind: .connection, message: message)
        }
        handle = opened
        let server = [PQhost(opened), PQport(opened), PQdb(opened)].map { $0.map { String(cString: $0) } ?? "" }.joined(separator: "/")
        watch =
            silenceMilliseconds > 0
            ? SilenceWatch.shared.add(socket: PQsocket(opened), server: server).map { ($0, .milliseconds(silenceMilliseconds)) } : nil
        // Left alone, libpq prints the server's notices on our standard error.
        PQsetNoticeProcessor(opened, { _, _ in }, nil)
        try script(
            """
            SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET bytea_output = 'hex'; SET standard_conforming_strings = on;
            SET client_min_messages = warning; SET statement_timeout = \(max(0, statementTimeoutMilliseconds));
            SET idle_in_transaction_session_timeout = \(max(0, silenceMilliseconds / 2));
            \(plans.settings)
            """)
        if let watch, isProbed { try identify(watch.mark, url) }
    }

    /// Tells the watch who serves us. Behind a pooler that may change with each call: then nobody is asked.
    private func identify(_ mark: Int, _ url: String) throws(DatabaseError) {
        let own = try query("SELECT pid::bigint, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        guard let row = own.first else { return }
        let backend = Backend(pid: try row.int(0), started: try row.text(1))
        guard backend.pid == Int64(PQbackendPID(handle)) else { return }
        SilenceWatch.shared.identify(mark, backend: backend, url: url)
    }

    deinit {
        PQfinish(handle)
        if let watch { SilenceWatch.shared.remove(watch.mark) }
    }

    /// Around everything that waits for the server; calls may nest, and the outermost counts anew with each one in it.
    private func watched<Result, Failure>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        guard let watch else { return try body() }
        watchedCalls += 1
        SilenceWatch.shared.begin(watch.mark, limit: watch.limit)
        defer {
            watchedCalls -= 1
            if watchedCalls == 0 { SilenceWatch.shared.end(watch.mark) }
        }
        return try body()
    }

    /// Runs one statement.
    /// - Throws: `DatabaseError`; its `isRetriable` tells whether to begin again.
    @discardableResult
    public func query(_ sql: String, _ parameters: [SQLValue] = []) throws(DatabaseError) -> Rows {
        do {
            return try watched { () throws(DatabaseError) in try run(sql, parameters) }
        } catch  // A schema change outdated the plan, or a pooler lost it. Outside a transaction nothing is lost by a second try.
            where (error.sqlState == "0A000" || error.sqlState == "26000") && PQtransactionStatus(handle) == PQTRANS_IDLE
            && statements.name(of: sql) == nil
        {
            return try watched { () throws(DatabaseError) in try run(sql, parameters) }
        }
    }

    /// Runs one statement and returns the number of rows that it touched.
    @discardableResult
    public func execute(_ sql: String, _ parameters: [SQLValue] = []) throws(DatabaseError) -> Int {
        try query(sql, parameters).affected
    }

    /// Runs any number of commands, separated by semicolons, without parameters. Nothing is returned.
    public func script(_ sql: String) throws(DatabaseError) {
        try watched { () throws(DatabaseError) in
            try PQclear(checked(PQexec(handle, sql), sql, [PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY]))
        }
    }

    private func run(_ sql: String, _ parameters: [SQLValue]) throws(DatabaseError) -> Rows {
        let name = try prepare(sql)
        let result = ParameterBuffer(parameters).withArguments { count, values, lengths, formats in
            PQexecPrepared(handle, name, count, values, lengths, formats, 0)
        }
        do {
            return Rows(taking: try checked(result, sql, [PGRES_COMMAND_OK, PGRES_TUPLES_OK]))
        } catch {
            if error.sqlState == "0A000" || error.sqlState == "26000" { forget(sql) }
            throw error
        }
    }

    private func prepare(_ sql: String) throws(DatabaseError) -> String {
        if let name = statements.name(of: sql) { return name }
        let (name, evicted) = statements.newName()
        if let evicted { PQclear(PQexec(handle, "DEALLOCATE \(evicted)")) }
        try PQclear(checked(PQprepare(handle, name, sql, 0, nil), sql, [PGRES_COMMAND_OK]))
        statements.insert(sql, name)
        return name
    }

    private func forget(_ sql: String) {
        guard let name = statements.remove(sql), PQtransactionStatus(handle) == PQTRANS_IDLE else { return }
        PQclear(PQexec(handle, "DEALLOCATE \(name)"))
    }

    func checked(
        _ result: OpaquePointer?, _ sql: String, _ expected: [ExecStatusType]
    ) throws(DatabaseError) -> OpaquePointer {
        guard let result else { throw DatabaseError(connection: handle, sql: sql) }
        guard expected.contains(PQresultStatus(result)) else {
            let error = DatabaseError(result: result, connection: handle, sql: sql)
            PQclear(result)
            throw error
        }
        return result
    }

    // MARK: Transactions

    /// Runs `body` in a transaction: committed when it returns, rolled back when it throws. Transactions do not nest.
    public func transaction<T>(serializable: Bool = false, _ body: () throws -> T) throws -> T {
        guard !inTransaction else { throw DatabaseError(kind: .usage, message: "a transaction inside a transaction") }
        try script(serializable ? "BEGIN ISOLATION LEVEL SERIALIZABLE" : "BEGIN")
        inTransaction = true
        defer { inTransaction = false }
        let value: T
        do {
            value = try body()
        } catch {
            // A lost connection rolls back by itself; the first error is the one to report.
            try? script("ROLLBACK")
            throw error
        }
        // In a failed transaction the server answers COMMIT with ROLLBACK and calls it a success.
        guard PQtransactionStatus(handle) != PQTRANS_INERROR else {
            try? script("ROLLBACK")
            throw DatabaseError(kind: .usage, message: "a failed statement's error was swallowed inside a transaction")
        }
        try script("COMMIT")
        return value
    }

    /// Ends what `body` of `Database.run` left open. Answers whether there was something.
    func rollbackIfOpen() -> Bool {
        switch PQtransactionStatus(handle) {
        case PQTRANS_INTRANS, PQTRANS_INERROR:
            try? script("ROLLBACK")
            return true
        default: return false
        }
    }

    // MARK: Pipeline

    /// Sends all statements at once and then reads all answers: one round trip for the lot (34.5).
    ///
    /// They form one transaction of their own, unless one is open already: when one fails the rest is not run,
    /// all are undone and the first error is thrown.
    public func pipeline(_ batch: [(sql: String, parameters: [SQLValue])]) throws(DatabaseError) -> [Rows] {
        guard !batch.isEmpty else { return [] }
        return try watched { () throws(DatabaseError) in try sendPipeline(batch) }
    }

    private func sendPipeline(_ batch: [(sql: String, parameters: [SQLValue])]) throws(DatabaseError) -> [Rows] {
        var fresh: [String: String] = [:]
        var steps: [PipelineStep] = []
        // Room is made before the pipeline begins, since an eviction is a statement of its own.
        let unknown = Set(batch.lazy.map(\.sql)).filter { statements.name(of: $0) == nil }
        guard unknown.count < StatementCache.capacity else {
            throw DatabaseError(kind: .usage, message: "too many different statements in one pipeline")
        }
        for sql in unknown {
            let (name, evicted) = statements.newName(reserving: fresh.count)
            if let evicted { PQclear(PQexec(handle, "DEALLOCATE \(evicted)")) }
            fresh[sql] = name
        }
        guard PQenterPipelineMode(handle) == 1 else { throw DatabaseError(connection: handle) }
        defer { PQexitPipelineMode(handle) }

        var prepared: Set<String> = []
        for (sql, parameters) in batch {
            // An eviction above may have hit a statement of this very batch.
            var name = statements.name(of: sql) ?? fresh[sql]
            if name == nil {
                name = statements.newName(reserving: fresh.count).name
                fresh[sql] = name
            }
            guard let name else { continue }
            if fresh[sql] != nil, prepared.insert(sql).inserted {
                guard PQsendPrepare(handle, name, sql, 0, nil) == 1 else { throw DatabaseError(connection: handle, sql: sql) }
                steps.append(.prepare(sql: sql, name: name))
            }
            let sent = ParameterBuffer(parameters).withArguments { count, values, lengths, formats in
                PQsendQueryPrepared(handle, name, count, values, lengths, formats, 0)
            }
            guard sent == 1 else { throw DatabaseError(connection: handle, sql: sql) }
            steps.append(.query(sql: sql))
        }
        guard PQpipelineSync(handle) == 1 else { throw DatabaseError(connection: handle) }
        return try readPipeline(steps)
    }

    private enum PipelineStep {
        case prepare(sql: String, name: String)
        case query(sql: String)

        var sql: String {
            switch self {
            case .prepare(let sql, _), .query(let sql): sql
            }
        }
    }

    private func readPipeline(_ steps: [PipelineStep]) throws(DatabaseError) -> [Rows] {
        var answers: [Rows] = []
        var failure: DatabaseError?
        for step in steps {
            guard let result = PQgetResult(handle) else { throw failure ?? DatabaseError(connection: handle, sql: step.sql) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
                switch step {
                case .prepare(let sql, let name):
                    statements.insert(sql, name)
                    PQclear(result)
                case .query: answers.append(Rows(taking: result))
                }
            case PGRES_PIPELINE_ABORTED: PQclear(result)
            default:
                if failure == nil { failure = DatabaseError(result: result, connection: handle, sql: step.sql) }
                PQclear(result)
                if PQstatus(handle) == CONNECTION_BAD, let failure { throw failure }
            }
            // Each command's results end with a NULL (34.5.1.2).
            while let extra = PQgetResult(handle) {
                PQclear(extra)
                if PQstatus(handle) == CONNECTION_BAD { break }
            }
        }
        if let sync = PQgetResult(handle) { PQclear(sync) }
        if let failure {
            if failure.sqlState == "0A000" || failure.sqlState == "26000" { statements.removeAll() }
            throw failure
        }
        return answers
    }

    // MARK: COPY

    /// Runs a `COPY ... FROM STDIN` (text format) whose rows `rows` writes. When it throws, nothing is copied.
    /// - Returns: the number of rows copied.
    @discardableResult
    public func copyIn(_ sql: String, rows: (inout CopyWriter) throws -> Void) throws -> Int {
        try watched { try copy(sql, rows) }
    }

    private func copy(_ sql: String, _ rows: (inout CopyWriter) throws -> Void) throws -> Int {
        try PQclear(checked(PQexec(handle, sql), sql, [PGRES_COPY_IN]))
        var writer = CopyWriter(handle: handle, sql: sql, watched: watch)
        do {
            if let watch { SilenceWatch.shared.setOurTurn(watch.mark) }
            try rows(&writer)
            try writer.flush()
            if let watch { SilenceWatch.shared.begin(watch.mark, limit: watch.limit) }
        } catch {
            _ = PQputCopyEnd(handle, "given up by the client")
            drain()
            throw error
        }
        guard PQputCopyEnd(handle, nil) == 1 else { throw DatabaseError(connection: handle, sql: sql) }
        let answer = PQgetResult(handle)
        defer { drain() }
        return Rows(taking: try checked(answer, sql, [PGRES_COMMAND_OK])).affected
    }

    /// Reads the rest of the answers; stops at one that says "still copying", which would come for ever.
    private func drain() {
        while let result = PQgetResult(handle) {
            let copying = PQresultStatus(result) == PGRES_COPY_IN
            PQclear(result)
            if copying { return }
        }
    }
}
