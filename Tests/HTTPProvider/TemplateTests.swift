import Testing

@testable import HTTPProvider

struct `Templates over a message` {
    static func values(_ text: String = "Hello", isBinary: Bool = false) -> MessageValues {
        var values = MessageValues(
            source: .init(number: "ACME & Co", ton: 5, npi: 0), destination: .init(number: "46701234567", ton: 1, npi: 1))
        values.message = text
        values.isBinary = isBinary
        values.messageID = 77
        values.now = 1_769_860_800_000
        values.options = ["PROTOCOLID": "64"]
        return values
    }

    static var account: ProviderAccount {
        var account = ProviderAccount()
        account.connector = "out"
        account.username = "me"
        account.password = "se/cret"
        account.token = "tok"
        return account
    }

    static func render(_ template: String, _ place: Escape, _ values: MessageValues = values(), charset: ProviderCharset = .utf8) throws
        -> String
    {
        String(decoding: try Template(template, place: place).octets(values, account, charset), as: UTF8.self)
    }

    @Test(
        arguments: [
            ("to=${DESTADDR}&from=${SOURCEADDR}", .url, "to=46701234567&from=ACME%20%26%20Co"),
            ("${SOURCEADDR}", .form, "ACME+%26+Co"), ("{\"to\":\"${DESTADDR|plus}\"}", .json, "{\"to\":\"+46701234567\"}"),
            ("<to>${SOURCEADDR}</to>", .xml, "<to>ACME &amp; Co</to>"), ("${sourceaddr|raw}", .url, "ACME & Co"),
            ("${SOURCEADDR|digits}", .raw, ""), ("${MESSAGE|hex}", .url, "48656C6C6F"), ("${MESSAGE|ucs2}", .url, "00480065006C006C006F"),
            ("${MESSAGE|base64}", .url, "SGVsbG8%3D"), ("${MESSAGE|base64|raw}", .url, "SGVsbG8="),
            ("$${DESTADDR} $5 ${PART}", .raw, "${DESTADDR} $5 1"),
            ("${USERNAME}:${PASSWORD}@${TOKEN}", .url, "me:se%2Fcret@tok"),
            ("${TIME} ${TIMESTAMP}", .raw, "2026-01-31T12:00:00Z 1769860800"),
            ("${OPTION.PROTOCOLID}${OPTION.none}", .raw, "64"), ("${VP}|${EXPIRES}|${UDH}", .raw, "||"), ("", .raw, ""),
        ] as [(String, Escape, String)])
    func `say what they stand for`(template: String, place: Escape, result: String) throws {
        #expect(try Self.render(template, place) == result)
    }

    @Test(arguments: ["${NUMBER}", "${DESTADDR", "${DESTADDR|upper}", "${DESTADDR|url|plus}", "${}", "${OPTION.}"])
    func `with a mistake are refused`(template: String) {
        #expect(throws: ProviderFault.self) { try Template(template, place: .raw) }
    }

    static let nasty = "\"}, {\\ </x> & \r\nHost: evil\u{0}\u{1F600}åé'`;%0A ${DESTADDR}"

    @Test func `no text of a sender leaves its place`() throws {
        let values = Self.values(Self.nasty)
        let json = try Self.render("{\"text\":\"${MESSAGE}\",\"n\":1}", .json, values)
        #expect(JSONValue(Array(json.utf8)) == .object(["text": .string(Self.nasty), "n": .number("1")]))
        let xml = try #require(XMLNode(Array(try Self.render("<a b=\"${MESSAGE}\">${MESSAGE}</a>", .xml, values).utf8)))
        let readable = Self.nasty.replacing("\u{0}", with: "\u{FFFD}")
        #expect(xml.text == readable && xml.attributes["b"] == readable)
        let form = try Self.render("a=${MESSAGE}&b=1", .form, values)
        #expect(form.split(separator: "&").count == 2 && !form.contains("\n") && !form.contains(" "))
        let header = try Self.render("${MESSAGE} ${MESSAGE|raw}", .header, values)
        #expect(!header.utf8.contains { $0 < 0x20 })
    }

    @Test func `any text comes back from JSON, XML and a form as it was`() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            let text = String(
                String.UnicodeScalarView(
                    (0..<Int.random(in: 0...40, using: &random)).compactMap { _ in
                        Unicode.Scalar(UInt32.random(in: 1...(Bool.random(using: &random) ? 0x7F : 0x2FFF), using: &random))
                    }))
            let values = Self.values(text)
            let json = JSONValue(Array(try Self.render("[\"${MESSAGE}\"]", .json, values).utf8))
            #expect(json == .array([.string(text)]), "\(Array(text.unicodeScalars))")
            let form = try Self.render("${MESSAGE}", .form, values)
            #expect(FormDecoding.decode(Substring(form)) == text, "\(Array(text.unicodeScalars))")
            let isXML = text.unicodeScalars.allSatisfy { $0.value >= 0x20 || [9, 10, 13].contains($0.value) }
            if isXML { #expect(XMLNode(Array(try Self.render("<m>${MESSAGE}</m>", .xml, values).utf8))?.text == text) }
        }
    }

    @Test func `Latin-1 is percent-encoded as such, with a space for what it lacks`() throws {
        #expect(try Self.render("${MESSAGE}", .url, Self.values("åé\u{20AC}!"), charset: .latin1) == "%E5%E9%20%21")
    }
}

struct `Requests` {
    static func source(_ change: (inout RequestRules.Source) -> Void) -> RequestRules.Source {
        var source = RequestRules.Source()
        source.url = "http://api.example.com/send"
        source.account = `Templates over a message`.account
        change(&source)
        return source
    }

    static func request(_ values: MessageValues = `Templates over a message`.values(), _ change: (inout RequestRules.Source) -> Void) throws
        -> ProviderRequest
    {
        try RequestRules(source(change)).request(for: values)
    }

    @Test func `without a template the options are EMG's parameters`() throws {
        let request = try Self.request { $0.account = ProviderAccount() }
        #expect(request.method == "GET" && request.headers.isEmpty && request.body.isEmpty)
        #expect(request.url == "http://api.example.com/send?SOURCEADDR=ACME+%26+Co&DESTADDR=46701234567&MESSAGE=Hello")
        var values = `Templates over a message`.values("0605", isBinary: true)
        values.userDataHeader = "050003070201"
        values.dataCoding = 4
        let post = try Self.request(values) {
            $0.method = "post"
            $0.account.token = ""
        }
        #expect(post.method == "POST" && post.url == "http://api.example.com/send")
        #expect(
            String(decoding: post.body, as: UTF8.self)
                == "USERNAME=me&PASSWORD=se%2Fcret&SOURCEADDR=ACME+%26+Co&DESTADDR=46701234567&MESSAGE=0605&UDH=050003070201&DCS=4")
        #expect(post.headers == [.init(name: "Content-Type", value: "application/x-www-form-urlencoded; charset=utf-8")])
    }

    @Test func `a body of JSON is posted as such, with the token`() throws {
        let request = try Self.request { $0.body = "{\"to\": \"${DESTADDR}\", \"text\": \"${MESSAGE}\"}" }
        #expect(request.method == "POST" && request.body == Array("{\"to\": \"46701234567\", \"text\": \"Hello\"}".utf8))
        #expect(
            request.headers == [
                .init(name: "Authorization", value: "Bearer tok"), .init(name: "Content-Type", value: "application/json"),
            ])
    }

    @Test func `the ways to authenticate`() throws {
        let basic = try Self.request {
            $0.account.token = ""
            $0.basic = ("Aladdin", "open sesame")
        }
        // RFC 7617, 2: the specification's own example.
        #expect(basic.headers == [.init(name: "Authorization", value: "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")])
        let own = try Self.request { $0.tokenHeader = "X-Api-Key" }
        #expect(own.headers == [.init(name: "X-Api-Key", value: "tok")])
        let named = try Self.request { $0.headers = ["Authorization: AccessKey ${TOKEN}"] }
        #expect(named.headers == [.init(name: "Authorization", value: "AccessKey tok")])
    }

    @Test func `parameters that come out empty are left out`() throws {
        let request = try Self.request(`Templates over a message`.values("")) {
            $0.parameters = ["to=${DESTADDR}", "udh=${UDH}", "text=${MESSAGE}", "fixed="]
            $0.url += "?v=2"
        }
        #expect(request.url == "http://api.example.com/send?v=2&to=46701234567&text=&fixed=")
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var change: @Sendable (inout RequestRules.Source) -> Void

        init(_ name: String, _ change: @escaping @Sendable (inout RequestRules.Source) -> Void) {
            testDescription = name
            self.change = change
        }
    }

    @Test(
        arguments: [
            Mistake("an address without http") { $0.url = "api.example.com/send" },
            Mistake("a host that a message chooses") { $0.url = "http://${DESTADDR}.example.com/" },
            Mistake("a user in the URL") { $0.url = "http://a:b@example.com/" },
            Mistake("a method that is none") { $0.method = "SEND" },
            Mistake("a body with GET") { ($0.method, $0.body) = ("GET", "x") },
            Mistake("both kinds of content") { ($0.parameters, $0.body) = (["a=1"], "x") },
            Mistake("a header of ours") { $0.headers = ["Host: evil"] },
            Mistake("a header without a colon") { $0.headers = ["X"] },
            Mistake("a header with a blank in its name") { $0.headers = ["X Y: 1"] },
            Mistake("a parameter without a name") { $0.parameters = ["=1"] },
            Mistake("two ways to authenticate") { $0.basic = ("a", "b") },
            Mistake("a colon in a user") { ($0.account.token, $0.basic) = ("", ("a:b", "c")) },
        ])
    func `with a mistake are refused`(mistake: Mistake) {
        #expect(throws: ProviderFault.self) { try RequestRules(Self.source(mistake.change)) }
    }
}
