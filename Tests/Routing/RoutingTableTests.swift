import Routing
import Testing

@Suite struct `A routing table` {
    static let table = RoutingTable(
        routes: [
            Route(id: 1, scope: RowScope(), connector: "a"),
            Route(id: 2, scope: RowScope(prefix: "46"), connector: "b"),
            Route(id: 3, scope: RowScope(prefix: "4670"), connector: "c"),
            Route(id: 4, scope: RowScope(prefix: "46", account: "acme"), connector: "d"),
            Route(id: 5, scope: RowScope(prefix: "467", inConnector: "in2"), connector: "e"),
            Route(id: 6, scope: RowScope(prefix: "44"), connector: "a", priority: 1),
            Route(id: 7, scope: RowScope(prefix: "44"), connector: "b", priority: 2),
            Route(id: 8, scope: RowScope(prefix: "49"), connector: "gone"),
            Route(id: 9, scope: RowScope(prefix: "47", account: "only"), connector: "gone"),
        ], connectors: ["a", "b", "c", "d", "e"])

    @Test(
        arguments: [
            ("anything goes by the empty prefix", "33123", "x", "in1", [], 1),
            ("the longer prefix wins", "46712", "x", "in1", [], 2),
            ("the longest prefix wins", "4670123", "x", "in1", [], 3),
            ("a plus sign makes no difference", "+4670123", "x", "in1", [], 3),
            ("the account wins over a longer prefix", "4670123", "acme", "in1", [], 4),
            ("the incoming connector wins over a longer prefix", "4670123", "x", "in2", [], 5),
            ("the account wins over the incoming connector", "4670123", "acme", "in2", [], 4),
            ("the smaller priority is tried first", "441", "x", "in1", [], 6),
            ("a connector that refused is passed over", "441", "x", "in1", ["a"], 7),
            ("where all at one level were tried, the next level is asked", "441", "x", "in1", ["a", "b"], nil),
            ("a route to a connector that is not configured is passed over", "491", "x", "in1", [], 1),
            ("an alphanumeric destination matches the empty prefix only", "INFO", "x", "in1", [], 1),
        ] as [(String, String, String, String, [String], Int64?)])
    func decides(name: String, destination: String, account: String, inConnector: String, tried: [String], expected: Int64?) {
        let decision = `A routing table`.table.decide(
            RouteQuery(msgid: 1, destination: destination, account: account, inConnector: inConnector, tried: tried))
        if let expected {
            guard case .route(let route) = decision else { return #expect(Bool(false), "\(name): \(decision)") }
            #expect(route.id == expected, "\(name)")
        } else {
            #expect(decision == .exhausted, "\(name)")
        }
    }

    @Test func `says that there is no route at all`() {
        let table = RoutingTable(routes: [Route(id: 1, scope: RowScope(prefix: "46"), connector: "a")], connectors: ["a"])
        #expect(table.decide(RouteQuery(msgid: 1, destination: "45", account: "x", inConnector: "in")) == .noRoute)
    }

    @Test func `shares by weight, and the same message always goes the same way`() {
        let table = RoutingTable(
            routes: [
                Route(id: 1, scope: RowScope(), connector: "a", weight: 3), Route(id: 2, scope: RowScope(), connector: "b", weight: 1),
            ], connectors: ["a", "b"])
        var count = [Int64: Int]()
        for msgid in Int64(0)..<4_000 {
            let query = RouteQuery(msgid: 900_000_000_000 << 22 | msgid, destination: "1", account: "x", inConnector: "in")
            guard case .route(let route) = table.decide(query) else { continue }
            #expect(table.decide(query) == .route(route))
            count[route.id, default: 0] += 1
        }
        #expect((2_850...3_150).contains(count[1] ?? 0))
        #expect((count[1] ?? 0) + (count[2] ?? 0) == 4_000)
    }
}
