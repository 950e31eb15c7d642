import Configuration
import Database
import Pricing
import Store
import Testing
import TestSupport

@Suite final class ConnectorStoreTests {
    let connection: Connection

    init() throws {
        connection = try Connection(url: try TestPostgres.freshDatabase(), applicationName: "tests")
        try Schema.migrate(connection)
    }

    private let text = """
        ROUTELOGDB
        NODEID=3

        DB emg <
        TYPE=MYSQL
        >

        CONNECTOR in1 <
        TYPE=INCOMING
        PROTOCOL=SMPP
        ADDRESS=[::]:2775
        USERDB=emg
        >

        CONNECTOR out1 <
        TYPE=OUTGOING
        PROTOCOL=SMPP
        ADDRESS=h:1
        USERNAME=u
        PASSWORD=geheim
        STATIC
        >

        """

    @Test("what is applied comes back, and applying it again changes nothing") func apply() throws {
        let file = ConfigurationParser.parse(text).file
        #expect(try !ConnectorStore.difference(connection, file).isEmpty)
        try ConnectorStore.apply(connection, file, by: "test")
        #expect(try ConnectorStore.file(connection).rendered(hidingSecrets: false) == text)
        let loaded = try ConnectorStore.load(connection)
        #expect(loaded.connectors.map(\.name) == ["in1", "out1"])
        #expect(loaded.connectors[1].password?.revealed == "geheim")
        #expect(try ConnectorStore.load(connection, name: "out1") == loaded.connectors[1])
        #expect(try ConnectorStore.load(connection, name: "nope") == nil)

        try connection.listen(Schema.configurationChannel)
        #expect(try ConnectorStore.apply(connection, file, by: "test").isEmpty)
        #expect(try connection.notifications(timeoutMilliseconds: 0).isEmpty)
        #expect(try connection.query("SELECT count(*) FROM audit WHERE detail LIKE '%geheim%'")[0].int(0) == 0)
    }

    @Test("a change keeps an operator's stop, and what is gone from the file goes") func change() throws {
        try ConnectorStore.apply(connection, ConfigurationParser.parse(text).file, by: "test")
        try connection.execute("UPDATE connector SET disabled = true WHERE name = 'in1'")
        var file = ConfigurationParser.parse(text).file
        file.sections[1].entries.append(ConfigurationEntry(key: "INSTANCES", value: "9"))
        file.sections.remove(at: 2)
        file.general = []
        try ConnectorStore.apply(connection, file, by: "test")
        let connectors = try ConnectorStore.load(connection).connectors
        #expect(connectors.map(\.name) == ["in1"])
        #expect(connectors[0].isDisabled && connectors[0].instances == 9)
        #expect(try connection.query("SELECT count(*) FROM general_option")[0].int(0) == 0)
    }

    @Test("a file with an error changes nothing") func refused() throws {
        let file = ConfigurationParser.parse("CONNECTOR a <\nTYPE=INCOMING\n>").file
        #expect(throws: StoreError.self) { try ConnectorStore.apply(connection, file, by: "test") }
        #expect(try ConnectorStore.load(connection).connectors.isEmpty)
    }

    @Test("routes and prices name what exists") func routesAndPrices() throws {
        try ConnectorStore.apply(connection, ConfigurationParser.parse(text).file, by: "test")
        let id = try RouteStore.add(connection, RouteRow(prefix: "46", outConnector: "out1", priority: 2), by: "test")
        #expect(throws: StoreError.self) { try RouteStore.add(connection, RouteRow(prefix: "46", outConnector: "x"), by: "test") }
        #expect(throws: StoreError.self) { try RouteStore.add(connection, RouteRow(prefix: "+46", outConnector: "out1"), by: "test") }
        #expect(throws: StoreError.self) {
            try RouteStore.add(connection, RouteRow(prefix: "", account: "x", outConnector: "out1"), by: "test")
        }
        #expect(try RouteStore.load(connection) == [RouteRow(id: id, prefix: "46", outConnector: "out1", priority: 2)])
        try RouteStore.remove(connection, id: id, by: "test")
        #expect(throws: StoreError.self) { try RouteStore.remove(connection, id: id, by: "test") }

        let price = PriceRow(
            prefix: "46", outConnector: "out1", charge: Money(micros: 50_000), cost: nil, validFrom: 1_800_000_000_123, validUntil: nil)
        let priceID = try PriceStore.add(connection, price, by: "test")
        let loaded = try #require(try PriceStore.load(connection).first)
        #expect(loaded.id == priceID && loaded.charge == price.charge && loaded.cost == nil && loaded.validFrom == price.validFrom)
        #expect(throws: StoreError.self) {
            try PriceStore.add(connection, PriceRow(prefix: "", charge: Money(micros: -1), cost: nil), by: "test")
        }
        #expect(throws: StoreError.self) { try PriceStore.add(connection, PriceRow(prefix: "", charge: nil, cost: nil), by: "test") }
        try PriceStore.remove(connection, id: priceID, by: "test")
        #expect(try PriceStore.load(connection).isEmpty)
    }

    @Test("node slots come in turn and round") func slots() throws {
        #expect(try (0..<1_025).map { _ in try NodeSlot.next(connection) } == Array(0..<1_024) + [0])
    }
}
