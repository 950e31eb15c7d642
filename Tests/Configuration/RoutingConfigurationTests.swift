import Configuration
import Foundation
import Pricing
import Routing
import Testing

struct Unreadable: Error, CustomStringConvertible {
    var description: String
}

@Suite struct `Routing in a configuration` {
    static func check(_ text: String) -> [ConfigurationDiagnostic] { ConfigurationFile.check(text).diagnostics }

    static let provider = "CONNECTOR a <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERNAME=u\n>\n"
    static let client = "CONNECTOR in1 <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=h:2\nUSERDB\n>\n"

    @Test func `groups and pools are read with their defaults`() throws {
        let text = """
            CONNECTORGROUP g <
            CONNECTOR=a:2
            CONNECTOR=b
            TYPE=LB
            >
            SATPOOL p <
            ADDRESSRANGE=46700000000-46700000099,46800000000
            THREADED
            RANDOM=0
            EXPIRE=60
            >
            """
        let (sections, diagnostics) = ConfigurationParser.parse(text).file.routingSections()
        #expect(diagnostics.isEmpty)
        #expect(
            sections.groups == [
                ConnectorGroup(name: "g", kind: .loadBalancing, members: [.init(name: "a", weight: 2), .init(name: "b", weight: 1)])
            ])
        let pool = try #require(sections.pools.first)
        #expect(pool.count == 101 && pool.isThreaded && !pool.isRandom && !pool.ignoresDestination && pool.expirySeconds == 60)
    }

    @Test(
        arguments: [
            ("a group without members", "CONNECTORGROUP g <\n>", "it has no CONNECTOR"),
            ("a type that there is not", provider + "CONNECTORGROUP g <\nTYPE=RANDOM\nCONNECTOR=a\n>", "FAILOVER, LB or LCR"),
            ("a weight that is none", provider + "CONNECTORGROUP g <\nCONNECTOR=a:x\n>", "name:weight"),
            ("a member twice", provider + "CONNECTORGROUP g <\nCONNECTOR=a\nCONNECTOR=a\n>", "a member already"),
            ("a member that is not there", provider + "CONNECTORGROUP g <\nCONNECTOR=ab\n>", "no such connector"),
            ("a group that holds itself", "CONNECTORGROUP g <\nCONNECTOR=h\n>\nCONNECTORGROUP h <\nCONNECTOR=g\n>", "holds itself"),
            ("a group named like a connector", provider + "CONNECTORGROUP a <\nCONNECTOR=a\n>", "same name"),
            ("a pool without numbers", "SATPOOL p <\n>", "ADDRESSRANGE is missing"),
            ("a range backwards", "SATPOOL p <\nADDRESSRANGE=5-4\n>", "first-last"),
            ("a flag that is none", "SATPOOL p <\nADDRESSRANGE=1\nRANDOM=maybe\n>", "RANDOM is 1 or 0"),
            ("a mail domain", "DOMAIN example.com <\n>", "e-mail is not supported yet"),
            ("a quotation that is none", "SATPOOL p <\nADDRESSRANGE=1\nQUOTED_REPLY=maybe\n>", "QUOTED_REPLY is 1 or 0"),
            ("a rewrite without its end", client.replacing(">", "REGEXP=/a/b\n>"), "write [SOURCEADDR:]/pattern/replacement/"),
            ("a rewrite that is no expression", client.replacing(">", "REGEXP=/(/b/\n>"), "REGEXP: missing closing parenthesis"),
            ("a rewrite by a group that is not there", client.replacing(">", "REGEXP=/(a)/$2/\n>"), "REGEXP: "),
            ("a route to nowhere", client.replacing(">", "ROUTE=b\n>"), "ROUTE names b, but there is no such connector"),
            ("a route back to itself", provider.replacing(">", "ROUTE=a\n>"), "back to the connector itself"),
            ("a redirect to the other side", provider + client.replacing(">", "REDIRECT=a\n>"), "of the other TYPE"),
            ("a pool that is not there", client.replacing(">", "SATPOOL_CREATE=p\n>"), "no such SATPOOL section"),
            ("a provider's route without its account", client + provider.replacing(">", "ROUTE=in1\n>"), "without ROUTEUSER"),
            ("reports to a provider", provider.replacing(">", "ROUTEDLR=a\n>"), "takes reports and answers to clients"),
            ("reports of a client connector", client.replacing(">", "ROUTEDLR=in1\n>"), "no reports come in"),
            ("answers to nowhere", client.replacing(">", "ROUTESAT=x\n>"), "ROUTESAT names x"),
            ("a normalization that is none", client.replacing(">", "NORMALIZE=0-46\n>"), "old:new"),
            ("a prefix that is none", client.replacing(">", "REMOVEPREFIX=abc\n>"), "takes digits"),
        ])
    func namesContradictions(name: String, text: String, words: String) {
        let diagnostics = Self.check(text)
        #expect(diagnostics.contains { $0.message.contains(words) && $0.line > 0 }, "\(name): \(diagnostics)")
    }

    @Test func `redirects in a circle are found`() {
        let second = Self.provider.replacing("CONNECTOR a", "CONNECTOR b").replacing("h:1", "h:3")
        let diagnostics = Self.check(Self.provider.replacing(">", "REDIRECT=b\n>") + second.replacing(">", "REDIRECT=a\n>"))
        #expect(diagnostics.count { $0.message.contains("in a circle") } == 2)
    }

    @Test func `number rules are read`() throws {
        let text = Self.client.replacing(">", "NORMALIZE=00:,0:46\nREMOVEPREFIX=+,46\nREQUIREPREFIX=99\nALLOWROUTE\n>")
        let connector = try #require(ConfigurationFile.check(text).connectors.first)
        #expect(
            connector.routing.numbers
                == NumberRules(
                    replacements: [.init(from: "00", to: ""), .init(from: "0", to: "46")], removed: ["+", "46"], required: "99"))
        #expect(connector.routing.allowsRoute)
    }

    @Test func `rewrites are read, in their order`() throws {
        let text = Self.client.replacing(">", "REGEXP=/^00//\nREGEXP=sourceaddr:|^0(\\d+)$|46$1|\nREGEXP=DESTADDR:/x/y/\n>")
        let connector = try #require(ConfigurationFile.check(text).connectors.first)
        #expect(connector.routing.numbers.rewrites.map(\.field) == [.destination, .source, .destination])
        #expect(connector.routing.numbers.apply("0046x") == "46y" && connector.routing.numbers.applyToSource("0701") == "46701")
    }

    @Test func `files of accounts are read, and every fault names the account, the file and the line`() throws {
        let references = [
            AccountFile.Reference(account: "acme", kind: .routing, path: "routes"),
            AccountFile.Reference(account: "acme", kind: .charges, path: "charges"),
        ]
        let (files, faults) = AccountFile.read(references) { name in
            name == "routes" ? "* a,b PREFIX=46\n" : "# ours\n46 0.05\n*\t0.1 SEK # the rest\n\n4670 0\n"
        }
        #expect(faults.isEmpty)
        #expect(files.map(\.reference.origin) == ["ACCOUNT acme routing", "ACCOUNT acme charges"])
        #expect(files[0].rows.map(\.targets) == [["a", "b"]])
        #expect(
            files[1].charges == [
                .init(prefix: "46", charge: Money(micros: 50_000)), .init(prefix: "", charge: Money(micros: 100_000), currency: "SEK"),
                .init(prefix: "4670", charge: .zero),
            ])
        let wrong = AccountFile.read(references) { name in
            guard name == "charges" else { return "# nothing\n" }
            return "46\n4x 1\n47 -1\n48 0.0000001\n49 1 euro\n50 1\n50 2\n51 1 EUR x\n"
        }
        #expect(wrong.files.isEmpty)
        #expect(wrong.faults[0] == "routing of the account acme: routes: nothing is in it")
        #expect(
            wrong.faults.dropFirst().map { String($0.prefix(44)) }
                == [1, 2, 3, 4, 5, 7, 8].map { "charges of the account acme: charges, line \($0)" })
        let missing = AccountFile.read([references[1]]) { throw Unreadable(description: "cannot read \($0)") }
        #expect(missing.faults == ["charges of the account acme: charges: cannot read charges"])
    }

    @Test(arguments: [("1", true), ("604800", true), ("0", false), ("604801", false), ("1h", false), ("", false)])
    func `ORPHANTIME is a number of seconds`(value: String, isSound: Bool) {
        let found = Self.check("ORPHANTIME=\(value)\n")
        #expect(found.isEmpty == isSound && found.allSatisfy { $0.line == 1 && $0.message.contains("ORPHANTIME is a number of seconds") })
    }

    @Test func `a keyword that is not supported says what to do instead`() {
        let found = Self.check("PDULOGDB\nPROFILING_THRESHOLD=0.5\n")
        #expect(found.map(\.line) == [1, 2] && found.allSatisfy { $0.severity == .warning })
        #expect(found[0].message.contains("PDULOG writes") && found[1].message.contains("/metrics"))
    }

    @Test func `lists of addresses are read as EMG writes them`() {
        let (rules, faults) = RoutingFiles.addresses(
            "# bad\n46701\tREJECT\tDESTADDR\n\nShop LOG\n  spam*   # a beginning\n46701\tREJECT\tDESTADDR\n", list: .blacklist,
            connector: "in1")
        #expect(faults.isEmpty)
        #expect(
            rules == [
                AddressRule(list: .blacklist, field: .destination, address: "46701", connector: "in1"),
                AddressRule(list: .blacklist, field: .source, address: "Shop", action: .log, connector: "in1"),
                AddressRule(list: .blacklist, field: .source, address: "spam*", connector: "in1"),
            ])
        let wrong = RoutingFiles.addresses("a REJECT DESTADDR x\nb DROP\nc LOG SOURCE\nd*e\n", list: .whitelist, connector: nil)
        #expect(wrong.rules.isEmpty && wrong.faults.map(\.line) == [1, 2, 3, 4])
    }

    @Test func `a routing file is read, and its faults are told with both lines`() {
        let (rows, faults) = RoutingFiles.routing("in1 a,b # failover\n* g PREFIX=46 KEYWORD=stop\n")
        #expect(faults.isEmpty)
        #expect(rows.map(\.inConnector) == ["in1", nil] && rows.map(\.targets) == [["a", "b"], ["g"]])
        #expect(rows[1].prefix == "46" && rows[1].keyword == "stop")
        let file = ConfigurationParser.parse("ROUTING=routes\nBLACKLIST=bad\n" + Self.provider).file
        let (_, diagnostics) = RoutingFileContents.read(file) { name in
            guard name == "routes" else { throw Unreadable(description: "cannot read \(name)") }
            return "* a\n* b\n* a REGEXP=(\nin1\n"
        }
        #expect(diagnostics.map(\.line) == [1, 1, 1, 2])
        #expect(diagnostics[0].message.contains("routes, line 3") && diagnostics[3].message.contains("cannot read bad"))
    }
}

extension String {
    fileprivate func replacing(_ old: String, _ new: String) -> String {
        guard let range = range(of: old, options: .backwards) else { return self }
        return replacingCharacters(in: range, with: new)
    }
}
