import Bus
import Database
import Message
import Pricing
import ServiceKit

/// Books a batch in one PostgreSQL transaction and says what becomes of each message.
///
/// Replays change nothing: a message that has its ledger entry already is passed on with the amounts of that entry, whatever the
/// prices say now. A refusal leaves no trace in the ledger; if its batch is replayed, it is simply decided again.
final class BillingTransform: StageTransform {
    private let prices: () -> PriceTable
    private let ids: SharedMessageIDs
    private let connect: () throws -> Connection
    private var connection: Connection?

    init(prices: @escaping () -> PriceTable, ids: SharedMessageIDs, connect: @escaping () throws -> Connection) {
        self.prices = prices
        self.ids = ids
        self.connect = connect
    }

    func process(_ batch: [Record]) throws -> StageOutput {
        var messages: [ShortMessage] = []
        var refused: [Submission] = []
        for record in batch {
            if record.topic == Topics.routed {
                messages.append(try decode(ShortMessage.self, record))
            } else {
                let submission = try decode(Submission.self, record)
                // Only an end without delivery gives money back; most submissions are of no interest here.
                if submission.status.isFinal, submission.status != .relayed, submission.message.charge.mechanism > 1 {
                    refused.append(submission)
                }
            }
        }
        guard !messages.isEmpty || !refused.isEmpty else { return StageOutput() }
        let connection = try usable()
        let now = wallClockMilliseconds()
        let prices = prices()
        do {
            return try connection.transaction {
                var books = try Books.open(connection, messages: messages, refused: refused)
                var output = StageOutput()
                for message in messages { output.records += book(message, &books, prices, now) }
                for submission in refused { output.records += refund(submission, &books, now) }
                try books.write(connection)
                return output
            }
        } catch {
            // Whatever state it is in now, the next try begins with a fresh one.
            self.connection = nil
            throw error
        }
    }

    private func usable() throws -> Connection {
        if let connection { return connection }
        let fresh = try connect()
        connection = fresh
        return fresh
    }

    /// Prices and charges one message.
    private func book(_ message: ShortMessage, _ books: inout Books, _ prices: PriceTable, _ now: Int64) -> [OutgoingRecord] {
        func refuse(_ text: String) -> [OutgoingRecord] {
            Reports.end(message, as: .rejected, reason: 0, text: text, at: now, reportID: ids.next(now: now))
        }
        if let entry = books.existing[message.msgid] { return [queue(message, entry.charge, now)] }
        let parts = Int(max(1, message.parts))
        guard var account = books.accounts[message.account] else { return refuse("unknown account") }
        let quote = prices.quote(
            destination: message.destination.number, account: message.account, inConnector: message.inConnector,
            outConnector: message.outConnector, now: now)
        let amount: Money
        switch account.mechanism {
        case .charges:
            guard let quote else { return refuse("no price for this destination") }
            guard let sum = try? quote.charge.multiplied(by: parts) else { return refuse("the price is too large") }
            amount = sum
        case .credits: amount = Money(micros: Int64(parts) * 1_000_000)
        }
        guard let cost = try? (quote?.cost ?? .zero).multiplied(by: parts) else { return refuse("the cost is too large") }
        guard account.take(amount) else { return refuse("balance too low") }
        books.accounts[message.account] = account
        let entry = LedgerEntry(
            msgid: message.msgid, kind: .charge, userID: account.userID, username: account.username, amount: Money(micros: -amount.micros),
            balanceAfter: account.balance, mechanism: account.mechanism, cost: cost,
            chargePriceID: account.mechanism == .charges ? quote?.chargePriceID : nil, costPriceID: quote?.costPriceID,
            currency: quote?.currency ?? "")
        books.added.append(entry)
        var charge = Charge()
        charge.chargeMicros = amount.micros
        charge.costMicros = cost.micros
        charge.chargePriceID = entry.chargePriceID ?? 0
        charge.costPriceID = entry.costPriceID ?? 0
        charge.currency = quote?.currency ?? ""
        charge.mechanism = UInt32(account.mechanism.rawValue)
        return [queue(message, charge, now)]
    }

    private func queue(_ message: ShortMessage, _ charge: Charge, _ now: Int64) -> OutgoingRecord {
        var priced = message
        priced.charge = charge
        priced.times.priced = now
        let topic = message.priority > 1 ? Topics.priorityQueue(message.outConnector) : Topics.queue(message.outConnector)
        return OutgoingRecord(topic: topic, key: message.destination.number, value: encode(priced))
    }

    /// Gives back what was charged for a message that the provider did not take.
    private func refund(_ submission: Submission, _ books: inout Books, _ now: Int64) -> [OutgoingRecord] {
        let message = submission.message
        var event = Event()
        event.msgid = message.msgid
        event.at = now
        event.charge = Charge()
        event.charge.mechanism = message.charge.mechanism
        event.charge.currency = message.charge.currency
        let record = OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event))
        if books.refunded.contains(message.msgid) { return [record] }
        guard var account = books.accounts[message.account], let entry = books.existing[message.msgid] else { return [] }
        let amount = Money(micros: entry.charge.chargeMicros)
        guard account.giveBack(amount) else { return [] }
        books.accounts[message.account] = account
        books.refunded.insert(message.msgid)
        books.added.append(
            LedgerEntry(
                msgid: message.msgid, kind: .refund, userID: account.userID, username: account.username, amount: amount,
                balanceAfter: account.balance, mechanism: account.mechanism, cost: .zero, chargePriceID: nil, costPriceID: nil,
                currency: entry.charge.currency))
        return [record]
    }
}
