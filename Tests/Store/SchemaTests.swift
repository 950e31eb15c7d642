import Database
import Store
import Testing
import TestSupport

@Suite final class SchemaTests {
    let url: String
    let connection: Connection

    init() throws {
        url = try TestPostgres.freshDatabase()
        connection = try Connection(url: url, applicationName: "tests")
        try Schema.migrate(connection)
    }

    @Test("rows land in the partition of their id's day, and leave the default one when it comes into being")
    func partitions() throws {
        #expect(try Schema.ensurePartitions(connection) == 0)
        try connection.execute("INSERT INTO routelog (msgid) VALUES (signalbox_msgid_floor(now()))")
        #expect(try connection.query("SELECT count(*) FROM routelog_default")[0].int(0) == 0)
        // Two ids of a day without a partition, and one of the day after.
        try connection.execute(
            """
            INSERT INTO routelog (msgid) SELECT signalbox_msgid_floor(moment::timestamptz) + 5
            FROM unnest($1::text[]) AS moment
            """,
            [.textArray(["2031-03-30 00:00:00+00", "2031-03-30 23:59:59.999+00", "2031-03-31 00:00:00+00"])])
        #expect(try connection.query("SELECT count(*) FROM routelog_default")[0].int(0) == 3)
        #expect(try connection.query("SELECT signalbox_ensure_partitions('2031-03-30', 1)")[0].int(0) == 3)
        #expect(try connection.query("SELECT count(*) FROM routelog_default")[0].int(0) == 1)
        #expect(try connection.query("SELECT count(*) FROM routelog_20310330")[0].int(0) == 2)
        #expect(
            try connection.query("SELECT signalbox_msgid_time(signalbox_msgid_floor('2031-03-30 01:02:03.456+00')) AS t")[0]
                .milliseconds("t") == 1_932_598_923_456)
    }

    @Test("several may make partitions at once") func concurrentPartitions() async throws {
        let url = self.url
        let made = try await withThrowingTaskGroup(of: Int64.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    try await Database(url: url, applicationName: "tests").run {
                        try $0.query("SELECT signalbox_ensure_partitions('2032-01-01', 5)")[0].int(0)
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(made == 15)
    }

    @Test("a change of the configuration notifies once a transaction") func notify() throws {
        try connection.listen(Schema.configurationChannel)
        try connection.transaction {
            for _ in 0..<3 { try connection.execute("INSERT INTO route (out_connector) VALUES ('x')") }
        }
        #expect(
            try connection.notifications(timeoutMilliseconds: 10_000) == [
                DatabaseNotification(channel: "signalbox_config", payload: "route")
            ])
    }
}
