import Bus
import Database
import Message
import Routing
import ServiceKit

/// Puts parts of long messages together before they are routed, for connectors with REASSEMBLE.
///
/// What waits is in PostgreSQL, so a router may die, or its partitions move, at any time. What was decided is there too, before
/// the outputs are committed; see ``PartDesk`` for why nothing is lost or comes twice.
final class PartJoiner {
    private static let sweepMilliseconds: Int64 = 1_000
    private static let tidyMilliseconds: Int64 = 60_000

    private let table: PartTable
    private var lastSweep: Int64 = 0
    private var lastTidy: Int64 = 0

    init(connect: @escaping () throws -> Connection) { table = PartTable(connect: connect) }

    /// - Parameters:
    ///   - batch: messages with their records' positions.
    ///   - records: gets the ends of parts that went on in a whole.
    /// - Returns: what is to be routed, in the batch's order.
    func joined(
        _ batch: [(message: ShortMessage, position: String)], _ plan: RoutingPlan, _ now: Int64, records: inout [OutgoingRecord]
    ) throws -> [ShortMessage] {
        let joins = plan.reassembles
        var tickets: [Int: PartTicket] = [:]
        for (index, item) in batch.enumerated() {
            if let ticket = Self.ticket(item.message, joins ? plan : nil) { tickets[index] = ticket }
        }
        guard !tickets.isEmpty else { return batch.map(\.message) }
        let places = tickets.keys.sorted()
        var outcomes: [Int: PartDesk.Outcome] = [:]
        try table.decide(
            sets: Set(tickets.values.map(\.set)), msgids: places.map { batch[$0].message.msgid },
            positions: places.map { batch[$0].position }
        ) { desk in
            for place in places {
                guard let ticket = tickets[place] else { continue }
                outcomes[place] = desk.take(batch[place].message, ticket, position: batch[place].position, now: now)
            }
        }
        var messages: [ShortMessage] = []
        messages.reserveCapacity(batch.count)
        for (index, item) in batch.enumerated() {
            switch outcomes[index] {
            case nil: messages.append(item.message)
            case .goes:
                var message = item.message
                message.joining = .done
                // It waits once more, and may be joined when it is due.
                if message.scheduledAt > now { message.joining = .unspecified }
                messages.append(message)
            case .held: break
            case .whole(let whole, let ended):
                messages.append(whole)
                records.append(Self.note(whole, now))
                for part in ended { records += Self.end(part, in: whole, now) }
            }
        }
        return messages
    }

    /// Parts that waited in vain, on their way back to the routers: only one that reads such a record may let the part go.
    /// - Parameter isUsed: some connector has REASSEMBLE. Where none has, a database that is away stops nothing.
    func givenUp(isUsed: Bool) throws -> [OutgoingRecord] {
        let now = monotonicMilliseconds()
        guard now - lastSweep >= (isUsed ? Self.sweepMilliseconds : Self.tidyMilliseconds) else { return [] }
        lastSweep = now
        do {
            let overdue = try table.overdue()
            if now - lastTidy >= Self.tidyMilliseconds {
                lastTidy = now
                try table.tidy()
            }
            return overdue.map { message in
                var message = message
                message.joining = .givenUp
                return OutgoingRecord(topic: Topics.due, key: message.destination.number, value: encode(message))
            }
        } catch {
            guard isUsed else { return [] }
            throw error
        }
    }

    private static func ticket(_ message: ShortMessage, _ plan: RoutingPlan?) -> PartTicket? {
        if message.joining == .givenUp { return PartTicket(message, seconds: 0) }
        // What a provider refused goes on as it went.
        guard message.joining == .unspecified, message.triedConnectors.isEmpty,
            let seconds = plan?.connectors[message.inConnector]?.reassemblySeconds
        else { return nil }
        return PartTicket(message, seconds: seconds)
    }

    private static func note(_ whole: ShortMessage, _ now: Int64) -> OutgoingRecord {
        var event = Event()
        event.msgid = whole.msgid
        event.at = now
        event.status = .accepted
        // The log is to have the words of all.
        event.message = whole
        event.note = "joined of the messages \(whole.joined.map { String($0.msgid) }.joined(separator: ", "))"
        return OutgoingRecord(topic: Topics.events, key: String(whole.msgid), value: encode(event))
    }

    /// It ends in the log without a report: the whole's report is given for its id too.
    private static func end(_ part: ShortMessage, in whole: ShortMessage, _ now: Int64) -> [OutgoingRecord] {
        let text = "joined into message \(whole.msgid)"
        var event = Event()
        event.msgid = part.msgid
        event.at = now
        event.status = .relayed
        event.reasonText = text
        event.times = part.times
        let record = OutgoingRecord(topic: Topics.events, key: String(part.msgid), value: encode(event))
        // DEFAULT_CHARGE was taken for it when it came; what is priced is the whole.
        return part.charge.mechanism > 1 ? [record, Reports.refund(part, status: .relayed, why: text, taken: false)] : [record]
    }
}
