import Bus
import Database
import Message
import Routing
public import ServiceKit
public import ServiceLifecycle

/// Reads what was accepted, or was scheduled and is due now, finds each message's connector, and passes it to billing; or ends it, with the reason.
public enum RouterService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let table = try await Snapshot("routes", context) { connection in try loadRoutingTable(connection) }
        let ids = SharedMessageIDs(try await context.messageIDs())
        let stage = StageService(
            context.environment, health: context.health, name: "router", topics: [Topics.accepted, Topics.due],
            makeTransform: { RouterTransform(table: { table.value }, ids: ids) })
        return [table, stage]
    }
}

/// Routes and the outgoing connectors that exist, as the operator has them now.
func loadRoutingTable(_ connection: Connection) throws -> RoutingTable {
    let connectors = try connection.query("SELECT name FROM connector WHERE type = 'OUTGOING' AND NOT disabled").map { try $0.text("name") }
    let rows = try connection.query(
        "SELECT routeid, prefix, account, in_connector, out_connector, priority, weight FROM route WHERE NOT disabled")
    let routes = try rows.map { row in
        Route(
            id: try row.int("routeid"),
            scope: RowScope(
                prefix: try row.text("prefix"), account: try row.optionalText("account"), inConnector: try row.optionalText("in_connector")),
            connector: try row.text("out_connector"), priority: Int(try row.int("priority")), weight: Int(try row.int("weight")))
    }
    return RoutingTable(routes: routes, connectors: Set(connectors))
}
