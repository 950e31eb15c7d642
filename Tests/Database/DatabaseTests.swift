import Database
import Foundation
import Pricing
import Testing
import TestSupport

@Suite final class DatabaseTests {
    let url: String
    let connection: Connection

    init() throws {
        url = try TestPostgres.freshDatabase()
        connection = try Connection(url: url, applicationName: "tests")
    }

    @Test("every kind of value comes back as it was sent") func roundTrip() throws {
        try connection.script("CREATE TABLE t (i bigint, s text, b boolean, d bytea, m numeric(18,6), at timestamptz)")
        let awkward = "quote \" back\\slash, {brace} NULL ünïcödé 😀\ttab\nline"
        let bytes = [UInt8](0...255)
        try connection.execute(
            "INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6)",
            [.int(Int64.min), .text(awkward), true, .bytes(bytes), .numeric(Money(micros: -3_450)), "2026-01-02 03:04:05.678+01"])
        let row = try connection.query("SELECT * FROM t")[0]
        #expect(try row.int("i") == .min)
        #expect(try row.text("s") == awkward)
        #expect(try row.bool("b"))
        #expect(try row.bytes("d") == bytes)
        #expect(try row.money("m") == Money(micros: -3_450))
        #expect(try row.milliseconds("at") == 1_767_319_445_678)
        #expect(try row.timestamp(5).timeIntervalSince1970 == 1_767_319_445.678)

        // The same as columns of arrays, with a NULL in each.
        let rows = try connection.query(
            """
            SELECT * FROM unnest($1::bigint[], $2::text[], $3::boolean[], $4::bytea[], $5::numeric[]) AS u(i, s, b, d, m)
            """,
            [
                .intArray([-7, nil]), .textArray([awkward, nil]), .boolArray([false, nil]), .bytesArray([bytes, nil]),
                .moneyArray([Money(micros: 1), nil]),
            ])
        #expect(rows.count == 2)
        #expect(try rows[0].int("i") == -7)
        #expect(try rows[0].text("s") == awkward)
        #expect(try rows[0].bytes("d") == bytes)
        #expect(try rows[0].money("m") == Money(micros: 1))
        for column in 0..<5 { #expect(try rows[1].isNull(.index(column))) }
        #expect(try connection.query("SELECT cardinality($1::bytea[])", [.bytesArray([])])[0].int(0) == 0)
        let large = (0..<1_000).map { [UInt8](repeating: UInt8($0 % 256), count: $0) }
        let back = try connection.query("SELECT b FROM unnest($1::bytea[]) AS u(b)", [.bytesArray(large.map { $0 })])
        #expect(try back.map { try $0.bytes(0) } == large)

        // And through COPY.
        let copied = try connection.copyIn("COPY t FROM STDIN") { writer in
            for number in 0..<5_000 {
                writer.int(Int64(number))
                writer.text(awkward)
                writer.bool(nil)
                writer.bytes(bytes)
                writer.money(Money(micros: 50_000))
                writer.null()
                try writer.endRow()
            }
        }
        #expect(copied == 5_000)
        let last = try connection.query("SELECT * FROM t WHERE i = 4999")[0]
        #expect(try last.text("s") == awkward)
        #expect(try last.bytes("d") == bytes)
        #expect(try last.optionalBool("b") == nil)
    }

    @Test("a NUL inside a text becomes a replacement character everywhere") func nul() throws {
        try connection.script("CREATE TABLE n (s text)")
        try connection.execute("INSERT INTO n VALUES ($1)", [.text("a\0b")])
        try connection.execute("INSERT INTO n SELECT unnest($1::text[])", [.textArray(["a\0b"])])
        try connection.copyIn("COPY n FROM STDIN") { writer in
            writer.text("a\0b")
            try writer.endRow()
        }
        #expect(try connection.query("SELECT s FROM n").map { try $0.text(0) } == ["a\u{FFFD}b", "a\u{FFFD}b", "a\u{FFFD}b"])
    }

    @Test("what is wrong with a field is thrown, not trapped") func fieldFaults() throws {
        let row = try connection.query("SELECT 'x' AS a, NULL AS b")[0]
        #expect(throws: DatabaseError.self) { try row.int("a") }
        #expect(throws: DatabaseError.self) { try row.text("b") }
        #expect(throws: DatabaseError.self) { try row.text("c") }
        #expect(throws: DatabaseError.self) { try row.text(7) }
        #expect(try row.optionalText("b") == nil)
    }

    @Test("a transaction is undone when its body throws, or hides a failed statement") func transactions() throws {
        struct Stop: Error {}
        try connection.script("CREATE TABLE x (i int PRIMARY KEY)")
        #expect(throws: Stop.self) {
            try connection.transaction {
                try connection.execute("INSERT INTO x VALUES (1)")
                throw Stop()
            }
        }
        #expect(throws: DatabaseError.self) {
            try connection.transaction {
                try connection.execute("INSERT INTO x VALUES (2)")
                _ = try? connection.execute("INSERT INTO x VALUES (2)")
            }
        }
        try connection.transaction { _ = try connection.execute("INSERT INTO x VALUES (3)") }
        #expect(try connection.query("SELECT i FROM x").map { try $0.int(0) } == [3])
    }

    @Test("a pipeline answers every statement in order, and is undone whole when one fails") func pipelines() throws {
        try connection.script("CREATE TABLE p (i int PRIMARY KEY)")
        let batch: [(sql: String, parameters: [SQLValue])] = (1...500).map { ("INSERT INTO p VALUES ($1) RETURNING i", [.int($0)]) }
        let answers = try connection.pipeline(batch + [("SELECT count(*) FROM p", [])])
        #expect(answers.count == 501)
        #expect(try answers[499][0].int(0) == 500)
        #expect(try answers[500][0].int(0) == 500)

        do {
            _ = try connection.pipeline([
                ("INSERT INTO p VALUES ($1)", [.int(501)]), ("INSERT INTO p VALUES ($1)", [.int(1)]), ("SELECT 1", []),
                ("this is no statement", []),
            ])
            Issue.record("the duplicate key must be refused")
        } catch {
            #expect(error.isUniqueViolation)
            #expect(error.constraint == "p_pkey")
            #expect(!error.isRetriable)
        }
        #expect(try connection.query("SELECT count(*) FROM p")[0].int(0) == 500)
        #expect(throws: DatabaseError.self) { try connection.pipeline([("SELECT 1", []), ("this is no statement", [])]) }
        #expect(try connection.pipeline([("SELECT 1", [])])[0][0].int(0) == 1)
    }

    @Test("a pipeline larger than every socket buffer does not lock up") func largePipeline() throws {
        let text = String(repeating: "x", count: 2_000)
        let answers = try connection.pipeline((0..<10_000).map { _ in ("SELECT $1::text AS t", [.text(text)]) })
        #expect(answers.count == 10_000)
        #expect(try answers.last?[0].text("t") == text)
    }

    @Test("more statements than the cache holds all work, alone and in a pipeline") func cache() throws {
        for number in 0..<450 { #expect(try connection.query("SELECT \(number)")[0].int(0) == Int64(number)) }
        for round in 0..<3 {
            let answers = try connection.pipeline((0..<150).map { ("SELECT \($0 + round * 100)", []) })
            for (index, rows) in answers.enumerated() { #expect(try rows[0].int(0) == Int64(index + round * 100)) }
        }
        #expect(try connection.query("SELECT count(*) FROM pg_prepared_statements")[0].int(0) <= 200)
    }

    @Test("a statement survives a change of its table") func outdatedPlan() throws {
        try connection.script("CREATE TABLE c (i int)")
        #expect(try connection.query("SELECT * FROM c").isEmpty)
        try connection.script("ALTER TABLE c ADD COLUMN j int; INSERT INTO c VALUES (1, 2)")
        #expect(try connection.query("SELECT * FROM c")[0].int("j") == 2)
    }

    @Test("a copy whose writer throws copies nothing and leaves the connection usable") func abandonedCopy() throws {
        struct Stop: Error {}
        try connection.script("CREATE TABLE a (i int)")
        #expect(throws: Stop.self) {
            try connection.copyIn("COPY a FROM STDIN") { writer in
                writer.int(1)
                try writer.endRow()
                throw Stop()
            }
        }
        #expect(throws: DatabaseError.self) {
            try connection.copyIn("COPY a FROM STDIN") { writer in
                writer.text("no number")
                try writer.endRow()
            }
        }
        #expect(try connection.query("SELECT count(*) FROM a")[0].int(0) == 0)
    }

    @Test("neither a password nor a value shows in a description") func secrets() throws {
        do {
            _ = try Connection(url: "postgresql://nobody:hunter2@127.0.0.1:1/none", applicationName: "tests")
            Issue.record("nothing listens there")
        } catch {
            #expect(error.kind == .connection)
            #expect(error.isRetriable)
            #expect(!"\(error) \(error.debugDescription)".contains("hunter2"))
        }
        #expect(throws: DatabaseError.self) { try Connection(url: "postgresql://x:hunter2%zz@h/d", applicationName: "tests") }
        #expect(ConnectionURL.printable("postgresql://u:hunter2@h:5/d") == "u@h:5/d")
        do {
            try connection.query("SELECT $1::bigint", ["a secret"])
            Issue.record("this is no number")
        } catch {
            #expect(error.sqlState == "22P02")
            #expect(!error.description.contains("a secret"))
        }
    }

    @Test func `a server that is silent in a call is given up, and one that answers is not`() throws {
        let watched = try Connection(url: url, applicationName: "tests", silenceMilliseconds: 500)
        #expect(try watched.query("SELECT 1")[0].int(0) == 1)
        do {
            _ = try watched.query("SELECT pg_sleep(600)")
            Issue.record("ten minutes passed")
        } catch {
            #expect(error.isConnectionLost && error.isRetriable)
        }
    }

    @Test func `with a call that is given up go the idle connections of its time, and no later ones`() throws {
        let idle = try Connection(url: url, applicationName: "tests", silenceMilliseconds: 60_000)
        #expect(try idle.query("SELECT 1")[0].int(0) == 1)
        let silent = try Connection(url: url, applicationName: "tests", silenceMilliseconds: 500)
        _ = try? silent.query("SELECT pg_sleep(600)")
        let later = try Connection(url: url, applicationName: "tests", silenceMilliseconds: 60_000)
        do {
            _ = try idle.query("SELECT 1")
            Issue.record("its way is gone, too")
        } catch {
            #expect(error.isConnectionLost && error.isRetriable)
        }
        _ = try? silent.query("SELECT 1")
        #expect(try later.query("SELECT 1")[0].int(0) == 1)
    }

    @Test func `a call that the server does not know of ends within seconds, and its transaction with it`() throws {
        let lost = try Connection(url: url, applicationName: "tests", silenceMilliseconds: 60_000)
        let backend = pid_t(try lost.query("SELECT pg_backend_pid()::bigint")[0].int(0))
        try lost.script("BEGIN; SELECT pg_advisory_xact_lock(2027)")
        // Stopped, it takes what is sent to it and does not get to it: as behind a proxy that acknowledges for a server that is gone.
        #expect(kill(backend, SIGSTOP) == 0)
        let resumed = Thread {
            Thread.sleep(forTimeInterval: 20)
            kill(backend, SIGCONT)
        }
        resumed.start()
        let began = ContinuousClock.now
        do {
            _ = try lost.query("SELECT 1")
            Issue.record("nobody was there to answer")
        } catch {
            #expect(error.isConnectionLost && error.isRetriable)
        }
        #expect(ContinuousClock.now - began < .seconds(15))
        // It was told to end, so it does as soon as it can, and gives its locks back.
        kill(backend, SIGCONT)
        try connection.query("SELECT pg_advisory_lock(2027)")
        try connection.query("SELECT pg_advisory_unlock(2027)")
    }

    @Test func `a call that the server works on, or waits for a lock in, is left alone`() throws {
        let slow = try Connection(url: url, applicationName: "tests", silenceMilliseconds: 60_000)
        #expect(try slow.query("SELECT 1 FROM pg_sleep(6)").count == 1)
        try connection.query("CREATE TABLE slow_rows (n bigint)")
        defer { try? connection.script("DROP TABLE slow_rows") }
        let copied = try slow.copyIn("COPY slow_rows FROM STDIN") { writer in
            writer.int(1)
            try writer.endRow()
            Thread.sleep(forTimeInterval: 6)
        }
        #expect(copied == 1)
    }

    @Test func `a transaction that nobody goes on with gives its locks back`() throws {
        let left = try Connection(url: url, applicationName: "tests", silenceMilliseconds: 500)
        try left.script("BEGIN; SELECT pg_advisory_xact_lock(2026)")
        // Waits until the server has ended the other's.
        try connection.query("SELECT pg_advisory_lock(2026)")
        try connection.query("SELECT pg_advisory_unlock(2026)")
        do {
            _ = try left.query("SELECT 1")
            Issue.record("it has lost its transaction and goes on")
        } catch {
            #expect(error.isConnectionLost && error.isRetriable)
        }
    }

    @Test("a statement past its timeout is given up") func timeout() throws {
        let hasty = try Connection(url: url, applicationName: "tests", statementTimeoutMilliseconds: 50)
        do {
            try hasty.query("SELECT pg_sleep(20)")
            Issue.record("it must be given up")
        } catch {
            #expect(error.isStatementTimeout)
        }
        #expect(try hasty.query("SELECT 1")[0].int(0) == 1)
    }

    @Test("notifications reach a listening connection and a listener") func notifications() async throws {
        try connection.listen("odd \"channel\"")
        let listener = DatabaseListener(url: url, applicationName: "tests", channels: ["odd \"channel\""])
        var stream = listener.notifications.makeAsyncIterator()
        #expect(await stream.next() == DatabaseNotification(channel: "", payload: ""))
        let other = try Connection(url: url, applicationName: "tests")
        try other.notify("odd \"channel\"", "hello")
        let expected = DatabaseNotification(channel: "odd \"channel\"", payload: "hello")
        #expect(try connection.notifications(timeoutMilliseconds: 10_000) == [expected])
        #expect(await stream.next() == expected)
        listener.stop()
        #expect(await stream.next() == nil)
    }

    @Test("the actor reconnects after a restart, reports what was lost, and rolls back what was left open") func actor() async throws {
        let server = try TestPostgres.start()
        defer { server.stop() }
        let database = Database(url: server.url, applicationName: "tests")
        #expect(try await database.run { try $0.query("SELECT 1")[0].int(0) } == 1)
        try server.restart()
        #expect(try await database.run { try $0.query("SELECT 2")[0].int(0) } == 2)
        await #expect(throws: DatabaseError.self) {
            try await database.run { connection in
                try connection.query("SELECT pg_terminate_backend(pg_backend_pid())")
            }
        }
        #expect(try await database.run { try $0.query("SELECT 3")[0].int(0) } == 3)
        await #expect(throws: DatabaseError.self) { try await database.run { try $0.script("BEGIN") } }
        #expect(try await database.run { try $0.query("SELECT 4")[0].int(0) } == 4)
    }

    @Test("migrations are applied once and in order, by however many at once") func migrations() async throws {
        let migrator = Migrator([
            Migration(version: 2, name: "second", sql: "INSERT INTO m VALUES (2)"),
            Migration(version: 1, name: "first", sql: "CREATE TABLE m (i int); INSERT INTO m VALUES (1)"),
        ])
        #expect(try migrator.pending(connection).map(\.version) == [1, 2])
        let url = self.url
        let applied = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    try await Database(url: url, applicationName: "tests").run { try migrator.migrate($0).count }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(applied == 2)
        #expect(try connection.query("SELECT i FROM m ORDER BY i").map { try $0.int(0) } == [1, 2])
        #expect(try migrator.pending(connection).isEmpty)

        let faulty = Migrator([Migration(version: 3, name: "third", sql: "INSERT INTO m VALUES (3); SELECT 1/0")])
        #expect(throws: DatabaseError.self) { try faulty.migrate(connection) }
        #expect(try connection.query("SELECT count(*) FROM m")[0].int(0) == 2)
    }
}
