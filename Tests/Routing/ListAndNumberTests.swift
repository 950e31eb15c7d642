@testable import Routing
import Testing

@Suite struct `Black- and whitelists` {
    static func plan(_ rules: [AddressRule]) -> RoutingPlan {
        RoutingPlan(
            routes: [Route(id: 1, match: RouteMatch(), target: "a"), Route(id: 2, match: RouteMatch(), target: "b", priority: 1)],
            connectors: Plans.connectors(), lists: AddressLists(rules))
    }

    static func rule(
        _ list: AddressRule.List, _ field: AddressRule.Field, _ address: String, _ action: AddressRule.Action = .reject,
        account: String? = nil,
        connector: String? = nil
    ) -> AddressRule {
        AddressRule(list: list, field: field, address: address, action: action, account: account, connector: connector)
    }

    @Test(
        arguments: [
            ("a sender", [rule(.blacklist, .source, "shop")], Plans.query("1"), false),
            ("another sender", [rule(.blacklist, .source, "shop")], Plans.query("1", from: "Bank"), true),
            ("a recipient, with or without a plus sign", [rule(.blacklist, .destination, "+4670")], Plans.query("4670"), false),
            ("the beginning of a recipient", [rule(.blacklist, .destination, "4670*")], Plans.query("46701"), false),
            ("not the beginning", [rule(.blacklist, .destination, "4670*")], Plans.query("46711"), true),
            ("everybody", [rule(.blacklist, .destination, "*")], Plans.query("1"), false),
            ("only for an account", [rule(.blacklist, .source, "shop", account: "x")], Plans.query("1"), false),
            ("not for another account", [rule(.blacklist, .source, "shop", account: "y")], Plans.query("1"), true),
            ("only for a connector", [rule(.blacklist, .source, "shop", connector: "in1")], Plans.query("1"), false),
            ("not for another connector", [rule(.blacklist, .source, "shop", connector: "in2")], Plans.query("1"), true),
            ("a whitelist without it", [rule(.whitelist, .source, "bank")], Plans.query("1"), false),
            ("a whitelist with it", [rule(.whitelist, .source, "bank"), rule(.whitelist, .source, "sho*")], Plans.query("1"), true),
            ("a whitelist of recipients says nothing of senders", [rule(.whitelist, .destination, "1")], Plans.query("1"), true),
            ("LOG lets it pass", [rule(.blacklist, .source, "shop", .log)], Plans.query("1"), true),
            ("REJECT wins over LOG", [rule(.blacklist, .source, "shop", .log), rule(.blacklist, .source, "s*")], Plans.query("1"), false),
            ("a whitelist that logs", [rule(.whitelist, .source, "bank", .log)], Plans.query("1"), true),
        ] as [(String, [AddressRule], RouteQuery, Bool)])
    func decide(name: String, rules: [AddressRule], query: RouteQuery, passes: Bool) {
        let verdict = Self.plan(rules).decide(query)
        #expect((verdict.choice != nil) == passes, "\(name): \(verdict)")
        if let refusal = verdict.refusal { #expect(refusal.description.contains("list"), "\(refusal)") }
        if rules.allSatisfy({ $0.action == .log }) { #expect(verdict.choice?.notes.count == 1, "\(name)") }
    }

    @Test func `a provider's list leads to the next route`() {
        let plan = Self.plan([Self.rule(.blacklist, .destination, "46*", connector: "a")])
        #expect(plan.decide(Plans.query("45")).connector == "a")
        #expect(plan.decide(Plans.query("46")).connector == "b")
    }
}

@Suite struct `Numbers` {
    @Test(
        arguments: [
            ("0701234567", "46701234567"), ("00471234", "471234"), ("+46701", "46701"), ("46701", "46701"), ("Shop", "Shop"), ("+", "+"),
        ])
    func `are normalized by the longest prefix that fits`(number: String, expected: String) {
        let rules = NumberRules(replacements: [.init(from: "0", to: "46"), .init(from: "00", to: ""), .init(from: "+", to: "")])
        #expect(rules.apply(number) == expected)
    }

    @Test func `lose a prefix and get another`() {
        #expect(NumberRules(removed: ["46", "4670"]).apply("46701") == "1")
        #expect(NumberRules(required: "00").apply("46701") == "0046701")
        #expect(NumberRules(required: "46").apply("46701") == "46701")
        #expect(NumberRules(removed: ["0"], required: "46").apply("0701") == "46701")
    }

    @Test func `are translated for the provider, and stay what they are for everybody else`() throws {
        let plan = RoutingPlan(
            routes: [
                Route(
                    id: 1, match: RouteMatch(prefix: "46"), target: "a", translation: NumberTranslation(strip: 2, add: "0", source: "72000")
                )
            ],
            connectors: Plans.connectors {
                $0["in1"]?.numbers = NumberRules(replacements: [.init(from: "0", to: "46")])
                $0["a"]?.numbers = NumberRules(required: "99")
            })
        let choice = try #require(plan.decide(Plans.query("0701234")).choice)
        #expect(choice.destination == "46701234")
        #expect(choice.sentDestination == "990701234")
        #expect(choice.sentSource == "72000")
    }
}

@Suite struct `A time of day` {
    static let noon: Int64 = 1_795_262_400_000
    static let hour: Int64 = 3_600_000

    @Test(
        arguments: [
            ("Sa", 0, true), ("Mo-Fr", 0, false), ("Fr-Su", 0, true), ("Sa-Mo", 24, true), ("Sa 12:00-13:00", 0, true),
            ("Sa 12:00-13:00", 1, false), ("Sa 11:00-12:00", 0, false), ("22:00-06:00", 12, true), ("22:00-06:00", 18, false),
            ("Sa 22:00-06:00", 14, true), ("Fr 22:00-06:00", 14, false), ("Mo 08:00-09:00; Sa 10:00-24:00", 11, true),
            ("Sa 13:00-14:00 Europe/Stockholm", 0, true), ("Sa 12:00-13:00 Europe/Stockholm", 0, false), ("00:00-24:00", 5, true),
        ])
    func counts(text: String, hours: Int64, expected: Bool) throws {
        #expect(try RouteSchedule(text).contains(Self.noon + hours * Self.hour) == expected)
    }

    @Test(arguments: [
        "", "Xx", "Mo-", "8-18", "08:00", "08:00-25:00", "08:00-08:00", "Mo 08:00-18:00 Europe/Nowhere", "Mo Tu", "08:60-09:00",
    ])
    func `that cannot be is an error`(text: String) {
        #expect(throws: RouteSchedule.Fault.self) { try RouteSchedule(text) }
    }

    @Test func `follows summer time`() throws {
        let schedule = try RouteSchedule("08:00-09:00 Europe/Stockholm")
        // 2026-07-01 06:30 UTC and 2026-12-01 07:30 UTC are both half past eight there.
        #expect(schedule.contains(1_782_887_400_000))
        #expect(schedule.contains(1_796_110_200_000))
    }
}

@Suite struct `A rewrite` {
    @Test(
        arguments: [
            ("the first place is replaced", "/0/x/", "1002", "1x02"), ("a group comes back", "/^0(\\d+)$/46$1/", "0701", "46701"),
            ("in braces before a digit", "/^0(\\d+)$/${1}0/", "0701", "7010"),
            ("a group that is unset is empty", "/(a)?b/[$1]/", "b", "[]"),
            ("nothing fits", "/^9//", "1234", "1234"), ("names too, whatever their case", "/ACME/Brand/", "acme", "Brand"),
            ("another sign", "#^\\+##", "+46", "46"), ("letters beyond ASCII", "/ü/ue/", "Grün", "Gruen"),
            ("nothing would be left", "/.*//", "1234", "1234"),
            ("no address is so long", "/^/1234567890123456789012345678901234567890/", "1", "1"),
            ("an address of nothing", "/^$/x/", "", "x"),
        ])
    func `replaces what fits`(name: String, text: String, address: String, expected: String) throws {
        #expect(try AddressRewrite(text).apply(address) == expected, "\(name)")
    }

    @Test(arguments: ["", "/", "//", "/a/", "/a/b", "/a/b/c", "a/b/c/", " a b ", "//b/", "/(/b/", "/a/$1/", "/a/${x/", "\\a\\b\\"])
    func `that is none is an error`(text: String) {
        #expect(throws: AddressRewrite.Fault.self) { try AddressRewrite(text) }
    }

    @Test func `changes what lists and routes see when it comes in, and what the provider is given when it goes out`() throws {
        let plan = RoutingPlan(
            routes: [
                Route(id: 1, match: RouteMatch(prefix: "46", source: "Brand"), target: "a"), Route(id: 2, match: RouteMatch(), target: "b"),
            ],
            connectors: Plans.connectors { facts in
                facts["in1"]?.numbers.rewrites = [try? AddressRewrite("/^0/46/"), try? AddressRewrite("SOURCEADDR:/^shop$/Brand/")]
                    .compactMap { $0 }
                facts["a"]?.numbers.rewrites = [try? AddressRewrite("/^/00/"), try? AddressRewrite("SOURCEADDR:/Brand/B/")].compactMap {
                    $0
                }
            })
        let choice = try #require(plan.decide(Plans.query("0701")).choice)
        #expect(choice.routeID == 1 && choice.destination == "46701" && choice.sentDestination == "0046701" && choice.sentSource == "B")
        let other = try #require(plan.decide(Plans.query("33", from: "X")).choice)
        #expect(other.routeID == 2 && other.sentDestination == nil && other.sentSource == nil)
    }
}

@Suite struct `A regular expression` {
    @Test func `finds letters of any language, whatever their case`() throws {
        #expect(try BodyPattern("grüße").matches("Viele GRÜSSE und Grüße"))
        #expect(try BodyPattern("^\\w+$").matches("привет"))
        #expect(try !BodyPattern("(?-i)abc").matches("ABC"))
        #expect(try BodyPattern("^$").matches(""))
    }

    @Test(arguments: ["(", "", "a\\C", "[z-a]", String(repeating: "a", count: 600)])
    func `that is none is an error`(text: String) {
        #expect(throws: BodyPattern.Fault.self) { try BodyPattern(text) }
    }

    @Test func `that would run for ever is stopped`() throws {
        let pattern = try BodyPattern("^(a+)+$")
        #expect(!pattern.matches(String(repeating: "a", count: 10_000) + "b"))
        // A text that is cut within a character.
        #expect(try BodyPattern("é").matches(String(repeating: "é", count: 20_000)))
    }
}

@Suite struct `A pool of senders` {
    static func range(_ text: String) throws -> SourcePool.Range { try #require(SourcePool.Range(text)) }

    @Test func `gives its numbers in order, with their zeros, until none is free`() throws {
        let pool = SourcePool(name: "p", ranges: [try Self.range("0098-0100"), try Self.range("7")])
        #expect(pool.count == 4)
        var taken: Set<String> = []
        for expected in ["0098", "0099", "0100", "7"] {
            let number = try #require(pool.free(besides: taken, seed: 5))
            #expect(number == expected)
            #expect(pool.contains(number) && pool.contains("+" + number))
            taken.insert(number)
        }
        #expect(pool.free(besides: taken, seed: 5) == nil)
        #expect(!pool.contains("98") && !pool.contains("0101") && !pool.contains("x"))
    }

    @Test func `gives any number by chance, the same for the same message, and every one in the end`() throws {
        let pool = SourcePool(name: "p", ranges: [try Self.range("100-199")], isRandom: true)
        var taken: Set<String> = []
        for seed in UInt64(0)..<100 {
            let number = try #require(pool.free(besides: taken, seed: seed))
            #expect(pool.free(besides: taken, seed: seed) == number)
            taken.insert(number)
        }
        #expect(taken.count == 100)
        #expect(pool.free(besides: [], seed: 1) != pool.free(besides: [], seed: 2))
    }

    @Test(arguments: ["", "5-4", "10-9", "1-10", "a-b", "1-2-3", "1234567890123456789"])
    func `has ranges of digits of equal number`(text: String) {
        #expect(SourcePool.Range(text) == nil)
    }

    @Test func `knows a phone by its digits`() throws {
        var pool = SourcePool(name: "p", ranges: [try Self.range("1")])
        #expect(pool.phoneKey("+46701") == "46701" && pool.phoneKey("0046701") == "46701" && pool.phoneKey("46701") == "46701")
        pool.ignoresDestination = true
        #expect(pool.phoneKey("46701") == "")
    }
}
