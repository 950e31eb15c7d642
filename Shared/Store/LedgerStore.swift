public import Database
public import Pricing

/// Movements of money and the balances that they change.
///
/// Whoever books holds the account's row with `lockAccounts` until the end of its transaction, in the order of `userid`: no balance is
/// decided on by two at once, and nobody waits in a circle.
public enum LedgerStore {
    // MARK: Batches

    /// The accounts of these names, locked until the transaction ends. Names that nobody has are missing.
    public static func lockAccounts(_ connection: Connection, usernames: Set<String>) throws -> [String: PayingAccount] {
        let rows = try connection.query(
            """
            SELECT userid, username, charge_balance, creditssend, creditssenddec, allowpostpaid, charge_balance_postpaid_limit, currency,
                charge_on
            FROM emguser WHERE username = ANY($1::text[]) ORDER BY userid FOR UPDATE
            """, [.textArray(usernames.sorted().map { $0 })])
        var accounts: [String: PayingAccount] = [:]
        for row in rows {
            let username = try row.text("username")
            guard
                let credits = PayingAccount.join(
                    whole: try row.optionalInt("creditssend") ?? 0, millionths: try row.optionalInt("creditssenddec") ?? 0)
            else { throw StoreError.invalid("the credits of account \(username) are out of range") }
            accounts[username] = PayingAccount(
                userID: try row.int("userid"), username: username, charges: try row.optionalMoney("charge_balance"), credits: credits,
                isPostpaid: try row.optionalInt("allowpostpaid") == 1,
                postpaidLimit: try row.optionalMoney("charge_balance_postpaid_limit"),
                currency: try row.text("currency"), policy: ChargePolicy(word: try row.text("charge_on")) ?? .send)
        }
        return accounts
    }

    /// What the ledger says of these messages.
    public static func books(_ connection: Connection, msgids: [Int64]) throws(DatabaseError) -> [Int64: MessageBook] {
        let rows = try connection.query(
            """
            SELECT msgid, kind, userid, username, amount, balance_after, mechanism, charge_cost, charge_price_id, charge_cost_price_id,
                currency, note
            FROM ledger WHERE msgid = ANY($1::bigint[])
            """, [.intArray(msgids.map { $0 })])
        var entries: [Int64: [LedgerEntry]] = [:]
        for row in rows {
            let entry = try entry(row)
            entries[entry.msgid, default: []].append(entry)
        }
        var books: [Int64: MessageBook] = [:]
        for msgid in msgids { books[msgid] = MessageBook(msgid: msgid, entries: entries[msgid] ?? []) }
        return books
    }

    static func entry(_ row: Row) throws(DatabaseError) -> LedgerEntry {
        LedgerEntry(
            msgid: try row.int(0), kind: LedgerKind(rawValue: Int16(clamping: try row.int(1))), userID: try row.int(2),
            username: try row.text(3), amount: try row.money(4), balanceAfter: try row.optionalMoney(5) ?? .zero,
            mechanism: Mechanism(rawValue: Int16(clamping: try row.int(6))) ?? .charges, cost: try row.optionalMoney(7) ?? .zero,
            chargePriceID: try row.optionalInt(8), costPriceID: try row.optionalInt(9), currency: try row.optionalText(10) ?? "",
            note: try row.optionalText(11))
    }

    /// Writes new entries and the balances that they leave. Three statements at most, whatever the size of the batch.
    /// - Parameters:
    ///   - before: the accounts as they were locked.
    ///   - after: the same with the entries booked.
    public static func write(
        _ connection: Connection, entries: [LedgerEntry], before: [String: PayingAccount], after: [String: PayingAccount]
    ) throws(DatabaseError) {
        guard !entries.isEmpty else { return }
        try connection.execute(
            """
            INSERT INTO ledger (msgid, kind, userid, username, amount, balance_after, mechanism, charge_cost, charge_price_id,
                                charge_cost_price_id, currency, note)
            SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::text[], $5::numeric[], $6::numeric[], $7::smallint[],
                                 $8::numeric[], $9::bigint[], $10::bigint[], $11::text[], $12::text[])
            """,
            [
                .intArray(entries.map(\.msgid)), .intArray(entries.map { Int64($0.kind.rawValue) }), .intArray(entries.map(\.userID)),
                .textArray(entries.map(\.username)), .moneyArray(entries.map(\.amount)), .moneyArray(entries.map(\.balanceAfter)),
                .intArray(entries.map { Int64($0.mechanism.rawValue) }), .moneyArray(entries.map(\.cost)),
                .intArray(entries.map(\.chargePriceID)), .intArray(entries.map(\.costPriceID)), .textArray(entries.map(\.currency)),
                .textArray(entries.map(\.note)),
            ])
        try writeBalances(connection, before: before, after: after)
    }

    private static func writeBalances(
        _ connection: Connection, before: [String: PayingAccount], after: [String: PayingAccount]
    ) throws(DatabaseError) {
        let charges = after.values.filter { $0.charges != nil && before[$0.username]?.charges != $0.charges }
        if !charges.isEmpty {
            try connection.execute(
                """
                UPDATE emguser SET charge_balance = new.balance
                FROM unnest($1::bigint[], $2::numeric[]) AS new(userid, balance)
                WHERE emguser.userid = ANY($1::bigint[]) AND emguser.userid = new.userid
                """, [.intArray(charges.map(\.userID)), .moneyArray(charges.map(\.charges))])
        }
        let credits = after.values.filter { before[$0.username]?.credits != $0.credits }
        if !credits.isEmpty {
            let split = credits.map { PayingAccount.split(credits: $0.credits) }
            try connection.execute(
                """
                UPDATE emguser SET creditssend = new.whole, creditssenddec = new.millionths
                FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS new(userid, whole, millionths)
                WHERE emguser.userid = ANY($1::bigint[]) AND emguser.userid = new.userid
                """, [.intArray(credits.map(\.userID)), .intArray(split.map(\.whole)), .intArray(split.map(\.millionths))])
        }
    }

    // MARK: Top-ups

    /// Adds an amount to an account's balance (or takes it away, where negative), with its ledger entry and EMG Portal's history row, in
    /// one transaction. An account that works with credits gets credits.
    /// - Returns: the balance afterwards.
    /// - Throws: `StoreError` for an unknown account, or one that would go below zero, or below its postpaid limit.
    @discardableResult
    public static func topUp(
        _ connection: Connection, username: String, amount: Money, by who: String, note: String? = nil
    ) throws -> Money {
        try connection.transaction {
            let balance = try book(connection, username: username, amount: amount, by: who, note: note)
            try Audit.write(connection, who: who, action: "account topup", detail: "\(username) \(amount)")
            return balance
        }
    }

    /// The same inside an open transaction. The account's row stays locked until it ends.
    /// - Parameter mayOverdraw: an imported balance is what it is.
    @discardableResult
    static func book(
        _ connection: Connection, username: String, amount: Money, mechanism: Mechanism? = nil, by who: String, note: String?,
        mayOverdraw: Bool = false
    ) throws -> Money {
        guard amount != .zero else { throw StoreError.invalid("the amount is zero") }
        let before = try lockAccounts(connection, usernames: [username])
        guard var account = before[username] else { throw StoreError.notFound("account \(username)") }
        let mechanism = mechanism ?? account.mechanism
        guard let old = account.balance(mechanism) else { throw StoreError.invalid("account \(username) works with credits") }
        guard let new = try? old.adding(amount), new <= .columnMaximum, new.micros >= -Money.columnMaximum.micros else {
            throw StoreError.invalid("the balance would be out of range")
        }
        // A deduction by hand obeys the same floor as a message.
        let floor = mechanism == account.mechanism ? account.floor : .zero
        guard amount > .zero || mayOverdraw || floor.map({ new >= $0 }) ?? true else {
            throw StoreError.invalid("the balance of account \(username), \(old), does not cover \(amount)")
        }
        guard account.giveBack(amount, mechanism) else { throw StoreError.invalid("the balance would be out of range") }
        let id = try connection.query("SELECT nextval('ledger_topup')")[0].int(0)
        let entry = LedgerEntry(
            msgid: id, kind: .topUp, userID: account.userID, username: username, amount: amount, balanceAfter: new, mechanism: mechanism,
            currency: mechanism == .charges ? account.currency : "", note: note)
        try write(connection, entries: [entry], before: before, after: [username: account])
        try connection.execute(
            "INSERT INTO emgp_balance_history (emguser_id, amount_before, amount, created_by) VALUES ($1, $2, $3, $4)",
            [.int(account.userID), .numeric(old), .numeric(amount), .text(who)])
        return new
    }

    /// Top-ups and deductions of an account, newest first: what EMG Portal keeps as `emgp_balance_history`.
    public static func history(
        _ connection: Connection, username: String, limit: Int
    ) throws(DatabaseError) -> [(at: Int64, before: Money?, amount: Money, by: String?)] {
        var found: [(at: Int64, before: Money?, amount: Money, by: String?)] = []
        for row in try connection.query(
            """
            SELECT h.created, h.amount_before, h.amount, h.created_by FROM emgp_balance_history h
            JOIN emguser u ON u.userid = h.emguser_id WHERE u.username = $1 ORDER BY h.id DESC LIMIT $2
            """, [.text(username), .int(limit)])
        {
            found.append((try row.milliseconds(0), try row.optionalMoney(1), try row.money(2), try row.optionalText(3)))
        }
        return found
    }
}

/// Slots that make message ids unique without asking anybody: 0...1023.
public enum NodeSlot {
    /// The next slot. They come round after 1,024: by then the process that had the same one has long ended, or it
    /// is one of more than a thousand that live.
    public static func next(_ connection: Connection) throws(DatabaseError) -> Int64 {
        try connection.query("SELECT nextval('node_slot')")[0].int(0)
    }
}
