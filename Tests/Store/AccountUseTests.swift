import Database
import Store
import Testing
import TestSupport

@Suite final class AccountUseTests {
    @Test("an account's use is seen by others while its instance lives") func use() throws {
        let connection = try Connection(url: try TestPostgres.freshDatabase(), applicationName: "tests")
        try Schema.migrate(connection)
        try connection.script(
            """
            INSERT INTO service_instance (instance, service, state) VALUES
                ('smpp-1', 'ingress-smpp', 'healthy'), ('http-1', 'ingress-http', 'healthy'), ('http-2', 'ingress-http', 'stopped');
            """)
        try AccountUseStore.write(connection, instance: "smpp-1", [("one", 3), ("two", 1)])
        try AccountUseStore.write(connection, instance: "http-1", [("one", 1)])
        try AccountUseStore.write(connection, instance: "http-2", [("one", 9)])
        #expect(try AccountUseStore.others(connection, of: ["one", "two", "three"], besides: "http-1") == ["one": 3, "two": 1])
        #expect(try AccountUseStore.others(connection, of: ["one", "two"], besides: "smpp-1") == ["one": 1])
        // It sends no more for one, and with more sessions for the other.
        try AccountUseStore.write(connection, instance: "smpp-1", [("two", 2)])
        #expect(try AccountUseStore.others(connection, of: ["one", "two"], besides: "http-1") == ["two": 2])
        try AccountUseStore.write(connection, instance: "smpp-1", [])
        #expect(try AccountUseStore.others(connection, of: ["one", "two"], besides: "http-1").isEmpty)

        // An instance that stopped writing its row is gone, and an hour later so is what it left behind.
        try connection.script("UPDATE service_instance SET beat = now() - interval '2 hours' WHERE instance = 'http-1'")
        #expect(try AccountUseStore.others(connection, of: ["one"], besides: "smpp-1").isEmpty)
        try AccountUseStore.removeOld(connection)
        #expect(try connection.query("SELECT count(*) FROM account_use WHERE instance = 'http-1'")[0].int(0) == 0)
    }
}
