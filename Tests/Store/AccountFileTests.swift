import Configuration
import Database
import Pricing
import Routing
import Store
import Testing
import TestSupport

@Suite final class AccountFileTests {
    let connection: Connection

    init() throws {
        connection = try Connection(url: try TestPostgres.freshDatabase(), applicationName: "tests")
        try Schema.migrate(connection)
        let text = """
            CONNECTOR in1 <
            TYPE=INCOMING
            PROTOCOL=SMPP
            ADDRESS=h:1
            USERDB
            >
            CONNECTOR a <
            TYPE=OUTGOING
            PROTOCOL=SMPP
            ADDRESS=h:2
            USERNAME=u
            >
            """
        try ConnectorStore.apply(connection, ConfigurationParser.parse(text).file, by: "test")
        var changes = AccountStore.Changes()
        changes.password = "p"
        changes.currency = "SEK"
        try AccountStore.add(connection, username: "acme", balance: .zero, changes: changes, by: "test")
    }

    private func routing(_ targets: [String]) throws -> AccountFile {
        var file = AccountFile(reference: .init(account: "acme", kind: .routing, path: "r.txt"))
        file.rows = RoutingFiles.routing("* \(targets.joined(separator: ",")) PREFIX=46\n").rows
        return file
    }

    private func charges(_ charges: [AccountFile.Charge]) -> AccountFile {
        AccountFile(reference: .init(account: "acme", kind: .charges, path: "c.txt"), charges: charges)
    }

    private var prices: [String] {
        get throws { try PriceStore.load(connection).map { "\($0.prefix) \($0.charge?.description ?? "-") \($0.currency)" } }
    }

    @Test func `a file that an account is set to counts at once, and goes with the column`() throws {
        let files = [try routing(["a"]), charges([.init(prefix: "46", charge: Money(micros: 50_000))])]
        try AccountColumns.set(connection, username: "acme", values: ["routing": "r.txt", "charges": "c.txt"], files: files, by: "test")
        #expect(try RouteStore.load(connection).map(\.origin) == ["ACCOUNT acme routing"])
        #expect(try RoutingStore.load(connection).plan.accounts["acme"]?.hasOwnRouting == true)
        #expect(try prices == ["46 0.05 SEK"], "in the account's currency")
        #expect(try AccountFileStore.references(connection).map(\.path) == ["r.txt", "c.txt"])

        // The rows of a price list by hand are other ones.
        let list = PriceImport.read(Array("prefix,charge\n47,1\n".utf8)).rows
        #expect(try PriceImport.apply(connection, list, replacing: true, by: "test", progress: { _ in }).isEmpty)
        #expect(try prices == ["46 0.05 SEK", "47 1.00 EUR"])

        try AccountColumns.set(connection, username: "acme", values: ["routing": nil, "charges": ""], by: "test")
        #expect(try RouteStore.load(connection).isEmpty)
        #expect(try prices == ["47 1.00 EUR"])
        #expect(try RoutingStore.load(connection).plan.accounts["acme"] == nil)
    }

    @Test func `config apply reads them again: what stayed keeps its row, what is named no more goes`() throws {
        let configuration = try ConnectorStore.file(connection)
        _ = try connection.execute("UPDATE emguser SET routing = 'r.txt', charges = 'c.txt'")
        let first = [
            try routing(["a"]), charges([.init(prefix: "46", charge: Money(micros: 1)), .init(prefix: "47", charge: Money(micros: 2))]),
        ]
        #expect(
            try AccountFileStore.difference(connection, first) == [
                "~ ACCOUNT acme routing r.txt: 1 rows come, 0 go", "~ ACCOUNT acme charges c.txt: 2 rows come, 0 go",
            ])
        try ConnectorStore.apply(connection, configuration, accountFiles: first, by: "test")
        let kept = try PriceStore.load(connection).first { $0.prefix == "46" }?.id
        #expect(try AccountFileStore.difference(connection, first).isEmpty)
        // Files of the configuration itself are another matter.
        try ConnectorStore.apply(connection, configuration, files: RoutingFileContents(), by: "test")
        #expect(try RouteStore.load(connection).count == 1)

        let second = [charges([.init(prefix: "46", charge: Money(micros: 1)), .init(prefix: "47", charge: Money(micros: 3))])]
        #expect(
            try AccountFileStore.difference(connection, second).sorted() == [
                "- ACCOUNT acme routing : 0 rows come, 1 go", "~ ACCOUNT acme charges c.txt: 1 rows come, 1 go",
            ])
        try ConnectorStore.apply(connection, configuration, accountFiles: second, by: "test")
        #expect(try RouteStore.load(connection).isEmpty)
        #expect(try prices == ["46 0.000001 SEK", "47 0.000003 SEK"])
        #expect(try PriceStore.load(connection).first { $0.prefix == "46" }?.id == kept)
        #expect(try connection.query("SELECT count(*) FROM price WHERE removed IS NOT NULL")[0].int(0) == 1, "for messages that name it")
        // Nothing is said of files: they stay.
        try ConnectorStore.apply(connection, configuration, by: "test")
        #expect(try prices.count == 2)
    }

    @Test func `a connector that is not there is told`() throws {
        let file = try routing(["a", "nowhere", "in1"])
        let told = try AccountFileStore.problems(connection, [file])
        #expect(told.count == 2 && told.allSatisfy { $0.hasPrefix("routing of the account acme: r.txt: ") })
        #expect(told[0].contains("nowhere") && told[1].contains("in1 is an incoming connector"))
        let next = ConfigurationParser.parse("CONNECTOR nowhere <\nTYPE=OUTGOING\n>\nCONNECTOR a <\nTYPE=OUTGOING\n>\n").file
        #expect(try AccountFileStore.problems(connection, [file], configuration: next).map { $0.contains("connector group in1") } == [true])
    }

    @Test(
        arguments: [
            ("route", "nowhere", "no connector or connector group nowhere"), ("route", "in1", "clients bind to in1"),
            ("routedlr", "a", "is a provider's"), ("routesat", "x", "no connector x"), ("satpoolcreate", "p", "no SATPOOL section p"),
            ("route", "a", nil), ("routedlr", "in1", nil), ("route", "", nil),
        ] as [(String, String, String?)])
    func `a column that names a connector or a pool names one that is there`(column: String, name: String, words: String?) throws {
        do {
            try AccountColumns.set(connection, username: "acme", values: [column: name], by: "test")
            #expect(words == nil)
        } catch let error as StoreError {
            #expect(words.map { error.description.contains($0) } == true, "\(error)")
        }
    }

    @Test func `every column that holds something is told, and no password`() throws {
        try AccountColumns.set(
            connection, username: "acme", values: ["extra1": "hällo", "extra9": "a \"b\"", "lockeduntil": "2030-01-01", "logbody": "none"],
            by: "test")
        let columns = try AccountStore.columns(connection, username: "acme")
        let values = Dictionary(uniqueKeysWithValues: columns.map { ($0.name, $0.value) })
        #expect(values["extra1"] == "hällo" && values["extra9"] == "a \"b\"" && values["logbody"] == "none" && values["currency"] == "SEK")
        #expect(
            values["password_scrypt"] == "as a scrypt hash" && values["extra2"] == nil
                && values["lockeduntil"]?.hasPrefix("2030-01-01") == true)
        #expect(try columns.firstIndex { $0.name == "username" } ?? 9 < #require(columns.firstIndex { $0.name == "extra1" }))
    }
}
