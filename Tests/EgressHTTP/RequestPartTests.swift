import Configuration
import Foundation
import HTTPProvider
import Message
import Testing

@testable import EgressHTTP

struct `What templates are given of a message` {
    static func http(_ lines: [(String, String)] = []) throws -> ConnectorConfiguration {
        let base = [("TYPE", "OUTGOING"), ("PROTOCOL", "HTTP"), ("ADDRESS", "http://127.0.0.1:1/send")]
        let entries = (base + lines).map { ConfigurationEntry(key: $0.0, value: $0.1) }
        return try #require(ConnectorConfiguration.read(ConfigurationSection(kind: .connector, name: "out", entries: entries)).connector)
    }

    static func message(_ text: String, parts: UInt32 = 1) -> ShortMessage {
        var message = ShortMessage()
        message.msgid = 0x1234
        message.source.number = "ACME"
        message.source.ton = 5
        message.destination.number = "46701234567"
        message.body.text = text
        message.parts = parts
        return message
    }

    static func values(_ message: ShortMessage, _ lines: [(String, String)] = []) throws -> [MessageValues] {
        let configuration = try http(lines)
        return try RequestParts(try #require(configuration.providerHTTP), configuration.outgoing).parts(of: message)
    }

    static let long = String(repeating: "0123456789", count: 20)

    @Test func `a long text goes whole by default`() throws {
        let values = try Self.values(Self.message(Self.long, parts: 2))
        #expect(values.map(\.message) == [Self.long] && values[0].parts == 2)
    }

    @Test(arguments: [("UDH8", "050003340201", 153), ("UDH16", "06080412340201", 152)])
    func `or in parts with their headers`(mode: String, header: String, room: Int) throws {
        let values = try Self.values(Self.message(Self.long, parts: 2), [("LONGMESSAGE", mode)])
        #expect(values.count == 2 && values.map(\.message).joined() == Self.long)
        #expect(values[0].userDataHeader == header && values[0].message.count == room && values[0].part == 1 && values[1].part == 2)
        #expect(try Self.values(Self.message("short"), [("LONGMESSAGE", mode)]).map(\.userDataHeader) == [""])
    }

    @Test func `or not at all`() throws {
        #expect(throws: RequestParts.Unwritable.self) { try Self.values(Self.message(Self.long, parts: 2), [("LONGMESSAGE", "REJECT")]) }
        #expect(try Self.values(Self.message("x"), [("LONGMESSAGE", "REJECT")]).count == 1)
    }

    @Test func `octets are hexadecimal, and a header of the sender's stays`() throws {
        var message = Self.message("")
        message.body.encoding = .binary
        message.body.data = Data([0x00, 0xAB, 0xFF])
        message.body.udh = Data([5, 0, 3, 7, 2, 1])
        message.body.dataCoding = 4
        let values = try Self.values(message, [("LONGMESSAGE", "UDH8")])
        #expect(values.count == 1 && values[0].message == "00ABFF" && values[0].userDataHeader == "050003070201" && values[0].isBinary)
    }

    @Test func `the sender is the connector's before the route's before the message's`() throws {
        var message = Self.message("x")
        #expect(try Self.values(message)[0].source.number == "ACME")
        message.sendSource.number = "4670"
        message.sendDestination.number = "0046"
        #expect(try Self.values(message)[0].source.number == "4670" && Self.values(message)[0].destination.number == "0046")
        let forced = try Self.values(message, [("FORCE_SOURCEADDR", "72345")])[0].source
        #expect(forced.number == "72345" && forced.ton == 1)
        message.sendSource.number = ""
        #expect(try Self.values(message, [("DEFAULT_SOURCEADDR", "Shop")])[0].source.ton == 5)
    }
}
