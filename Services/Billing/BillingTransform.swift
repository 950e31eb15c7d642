package import Bus
package import Database
import Message
import Pricing
package import ServiceKit
import Store

/// Books a batch in one PostgreSQL transaction and says what becomes of each message.
///
/// Replays change nothing: what a decision wrote to the ledger decides the same again (`MessageBook`), whatever the prices say now. A
/// refusal of a message that nothing was booked for leaves no trace; if its batch is replayed, it is simply decided again.
package final class BillingTransform: StageTransform {
    private static let sweepMilliseconds: Int64 = 30_000

    private let tables: () -> BillingTables
    private let ids: SharedMessageIDs
    private let connect: () throws -> Connection
    private let passedOver: (_ price: Int64, _ account: String, _ currency: String) -> Void
    private var connection: Connection?
    private var sweep = ReservationSweep()
    private var lastSweep: Int64 = 0

    /// - Parameter passedOver: is told of a price whose charge does not count for an account, for it pays in another currency.
    package init(
        tables: @escaping () -> BillingTables, ids: SharedMessageIDs, connect: @escaping () throws -> Connection,
        passedOver: @escaping (_ price: Int64, _ account: String, _ currency: String) -> Void = { _, _, _ in }
    ) {
        self.passedOver = passedOver
        self.tables = tables
        self.ids = ids
        self.connect = connect
    }

    package func process(_ batch: [Record]) throws -> StageOutput {
        var work: [Work] = []
        work.reserveCapacity(batch.count)
        let tables = tables()
        let now = wallClockMilliseconds()
        var output = StageOutput()
        for record in batch {
            switch record.topic {
            case Topics.routed:
                let message = try decode(ShortMessage.self, record)
                if message.account.isEmpty, tables.providers.contains(message.inConnector) {
                    // From a phone, for nobody who pays.
                    var charge = Charge()
                    charge.mechanism = 1
                    output.records.append(queue(message, charge, tables, now))
                } else {
                    work.append(.price(message))
                }
            case Topics.refunds:
                let submission = try decode(Submission.self, record)
                let priced = submission.message.charge.revision >= LedgerKind.charge.revision
                work.append(.settle(submission, submission.taken ? .notDelivered : priced ? .notSent : .unpriced))
            default:
                let submission = try decode(Submission.self, record)
                // Most submissions are of no interest here.
                guard submission.message.charge.mechanism > 1 else { continue }
                if submission.status.isFinal, submission.status != .relayed {
                    work.append(.settle(submission, .notSent))
                } else if submission.parts != 0, submission.parts != max(1, submission.message.parts) {
                    work.append(.correct(submission))
                }
            }
        }
        guard !work.isEmpty else { return output }
        try inTransaction { connection in
            let before = try LedgerStore.lockAccounts(connection, usernames: Set(work.map(\.message.account)))
            let books = try LedgerStore.books(connection, msgids: Array(Set(work.map(\.message.msgid))))
            var desk = BookingDesk(accounts: before, books: Sabotage.chargeTwice.isOn ? [:] : books)
            for item in work {
                switch item {
                case .price(let message): output.records += price(message, &desk, tables, now)
                case .settle(let submission, let ending): output.records += settle(submission, ending, &desk, now)
                case .correct(let submission): output.records += correct(submission, &desk, now)
                }
            }
            let entries = Sabotage.chargeTwice.isOn ? desk.added.map { BillingTransform.repeated($0, books) } : desk.added
            try LedgerStore.write(connection, entries: entries, before: before, after: desk.accounts)
        }
        try sweepIfDue()
        return output
    }

    package func idle() throws -> StageOutput {
        try sweepIfDue()
        return StageOutput()
    }

    private func sweepIfDue() throws {
        let monotonic = monotonicMilliseconds()
        guard monotonic - lastSweep >= BillingTransform.sweepMilliseconds else { return }
        lastSweep = monotonic
        do {
            try sweep.run(try usable(), now: wallClockMilliseconds())
        } catch {
            connection = nil
            throw error
        }
    }

    private func inTransaction(_ body: (Connection) throws -> Void) throws {
        let connection = try usable()
        do {
            try connection.transaction { try body(connection) }
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

    // MARK: One message

    private enum Work {
        case price(ShortMessage)
        case settle(Submission, MessageBook.Ending)
        case correct(Submission)

        var message: ShortMessage {
            switch self {
            case .price(let message): message
            case .settle(let submission, _), .correct(let submission): submission.message
            }
        }
    }

    /// The accounts and books of a batch, and what it adds to them.
    private struct BookingDesk {
        var accounts: [String: PayingAccount]
        var books: [Int64: MessageBook]
        var added: [LedgerEntry] = []

        /// Lets `body` work on the book and the account of a message, and keeps what it did.
        mutating func work<R>(on message: ShortMessage, _ body: (inout MessageBook, inout PayingAccount) -> (R, LedgerEntry?)) -> R? {
            guard var account = accounts[message.account] else { return nil }
            var book = books[message.msgid] ?? MessageBook(msgid: message.msgid)
            let (result, entry) = body(&book, &account)
            accounts[message.account] = account
            books[message.msgid] = book
            if let entry { added.append(entry) }
            return result
        }
    }

    /// Prices and charges one message.
    private func price(_ message: ShortMessage, _ desk: inout BookingDesk, _ tables: BillingTables, _ now: Int64) -> [OutgoingRecord] {
        if tables.ignoresCredits, let account = desk.accounts[message.account], account.mechanism == .credits {
            var charge = Charge()
            charge.mechanism = 1
            return [queue(message, charge, tables, now)]
        }
        let charging = desk.work(on: message) { book, account in
            var foreign: Int64?
            let quote = tables.prices.quote(
                destination: message.destination.number, account: message.account, inConnector: message.inConnector,
                outConnector: message.outConnector, currency: account.currency, needsCharge: account.mechanism == .charges, now: now,
                passedOver: { foreign = $0 })
            if let foreign, account.mechanism == .charges { passedOver(foreign, message.account, account.currency) }
            let charging = book.charge(
                pass: message.triedConnectors.count, parts: Int(max(1, message.parts)), quote: quote,
                withoutQuote: foreign == nil ? MessageBook.noPrice : "no price for this destination in \(account.currency)",
                account: &account)
            let added: LedgerEntry? =
                switch charging {
                case .charged(_, let entry), .refused(_, _, let entry): entry
                }
            return (charging, added)
        }
        switch charging {
        case .charged(let standing, _):
            let policy = desk.accounts[message.account]?.policy ?? .send
            return [queue(message, Charge(standing, policy: policy), tables, now)]
        case .refused(let why, let standing, _):
            return Reports.end(
                message, as: .rejected, reason: 0, text: why, at: now, reportID: ids.next(now: now),
                settled: standing.map { Charge($0) } ?? Charge())
        case nil:
            return Reports.end(
                message, as: .rejected, reason: 0, text: "unknown account", at: now, reportID: ids.next(now: now), settled: Charge())
        }
    }

    private func queue(_ message: ShortMessage, _ charge: Charge, _ tables: BillingTables, _ now: Int64) -> OutgoingRecord {
        var priced = message
        priced.charge = charge
        priced.times.priced = now
        let isUrgent = message.priority > 1 && !tables.withoutPriority.contains(message.outConnector)
        let topic = isUrgent ? Topics.priorityQueue(message.outConnector) : Topics.queue(message.outConnector)
        let key = tables.clients.contains(message.outConnector) && !message.account.isEmpty ? message.account : message.destination.number
        return OutgoingRecord(topic: topic, key: key, value: encode(priced))
    }

    /// Gives back what the account's policy gives back for a message that did not come about.
    private func settle(
        _ submission: Submission, _ ending: MessageBook.Ending, _ desk: inout BookingDesk, _ now: Int64
    ) -> [OutgoingRecord] {
        let message = submission.message
        // The policy of the moment at which the price was booked.
        let policy = ChargePolicy(rawValue: message.charge.policy) ?? .send
        let why = submission.reasonText.isEmpty ? "\(submission.status)" : submission.reasonText
        let standing = desk.work(on: message) { book, account -> (MessageBook.Standing?, LedgerEntry?) in
            guard let (standing, entry) = book.settle(ending, policy: policy, why: why, account: &account) else { return (nil, nil) }
            return (standing, entry)
        }
        return news(message, standing ?? nil, policy, now)
    }

    /// For a deliberate break: a second charge as a row of its own, for the ledger's key would refuse it as the same.
    private static func repeated(_ entry: LedgerEntry, _ books: [Int64: MessageBook]) -> LedgerEntry {
        guard books[entry.msgid]?.entries.contains(where: { $0.kind == entry.kind }) == true else { return entry }
        var second = entry
        second.kind = .pass(500)
        return second
    }

    private func correct(_ submission: Submission, _ desk: inout BookingDesk, _ now: Int64) -> [OutgoingRecord] {
        let message = submission.message
        let standing = desk.work(on: message) { book, account -> (MessageBook.Standing?, LedgerEntry?) in
            guard
                let (standing, entry) = book.correct(
                    priced: Int(max(1, message.parts)), sent: Int(submission.parts), account: &account)
            else { return (nil, nil) }
            return (standing, entry)
        }
        return news(message, standing ?? nil, ChargePolicy(rawValue: message.charge.policy) ?? .send, now)
    }

    /// Tells the log how the charge stands now.
    private func news(
        _ message: ShortMessage, _ standing: MessageBook.Standing?, _ policy: ChargePolicy, _ now: Int64
    ) -> [OutgoingRecord] {
        guard let standing else { return [] }
        var event = Event()
        event.msgid = message.msgid
        event.at = now
        event.charge = Charge(standing, policy: policy)
        return [OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event))]
    }
}

extension Charge {
    init(_ standing: MessageBook.Standing, policy: ChargePolicy? = nil) {
        self.init()
        chargeMicros = standing.charge.micros
        costMicros = standing.cost.micros
        chargePriceID = standing.chargePriceID ?? 0
        costPriceID = standing.costPriceID ?? 0
        currency = standing.currency
        mechanism = UInt32(standing.mechanism.rawValue)
        revision = standing.revision
        self.policy = policy?.rawValue ?? 0
    }
}
