import Configuration
import Database
import Pricing
import Routing
import Store
import Testing
import TestSupport

@Suite final class RouteStoreTests {
    let connection: Connection

    init() throws {
        connection = try Connection(url: try TestPostgres.freshDatabase(), applicationName: "tests")
        try Schema.migrate(connection)
        for (name, type) in [("out1", "OUTGOING"), ("out2", "OUTGOING"), ("in1", "INCOMING")] {
            try connection.execute("INSERT INTO connector (name, type, protocol) VALUES ($1, $2, 'SMPP')", [.text(name), .text(type)])
            let options: [(String, String?)] =
                type == "OUTGOING"
                ? [("TYPE", type), ("PROTOCOL", "SMPP"), ("ADDRESS", "h:1"), ("USERNAME", "u"), ("STATIC", nil)]
                : [("TYPE", type), ("PROTOCOL", "SMPP"), ("ADDRESS", "h:2"), ("USERDB", nil)]
            for (ordinal, option) in options.enumerated() {
                try connection.execute(
                    "INSERT INTO connector_option VALUES ($1, $2, $3, $4)",
                    [.text(name), .int(ordinal), .text(option.0), .optional(option.1)])
            }
        }
        try connection.execute("INSERT INTO config_section (kind, name) VALUES ('CONNECTORGROUP', 'both')")
        try connection.execute(
            "INSERT INTO config_section_option VALUES ('CONNECTORGROUP', 'both', 1, 'CONNECTOR', 'out1'), ('CONNECTORGROUP', 'both', 2, 'CONNECTOR', 'out2')"
        )
        try connection.execute("INSERT INTO emguser (username, usergroup) VALUES ('acme', 'gold')")
    }

    static func row(_ connector: String, _ change: (inout RouteRow) -> Void) -> RouteRow {
        var row = RouteRow(prefix: "", outConnector: connector)
        change(&row)
        return row
    }

    @Test("a route comes back with everything that it was given") func roundTrip() throws {
        var row = Self.row("both") {
            $0.prefix = "46"
            $0.account = "acme"
            $0.group = "gold"
            $0.inConnector = "in1"
            $0.traffic = .any
            $0.source = "Shop*"
            $0.keyword = "stop"
            $0.pattern = "a|b\\d"
            $0.option = "TLV:0x1400=0A0B"
            $0.schedule = "Mo-Fr 08:00-18:00 Europe/Stockholm"
            $0.toAccount = "acme"
            $0.priority = -3
            $0.weight = 0
            $0.leastCost = true
            $0.stripDigits = 2
            $0.addPrefix = "00"
            $0.setSource = "Brand"
            $0.note = "tab\tand, comma"
        }
        row.id = try RouteStore.add(connection, row, by: "test")
        #expect(try RouteStore.load(connection) == [row])
        let route = try row.route()
        #expect(route.match.option == .init(name: "TLV:0x1400", value: "0A0B") && route.match.pattern?.text == "a|b\\d")
        #expect(try RoutingStore.load(connection).plan.routeCount == 1)
    }

    @Test(
        "what cannot be is refused, with the reason",
        arguments: [
            (row("nope") { _ in }, "no connector or connector group nope"), (row("out1") { $0.account = "x" }, "no account x"),
            (row("in1") { _ in }, "is an incoming connector"), (row("out1") { $0.pattern = "(" }, "parenthes"),
            (row("out1") { $0.schedule = "never" }, "weekday"), (row("out1") { $0.option = "0x14=0" }, "pairs of hexadecimal"),
            (row("out1") { $0.traffic = .mo }, "who pays"), (row("in1") { $0.traffic = .mo }, "who gets it"),
            (row("out1") { $0.toAccount = "acme" }, "for traffic from phones"), (row("out1") { $0.source = "a*b" }, "only its end"),
            (row("out1") { $0.keyword = "two words" }, "one word"), (row("out1") { $0.prefix = "4a" }, "digits"),
            (row("out1") { $0.inConnector = "in9" }, "no connector in9"), (row("out1") { $0.weight = -1 }, "weight"),
            (row("out1") { $0.addPrefix = "x" }, "prefix to add"),
        ])
    func refused(row: RouteRow, words: String) throws {
        do {
            try RouteStore.add(connection, row, by: "test")
            Issue.record("\(words): added")
        } catch {
            #expect("\(error)".contains(words), "\(error)")
        }
    }

    @Test("options are written as tags or names, values as hex or text")
    func options() throws {
        #expect(try RouteRow.option("0x1400") == .init(name: "TLV:0x1400", value: nil))
        #expect(try RouteRow.option("tlv:0x14=0a") == .init(name: "TLV:0x0014", value: "0A"))
        #expect(try RouteRow.option("0x1400=text:Ab") == .init(name: "TLV:0x1400", value: "4162"))
        #expect(try RouteRow.option("protocolid=64") == .init(name: "PROTOCOLID", value: "64"))
        #expect(throws: StoreError.self) { try RouteRow.option("0xZZ") }
        #expect(throws: StoreError.self) { try RouteRow.option("a b") }
    }

    @Test("a file is imported whole or not at all, with every fault by its line") func imports() throws {
        let good = """
            out_connector,prefix,keyword,note,least_cost\r
            out1,46,,"two ""words"", and\r
            a line",1\r
            both,47,stop,,\r

            """
        let (rows, faults) = RouteImport.parse(good)
        #expect(faults.isEmpty && rows.map(\.line) == [2, 4])
        #expect(rows[0].route.note == "two \"words\", and\r\na line" && rows[0].route.leastCost)
        #expect(try RouteStore.addAll(connection, rows, replacing: false, by: "test").isEmpty)
        #expect(try RouteStore.load(connection).map(\.prefix) == ["46", "47"])

        let bad = "prefix,out_connector,account,priority\n46,out1,,x\n47,,,\n1,2\n48,out1,,0\n"
        #expect(RouteImport.parse(bad).faults.map(\.line) == [2, 3, 4])
        let unknown = RouteImport.parse("prefix,out_connector,account\n46,nope,\n47,out1,nobody\n48,out1,acme\n")
        let found = try RouteStore.addAll(connection, unknown.rows, replacing: true, by: "test")
        #expect(found.map(\.line) == [2, 3])
        #expect(try RouteStore.load(connection).count == 2, "nothing was added, nothing removed")
        #expect(try RouteStore.addAll(connection, [rows[1]], replacing: true, by: "test").isEmpty)
        #expect(try RouteStore.load(connection).map(\.prefix) == ["47"])
        #expect(!RouteImport.parse("prefix,colour\n").faults.isEmpty && !RouteImport.parse("").faults.isEmpty)
        #expect(RouteImport.parse("out_connector\n\"open").faults.map(\.message) == ["a quote is not closed"])
    }

    @Test("the plan holds connectors, groups, accounts, lists and costs") func plan() throws {
        try RouteStore.add(connection, Self.row("both") { $0.group = "gold" }, by: "test")
        try RouteStore.add(connection, Self.row("out1") { $0.leastCost = true }, by: "test")
        try RouteStore.add(connection, Self.row("out2") { _ in }, by: "test")
        try PriceStore.add(connection, PriceRow(prefix: "", outConnector: "out1", charge: nil, cost: Money(parsing: "0.03")), by: "test")
        try PriceStore.add(connection, PriceRow(prefix: "", outConnector: "out2", charge: nil, cost: Money(parsing: "0.02")), by: "test")
        try AddressRuleStore.add(connection, AddressRule(list: .blacklist, field: .destination, address: "45*"), note: nil, by: "test")
        #expect(throws: StoreError.self) {
            try AddressRuleStore.add(connection, AddressRule(list: .blacklist, field: .destination, address: "45*"), note: nil, by: "test")
        }
        let setup = try RoutingStore.load(connection)
        #expect(setup.problems.isEmpty)
        #expect(setup.watched.map(\.name).sorted() == ["out1", "out2"] && setup.watched.allSatisfy(\.needsSession))
        func way(_ to: String, _ account: String) -> RouteVerdict {
            setup.plan.decide(RouteQuery(destination: to, account: account, inConnector: "in1"))
        }
        guard case .go(let gold) = way("46", "acme"), case .go(let cheap) = way("46", "other"),
            case .refuse(let refusal) = way("4511", "other")
        else {
            Issue.record("\(way("46", "acme")) \(way("46", "other")) \(way("4511", "other"))")
            return
        }
        #expect(gold.connector == "out1" && cheap.connector == "out2")
        #expect(refusal == .listed("the recipient is on the blacklist"))
    }

    @Test("what accounts name and nobody has configured is told") func accountProblems() throws {
        try connection.execute("UPDATE emguser SET route = 'nowhere', routedlr = 'in1', satpoolcreate = 'gone' WHERE username = 'acme'")
        let problems = try RoutingStore.load(connection).problems
        #expect(problems.count == 2 && problems[0].contains("names nowhere") && problems[1].contains("no such SATPOOL"), "\(problems)")
    }

    @Test("what a configuration's files say is applied with it, and goes when it is named no more") func files() throws {
        func contents(_ text: String, _ lists: [String: String]) -> (ConfigurationFile, RoutingFileContents) {
            let file = ConfigurationParser.parse(text).file
            let (contents, diagnostics) = RoutingFileContents.read(file) { lists[$0] ?? "" }
            #expect(diagnostics.isEmpty)
            return (file, contents)
        }
        let connector = "CONNECTOR out1 <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERNAME=u\nBLACKLIST=theirs\n>\n"
        let (file, first) = contents(
            "BLACKLIST=bad\nROUTING=ways\n" + connector,
            ["bad": "1\n2 LOG\n", "theirs": "3 REJECT DESTADDR\n", "ways": "* out1 PREFIX=46\n"])
        #expect(try RoutingFileStore.difference(connection, first).count == 3)
        try ConnectorStore.apply(connection, file, files: first, by: "test")
        #expect(try RoutingFileStore.difference(connection, first).isEmpty)
        #expect(try AddressRuleStore.load(connection).map(\.rule.address).sorted() == ["1", "2", "3"])
        #expect(try AddressRuleStore.load(connection).first { $0.rule.address == "3" }?.rule.connector == "out1")
        #expect(try RouteStore.load(connection).map(\.origin) == ["ROUTING"])
        let id = try RouteStore.add(connection, Self.row("out1") { _ in }, by: "test")
        let (second, changed) = contents("BLACKLIST=bad\n" + connector, ["bad": "1\n4\n", "theirs": "3 REJECT DESTADDR\n"])
        #expect(
            try RoutingFileStore.difference(connection, changed) == ["~ BLACKLIST bad: 1 rows come, 1 go", "- ROUTING: 1 rows go"])
        try ConnectorStore.apply(connection, second, files: changed, by: "test")
        #expect(try AddressRuleStore.load(connection).map(\.rule.address).sorted() == ["1", "3", "4"])
        #expect(try RouteStore.load(connection).map(\.id) == [id], "what was entered by hand stays")
    }
}
