import Testing

@testable import HTTPProvider

struct `Answers of a provider` {
    static func document(_ status: Int, _ body: String = "", headers: [String: String] = [:]) -> ReceivedDocument {
        ReceivedDocument(status: status, headers: headers, body: Array(body.utf8))
    }

    static func rules(_ change: (inout AnswerRules) throws -> Void) rethrows -> AnswerRules {
        var rules = AnswerRules.standard
        try change(&rules)
        return rules
    }

    @Test(
        arguments: [
            (200, "12345\n", .taken(id: "12345")), (200, "Thank you very much", .taken(id: nil)), (200, "", .taken(id: nil)),
            (201, "1", .refused(.reject, code: "201", text: "the provider answered 201")),
            (400, "", .refused(.reject, code: "400", text: "the provider answered 400")),
            (401, "", .refused(.failOver, code: "401", text: "the provider answered 401")),
            (500, "", .refused(.retry, code: "500", text: "the provider answered 500")),
            (503, "", .refused(.throttle, code: "503", text: "the provider answered 503")),
        ] as [(Int, String, ProviderAnswer)])
    func `as EMG reads them`(status: Int, body: String, answer: ProviderAnswer) {
        #expect(AnswerRules.emg.read(Self.document(status, body)) == answer)
    }

    @Test func `by JSON paths`() throws {
        let rules = try Self.rules {
            $0.conditions = [try Condition("json:$.messages[0].status = 0")]
            $0.id = try Extractor("json:$.messages[0].message-id")
            $0.code = try Extractor("json:$.messages[0].status")
            $0.text = try Extractor("json:$.messages[0].error-text")
            $0.verdicts = try VerdictMap("code:1=throttle code:9=failover 4xx=retry *=reject")
        }
        #expect(
            rules.read(Self.document(200, "{\"messages\":[{\"status\":\"0\",\"message-id\":123456789012345678901234}]}"))
                == .taken(id: "123456789012345678901234"))
        #expect(
            rules.read(Self.document(200, "{\"messages\":[{\"status\":\"9\",\"error-text\":\"No\\nmoney\"}]}"))
                == .refused(.failOver, code: "9", text: "the provider answered 200, error 9: No money"))
        #expect(
            rules.read(Self.document(200, "{\"messages\":[{\"status\":\"1\"}]}"))
                == .refused(.throttle, code: "1", text: "the provider answered 200, error 1"))
        #expect(
            rules.read(Self.document(200, "<html>"))
                == .refused(.reject, code: "200", text: "the provider answered 200: the answer does not say that it was taken"))
        #expect(rules.read(Self.document(404)) == .refused(.retry, code: "404", text: "the provider answered 404"))
    }

    @Test func `by regular expressions, XML and headers`() throws {
        let lines = try Self.rules {
            $0.conditions = [try Condition("body ~ ^OK")]
            $0.id = try Extractor("regex:ID: *(\\w+)")
            $0.code = try Extractor("regex:ERR (\\d+)")
        }
        #expect(lines.read(Self.document(200, "OK ID: abc7\n")) == .taken(id: "abc7"))
        #expect(lines.read(Self.document(200, "ERR 105")) == .refused(.reject, code: "105", text: "the provider answered 200, error 105"))
        let xml = try Self.rules {
            $0.conditions = [try Condition("xml:/reply/@status ~ ^(0|ok)$")]
            $0.id = try Extractor("xml:/reply/message/id")
        }
        #expect(
            xml.read(
                Self.document(
                    202, "<?xml version=\"1.0\"?>\n<n:reply xmlns:n='x' status='OK'><message><id> 7&amp;8 </id></message></n:reply>"))
                == .taken(id: "7&8"))
        let header = try Self.rules { $0.id = try Extractor("header:X-Message-Id") }
        #expect(header.read(Self.document(204, headers: ["x-message-id": "z"])) == .taken(id: "z"))
    }

    @Test(
        arguments: [
            "json:", "json:$.a[", "json:$..a", "json:$[x]", "json:$['a", "xml:", "xml:/a//b", "xml:@x", "xml:/a[1]", "regex:", "regex:(",
            "header:",
            "param:", "cookie:a", "", "status:1",
        ])
    func `places that are none are refused`(text: String) {
        #expect(throws: ProviderFault.self) { try Extractor(text) }
    }

    @Test(
        arguments: [
            ("$.a.b[1]", "2"), ("a.b[-1]", "3"), ("$['a']['x y']", "z"), ("$.a.b[9]", nil), ("$.a.b[*]", "1"), ("$.a", nil), ("$.n", nil),
            ("$.t", "true"), ("$.big", "1e400"), ("$.u", "å\u{1F600}"),
        ] as [(String, String?)])
    func `JSON paths`(path: String, value: String?) throws {
        let text = "{\"a\":{\"b\":[1,\"2\",3],\"x y\":\"z\"},\"n\":null,\"t\":true,\"big\":1e400,\"u\":\"\\u00e5\\ud83d\\ude00\"}"
        #expect(try Extractor("json:\(path)").value(in: Self.document(200, text)) == value)
    }

    @Test(
        arguments: [
            "", "{", "[1,]", "{\"a\":1,}", "{'a':1}", "01", "1.", "+1", "\"a", "\"\u{1}\"", "tru", "[1] 2", "\"\\x\"", "\"\\u12g4\"", "nul",
            String(repeating: "[", count: 100) + String(repeating: "]", count: 100),
        ])
    func `what is no JSON is not read`(text: String) {
        #expect(JSONValue(Array(text.utf8)) == nil)
    }

    @Test(
        arguments: [
            "", "a", "<a>", "<a></b>", "<a b=c/>", "<a/><b/>", "<a>&nbsp;</a>", "<a>&#xD800;</a>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<a><![CDATA[x</a>", "<>", String(repeating: "<a>", count: 100) + String(repeating: "</a>", count: 100),
        ])
    func `what is no XML is not read`(text: String) {
        #expect(XMLNode(Array(text.utf8)) == nil)
    }

    @Test func `cut and changed octets never trap`() throws {
        let samples = [
            "{\"a\":{\"b\":[1,\"2\",-3.5e7],\"x\":\"\\ud83d\\ude00\\n\"},\"n\":null}",
            "<?xml?><!--c--><r a='1'><b>x&#65;<![CDATA[y]]></b></r>",
        ].map { Array($0.utf8) }
        let paths = (try JSONPath("$.a.b[*]"), try XMLPath("r/b"))
        var random = SystemRandomNumberGenerator()
        for _ in 0..<4_000 {
            var octets = samples.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 0...4, using: &random) where !octets.isEmpty {
                let place = Int.random(in: 0..<octets.count, using: &random)
                if Bool.random(using: &random) {
                    octets[place] = UInt8.random(in: 0...255, using: &random)
                } else {
                    octets.remove(at: place)
                }
            }
            octets = Array(octets.prefix(Int.random(in: 0...octets.count, using: &random)))
            if let value = JSONValue(octets) { _ = paths.0.values(in: value) }
            if let node = XMLNode(octets) { _ = paths.1.nodes(in: node) }
        }
    }

    @Test(arguments: [("", 0), ("600=retry", 0), ("200=never", 0), ("6xx=retry", 0), ("code:=retry", 0), ("retry", 0)] as [(String, Int)])
    func `verdicts that are none are refused`(text: String, _: Int) {
        if text.isEmpty {
            #expect(throws: Never.self) { try VerdictMap(text) }
        } else {
            #expect(throws: ProviderFault.self) { try VerdictMap(text) }
        }
    }
}

struct `Calls of a provider` {
    static func call(_ body: String = "", parameters: [String: String] = [:]) -> ReceivedDocument {
        ReceivedDocument(body: Array(body.utf8), parameters: parameters)
    }

    @Test func `by parameters`() throws {
        let rules = try CallbackRules(
            id: try Extractor("param:id"), messageID: nil, status: try Extractor("param:status"),
            states: try StateMap("1=DELIVERED 2=UNDELIVERABLE 8=IGNORED not_there=FAILED"), error: try Extractor("param:err"))
        #expect(try rules.read(Self.call(parameters: ["id": "x", "status": "1"])) == [report("x", .delivered)])
        #expect(try rules.read(Self.call(parameters: ["id": "12", "status": "Not there", "err": "5"])) == [report("12", .failed, "5")])
        #expect(try rules.read(Self.call(parameters: ["id": "x", "status": "8"])) == [])
        #expect(try rules.read(Self.call(parameters: ["id": "x", "status": "DELIVRD"])) == [report("x", .delivered)])
        for bad in [["id": "x"], ["status": "1"], ["id": "x", "status": "99"]] {
            #expect(throws: ProviderFault.self) { try rules.read(Self.call(parameters: bad)) }
        }
    }

    @Test func `by our own ids`() throws {
        let rules = try CallbackRules(id: nil, messageID: try Extractor("param:ref"), status: try Extractor("param:status"))
        #expect(try rules.read(Self.call(parameters: ["ref": "0012", "status": "failed"])) == [report("12", .failed)])
        for bad in [["ref": "abc", "status": "sent"], ["ref": "-3", "status": "sent"], ["id": "3", "status": "sent"]] {
            #expect(throws: ProviderFault.self) { try rules.read(Self.call(parameters: bad)) }
        }
    }

    private func report(_ id: String, _ state: ReportState, _ error: String = "") -> ProviderReport {
        var report = ProviderReport()
        (report.id, report.state, report.error) = (id, state, error)
        return report
    }

    @Test func `by a list in JSON or XML`() throws {
        let json = try CallbackRules(
            list: try Extractor("json:$.results"), id: try Extractor("json:messageId"), messageID: nil,
            status: try Extractor("json:status.name"))
        let text =
            "{\"results\":[{\"messageId\":1,\"status\":{\"name\":\"DELIVERED\"}},{\"messageId\":\"2\",\"status\":{\"name\":\"sent\"}}]}"
        #expect(try json.read(Self.call(text)) == [report("1", .delivered), report("2", .buffered)])
        #expect(throws: ProviderFault.self) { try json.read(Self.call("{\"results\":[]}")) }
        #expect(throws: ProviderFault.self) { try json.read(Self.call("{\"results\":[{\"messageId\":1}]}")) }
        let xml = try CallbackRules(
            list: try Extractor("xml:/dlrs/dlr"), id: try Extractor("xml:dlr/@id"), messageID: nil, status: try Extractor("xml:/dlr/state"))
        #expect(
            try xml.read(Self.call("<dlrs><dlr id='a'><state>failed</state></dlr><dlr id='b'><state>expired</state></dlr></dlrs>"))
                == [report("a", .failed), report("b", .expired)])
    }

    @Test func `rules that cannot name a message are refused`() throws {
        let status = try Extractor("param:s")
        #expect(throws: ProviderFault.self) { try CallbackRules(id: nil, messageID: nil, status: status) }
        #expect(throws: ProviderFault.self) { try CallbackRules(id: status, messageID: status, status: status) }
        #expect(throws: ProviderFault.self) { try CallbackRules(list: status, id: status, messageID: nil, status: status) }
    }

    @Test(arguments: [("a=1&b=x+y%21&c", ["a": "1", "b": "x y!", "c": ""]), ("", [:]), ("%zz=1&a=%", ["%zz": "1", "a": "%"])])
    func `forms`(text: String, parameters: [String: String]) {
        #expect(FormDecoding.parameters(text[...]) == parameters)
    }
}
