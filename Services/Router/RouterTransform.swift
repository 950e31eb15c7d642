import Bus
import Message
import Routing
import ServiceKit

/// One decision per message, over the table as it stands when the batch begins.
final class RouterTransform: StageTransform {
    /// A message that our own egress brought back more often than this goes in circles.
    private static let maxHops: UInt32 = 8

    private let table: () -> RoutingTable
    private let ids: SharedMessageIDs

    init(table: @escaping () -> RoutingTable, ids: SharedMessageIDs) {
        self.table = table
        self.ids = ids
    }

    func process(_ batch: [Record]) throws -> StageOutput {
        let table = table()
        let now = wallClockMilliseconds()
        var output = StageOutput()
        output.records.reserveCapacity(batch.count)
        for record in batch {
            let message = try decode(ShortMessage.self, record)
            output.records += route(message, table, now)
        }
        return output
    }

    func route(_ message: ShortMessage, _ table: RoutingTable, _ now: Int64) -> [OutgoingRecord] {
        func refuse(_ status: Status, _ text: String) -> [OutgoingRecord] {
            Reports.end(message, as: status, reason: 0, text: text, at: now, reportID: ids.next(now: now))
        }
        if message.expiresAt != 0, message.expiresAt <= now { return refuse(.expired, "validity period ended before routing") }
        if message.scheduledAt > now {
            if message.expiresAt != 0, message.expiresAt <= message.scheduledAt {
                return refuse(.expired, "validity period ends before the scheduled time")
            }
            return schedule(message, now)
        }
        if message.hops > RouterTransform.maxHops { return refuse(.rejected, "the routes send it in circles") }
        let decision = table.decide(
            RouteQuery(
                msgid: message.msgid, destination: message.destination.number, account: message.account, inConnector: message.inConnector,
                tried: message.triedConnectors))
        switch decision {
        case .noRoute: return refuse(.rejected, "no route")
        case .exhausted: return refuse(.rejected, "no route left: every connector that matches has refused it or is not configured")
        case .route(let route):
            var routed = message
            routed.outConnector = route.connector
            routed.routeID = route.id
            routed.times.routed = now
            return [OutgoingRecord(topic: Topics.routed, key: message.destination.number, value: encode(routed))]
        }
    }

    /// It waits as it came, and is neither routed nor priced before it is due: routes, prices and balances of that moment count.
    private func schedule(_ message: ShortMessage, _ now: Int64) -> [OutgoingRecord] {
        var event = Event()
        event.msgid = message.msgid
        event.at = now
        event.status = .accepted
        event.note = "scheduled for \(utcText(message.scheduledAt))"
        let record = OutgoingRecord(topic: Topics.due, key: message.destination.number, value: encode(message))
        return [
            DelayTier.delaying(record, until: message.scheduledAt, now: now, reason: "scheduled"),
            OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event)),
        ]
    }
}
