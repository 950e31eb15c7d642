import Testing

@testable import HTTPProvider

struct `Messages from phones in calls` {
    static func rules(_ change: (inout MessageCallRules.Source) throws -> Void = { _ in }) throws -> MessageCallRules {
        var source = MessageCallRules.Source(source: try Extractor("param:from"), message: try Extractor("param:text"))
        source.destination = try Extractor("param:to")
        source.charset = try Extractor("param:charset")
        source.binary = try Condition("param:type = binary")
        source.ucs2 = try Condition("param:coding = 2")
        source.userDataHeader = try Extractor("param:udh")
        try change(&source)
        return try MessageCallRules(source)
    }

    static func call(_ query: String) -> ReceivedDocument {
        ReceivedDocument(headers: [:], body: [], octets: FormDecoding.octets(query[...]))
    }

    static func content(_ query: String, _ rules: MessageCallRules) -> PhoneMessage.Content? {
        try? rules.read(call("from=1&to=2&" + query)).first?.content
    }

    @Test(
        arguments: [
            ("UTF-8 without a word", "text=Gr%C3%BC%C3%9Fe", .text("Grüße")), ("blanks stay", "text=+a+", .text(" a ")),
            ("empty", "text=", .text("")),
            ("Latin-1", "text=Gr%FC%DFe&charset=iso-8859-1", .text("Grüße")),
            ("UTF-16BE", "text=%00G%00r%04%10&charset=UTF-16BE", .text("GrА")),
            ("UCS-2 in hexadecimal", "text=00470072d83ddE00&coding=2", .text("Gr😀")),
            ("binary", "text=00ff10&type=binary", .binary([0, 255, 16])),
            ("not the charset that it says", "text=%FF", nil), ("half a unit", "text=a&charset=ucs-2", nil),
            ("half a surrogate", "text=d83d&coding=2", nil), ("odd digits", "text=0ff&type=binary", nil),
            ("no digits", "text=zz&type=binary", nil),
            ("a charset that nobody knows", "text=a&charset=ebcdic", nil), ("no text", "x=1", nil),
        ] as [(String, String, PhoneMessage.Content?)])
    func `texts come in the charset that the call names`(name: String, query: String, expected: PhoneMessage.Content?) throws {
        #expect(Self.content(query, try Self.rules()) == expected)
    }

    @Test func `a charset may be agreed on`() throws {
        let rules = try Self.rules { $0.defaultCharset = .latin1 }
        #expect(Self.content("text=Gr%FC%DFe", rules) == .text("Grüße"))
        #expect(Self.content("text=Gr%C3%BC&charset=UTF-8", rules) == .text("Grü"))
    }

    @Test(arguments: [
        "to=2&text=a", "from=1&text=a", "from=&to=2&text=a", "from=0123456789012345678901&to=2&text=a", "from=1&to=2&text=a&udh=0",
    ])
    func `what lacks a sender or a recipient, or is unreadable, is refused`(query: String) throws {
        let rules = try Self.rules()
        #expect(throws: ProviderFault.self) { try rules.read(Self.call(query)) }
    }

    @Test func `the recipient may be agreed on, the id must be there where it is asked for`() throws {
        let rules = try Self.rules {
            $0.destination = nil
            $0.defaultDestination = "72345"
            $0.id = try Extractor("param:id")
        }
        let message = try rules.read(Self.call("from=%2B46&text=a&id=M%201&udh=0500030702 01"))[0]
        #expect(message.destination == "72345" && message.source == "+46" && message.id == "M 1")
        #expect(message.userDataHeader == [5, 0, 3, 7, 2, 1])
        #expect(throws: ProviderFault.self) { try rules.read(Self.call("from=46&text=a")) }
        #expect(throws: ProviderFault.self) { try Self.rules { $0.destination = nil } }
        #expect(throws: ProviderFault.self) { try Self.rules { $0.list = try Extractor("param:x") } }
    }

    @Test func `a call may bring several`() throws {
        var source = MessageCallRules.Source(source: try Extractor("json:from"), message: try Extractor("json:text"))
        source.list = try Extractor("json:$.messages")
        source.destination = try Extractor("json:to")
        let rules = try MessageCallRules(source)
        let body = #"{"messages": [{"from": "1", "to": "2", "text": " a"}, {"from": "3", "to": "4", "text": "b"}]}"#
        let messages = try rules.read(ReceivedDocument(body: Array(body.utf8)))
        #expect(messages.map(\.source) == ["1", "3"] && messages.map(\.content) == [.text(" a"), .text("b")])
        #expect(throws: ProviderFault.self) { try rules.read(ReceivedDocument(body: Array(#"{"messages": [{"to": "2"}]}"#.utf8))) }
        #expect(throws: ProviderFault.self) { try rules.read(ReceivedDocument(body: Array("[]".utf8))) }
    }
}
