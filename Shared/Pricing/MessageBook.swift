/// All that the ledger says of one message, and what may be added to it. Pure: every decision about a message's money is made here.
///
/// A decision that is asked for again finds its own entry and comes out the same, whatever prices and balances say by then.
public struct MessageBook: Sendable, Equatable {
    public let msgid: Int64
    /// In the order of the message's life.
    public private(set) var entries: [LedgerEntry]

    public init(msgid: Int64, entries: [LedgerEntry] = []) {
        self.msgid = msgid
        self.entries = entries.sorted { $0.kind < $1.kind }
    }

    /// What the account has paid for the message so far.
    public var paid: Money { sum { _ in true } }

    /// What is known of the message's charge, for its record and for the log.
    public struct Standing: Sendable, Equatable {
        public var charge: Money
        public var cost: Money
        public var chargePriceID: Int64?
        public var costPriceID: Int64?
        public var currency: String
        public var mechanism: Mechanism
        public var revision: UInt32
    }

    public enum Charging: Sendable, Equatable {
        /// The message goes on. The second value is new, and to be written; `nil` where it was written before.
        case charged(Standing, LedgerEntry?)
        /// The message ends, for this reason; what was paid before is given back by the entry.
        case refused(String, Standing?, LedgerEntry?)
    }

    public static let noPrice = "no price for this destination"

    /// Books the price of the message for one pass through billing.
    /// - Parameters:
    ///   - pass: connectors that have refused it before; the difference to what is paid already is booked.
    ///   - parts: EMG's npdus, at least 1.
    ///   - quote: what a part costs; `nil` where no price is known, which ends a message of an account that pays by charges.
    ///   - withoutQuote: the reason then.
    public mutating func charge(
        pass: Int, parts: Int, quote: Quote?, withoutQuote: String = MessageBook.noPrice, account: inout PayingAccount
    ) -> Charging {
        let kind = LedgerKind.pass(pass)
        if let refund = entry(.refund) {
            return .refused(refund.note ?? "the message has ended before", standing(upTo: .refund), nil)
        }
        if entry(kind) != nil, let standing = standing(upTo: kind) { return .charged(standing, nil) }
        func refuse(_ why: String) -> Charging {
            guard !entries.isEmpty else { return .refused(why, nil, nil) }
            let entry = end(why, keeping: account.policy == .accept && wasPriced, cost: .zero, account: &account)
            return .refused(why, standing(upTo: .refund), entry)
        }
        if let earlier = entries.last, earlier.mechanism != account.mechanism {
            return refuse("the account changed between credits and charges while the message was under way")
        }
        let unit: Money
        switch account.mechanism {
        case .charges:
            guard let quote else { return refuse(withoutQuote) }
            unit = quote.charge
        case .credits: unit = Money(micros: 1_000_000)
        }
        guard let total = try? unit.multiplied(by: parts), let difference = try? total.subtracting(paid) else {
            return refuse("the price is too large")
        }
        guard let cost = try? (quote?.cost ?? .zero).multiplied(by: parts), let amount = try? difference.negated() else {
            return refuse("the cost is too large")
        }
        guard account.take(difference) else { return refuse("balance too low") }
        let entry = LedgerEntry(
            msgid: msgid, kind: kind, userID: account.userID, username: account.username, amount: amount,
            balanceAfter: account.balance(account.mechanism) ?? .zero, mechanism: account.mechanism, cost: cost,
            chargePriceID: account.mechanism == .charges ? quote?.chargePriceID : nil, costPriceID: quote?.costPriceID,
            currency: account.mechanism == .charges ? account.currency : "")
        add(entry)
        guard let standing = standing(upTo: kind) else { return refuse("the price is too large") }
        return .charged(standing, entry)
    }

    /// Takes DEFAULT_CHARGE before the message is accepted.
    /// - Returns: `nil` where the balance does not cover it, or where credits count and nothing is to be reserved.
    public mutating func reserve(_ amount: Money, account: inout PayingAccount) -> LedgerEntry? {
        guard entries.isEmpty, account.mechanism == .charges, let negated = try? amount.negated(), account.take(amount) else { return nil }
        let entry = LedgerEntry(
            msgid: msgid, kind: .reservation, userID: account.userID, username: account.username, amount: negated,
            balanceAfter: account.charges ?? .zero, mechanism: .charges, currency: account.currency)
        add(entry)
        return entry
    }

    /// Gives a reservation back whose message was not accepted. A message that was priced keeps its money.
    public mutating func release(_ why: String, account: inout PayingAccount) -> LedgerEntry? {
        guard let reserved = entry(.reservation), entries.count == 1, account.giveBack(paid, reserved.mechanism) else { return nil }
        let entry = LedgerEntry(
            msgid: msgid, kind: .release, userID: account.userID, username: account.username, amount: paid,
            balanceAfter: account.balance(reserved.mechanism) ?? .zero, mechanism: reserved.mechanism, currency: reserved.currency,
            note: why)
        add(entry)
        return entry
    }

    /// How a message ended, as far as money is concerned.
    public enum Ending: Sendable, Equatable {
        /// Before it was priced: nothing is owed for it.
        case unpriced
        /// Priced, and not taken by any provider.
        case notSent
        /// Taken by the provider, and not delivered.
        case notDelivered
    }

    /// Gives back what the policy gives back.
    /// - Returns: how the charge stands, and the new entry, if any; `nil` where the message was never booked, or where nothing
    ///   changes: a message that was sent and is paid on sending.
    public mutating func settle(
        _ ending: Ending, policy: ChargePolicy, why: String, account: inout PayingAccount
    ) -> (Standing, LedgerEntry?)? {
        guard !entries.isEmpty else { return nil }
        if entry(.refund) != nil { return standing(upTo: .refund).map { ($0, nil) } }
        let keeps: Bool
        var cost = Money.zero
        switch ending {
        case .unpriced: keeps = false
        case .notSent: keeps = policy == .accept
        case .notDelivered:
            guard policy == .delivery else { return nil }
            keeps = false
            // The provider took it and bills us for it.
            cost = entries.last { $0.kind.passNumber != nil || $0.kind == .parts }?.cost ?? .zero
        }
        guard let entry = end(why, keeping: keeps, cost: cost, account: &account) else { return nil }
        return standing(upTo: .refund).map { ($0, entry) }
    }

    /// Corrects the charge where the provider took another number of parts than was priced. What a prepaid balance does not cover any
    /// more is not booked: the message is gone, and no balance falls below its floor.
    public mutating func correct(priced: Int, sent: Int, account: inout PayingAccount) -> (Standing, LedgerEntry?)? {
        if entry(.parts) != nil { return standing(upTo: .parts).map { ($0, nil) } }
        guard priced > 0, sent > 0, priced != sent, entry(.refund) == nil, let last = entries.last(where: { $0.kind.passNumber != nil })
        else { return nil }
        let unit = Money(micros: paid.micros / Int64(priced))
        let unitCost = Money(micros: last.cost.micros / Int64(priced))
        guard let wanted = try? unit.multiplied(by: sent - priced), let cost = try? unitCost.multiplied(by: sent) else { return nil }
        var taken = wanted
        var note = "\(sent) parts sent, \(priced) priced"
        if last.mechanism != account.mechanism {
            guard wanted < .zero else { return nil }
        } else if let available = account.available, wanted > available {
            taken = available
            note += "; the balance covered \(available) of \(wanted)"
        }
        guard let amount = try? taken.negated() else { return nil }
        guard amount >= .zero ? account.giveBack(amount, last.mechanism) : account.take(taken) else { return nil }
        let entry = LedgerEntry(
            msgid: msgid, kind: .parts, userID: account.userID, username: account.username, amount: amount,
            balanceAfter: account.balance(last.mechanism) ?? .zero, mechanism: last.mechanism, cost: cost,
            chargePriceID: last.chargePriceID, costPriceID: last.costPriceID, currency: last.currency, note: note)
        add(entry)
        return standing(upTo: .parts).map { ($0, entry) }
    }

    // MARK: Inside

    private var wasPriced: Bool { entries.contains { $0.kind.passNumber != nil } }

    private func entry(_ kind: LedgerKind) -> LedgerEntry? { entries.first { $0.kind == kind } }

    private mutating func add(_ entry: LedgerEntry) {
        entries.append(entry)
        entries.sort { $0.kind < $1.kind }
    }

    private func sum(where counts: (LedgerEntry) -> Bool) -> Money {
        // Each amount fits its column and a message has few: the sum of all cannot overflow in practice, and is cut where it would.
        Money(micros: entries.reduce(Int64(0)) { counts($1) ? $0.subtractingReportingOverflow($1.amount.micros).partialValue : $0 })
    }

    /// What was known once the entry of `kind` was written.
    private func standing(upTo kind: LedgerKind) -> Standing? {
        guard let last = entry(kind) else { return nil }
        let priced = entries.last { $0.kind.passNumber != nil && $0.kind <= kind }
        return Standing(
            charge: sum { $0.kind <= kind }, cost: last.cost, chargePriceID: priced?.chargePriceID, costPriceID: priced?.costPriceID,
            currency: last.currency, mechanism: last.mechanism, revision: kind.revision)
    }

    private mutating func end(_ why: String, keeping: Bool, cost: Money, account: inout PayingAccount) -> LedgerEntry? {
        guard let last = entries.last else { return nil }
        let amount = keeping ? Money.zero : paid
        guard account.giveBack(amount, last.mechanism) else { return nil }
        let entry = LedgerEntry(
            msgid: msgid, kind: .refund, userID: account.userID, username: account.username, amount: amount,
            balanceAfter: account.balance(last.mechanism) ?? .zero, mechanism: last.mechanism, cost: cost,
            currency: last.currency, note: why)
        add(entry)
        return entry
    }
}
