import Testing

@testable import IngressHTTP

@Suite struct JSONTests {
    static func parse(_ text: String) -> JSONValue? { try? JSONParser.parse(Array(text.utf8)) }

    @Test(
        arguments: [
            ("null", .null), (" true ", .bool(true)), ("12", .integer(12)), ("-0", .integer(0)), ("1.0", .integer(1)),
            ("1e2", .integer(100)),
            ("1.5", .fraction(1.5)), ("\"a\\u00e5\\n\\\"\"", .string("aå\n\"")), ("\"\\ud83d\\ude00\"", .string("😀")),
            ("[1,[2]]", .array([.integer(1), .array([.integer(2)])])),
            ("{\"a\":1,\"b\":{\"c\":[]},\"a\":2}", .object(["a": .integer(2), "b": .object(["c": .array([])])])),
        ] as [(String, JSONValue)])
    func `what JSON says is read`(text: String, value: JSONValue) { #expect(Self.parse(text) == value) }

    @Test(
        arguments: [
            "", "{", "[1,]", "{\"a\"}", "{a:1}", "01", "1.", "-", "+1", "\"\\x\"", "\"\\ud83d\"", "\"\\udc00\"", "\"a", "nul", "1 2",
            "\"\u{1}\"",
            "1e999", "[", "{\"a\":1,}",
        ])
    func `what is no JSON is refused`(text: String) { #expect(Self.parse(text) == nil) }

    @Test func `a string that is no UTF-8 is refused`() {
        #expect(throws: JSONFault.self) { try JSONParser.parse([0x22, 0xFF, 0x22]) }
    }

    @Test func `depth is bounded`() {
        #expect(Self.parse(String(repeating: "[", count: 15) + String(repeating: "]", count: 15)) != nil)
        #expect(Self.parse(String(repeating: "[", count: 100_000)) == nil)
    }

    @Test(arguments: ["plain", "quote\" and \\", "line\nand\ttab\u{1}", "å😀"])
    func `what is written is read again`(text: String) throws {
        let written = JSONWriter.object { writer in
            writer.member("text", text)
            writer.member("none", nullable: nil)
            writer.name("list")
            writer.array([1, 2]) { $0.raw("\($1)") }
        }
        #expect(
            try JSONParser.parse(written) == .object(["text": .string(text), "none": .null, "list": .array([.integer(1), .integer(2)])]))
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-21T10:00:00.5+01:00", 1_795_251_600_500), ("2000-02-29t23:59:60z", 951_868_800_000),
            ("1969-12-31T23:59:59Z", -1_000),
        ] as [(String, Int64)])
    func `a time of RFC 3339 is a moment`(text: String, moment: Int64) { #expect(Timestamp.parse(text) == moment) }

    @Test(
        arguments: [
            "", "2026-11-21", "2026-11-21T10:00:00", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-21T24:00:00Z",
            "2026-11-21T10:00:00.Z", "2026-11-21T10:00:00+0100", "2026-11-21 10:00:00Z", "2026-11-21T10:00:0aZ",
        ])
    func `what is no time of RFC 3339 is refused`(text: String) { #expect(Timestamp.parse(text) == nil) }

    @Test(arguments: [0, 951_868_799_123, 1_795_251_600_500, 253_402_300_799_999] as [Int64])
    func `a moment is written so that it is read again`(moment: Int64) { #expect(Timestamp.parse(Timestamp.text(moment)) == moment) }
}
