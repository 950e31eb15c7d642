public import Database
public import Pricing

/// Movements of money that do not belong to a message.
public enum LedgerStore {
    /// `ledger.kind` of a top-up.
    public static let topUpKind: Int64 = 100

    /// Adds an amount to an account's balance (or takes it away, where negative), with its ledger entry and EMG
    /// Portal's history row, in one transaction.
    /// - Returns: the balance afterwards.
    /// - Throws: `StoreError` for an unknown account, one whose credits count, or a prepaid one that would go
    ///   below zero.
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
    @discardableResult
    static func book(
        _ connection: Connection, username: String, amount: Money, by who: String, note: String?
    ) throws -> Money {
        guard amount != .zero else { throw StoreError.invalid("the amount is zero") }
        let rows = try connection.query(
            "SELECT userid, charge_balance, allowpostpaid FROM emguser WHERE username = $1 FOR UPDATE", [.text(username)])
        guard let row = rows.first else { throw StoreError.notFound("account \(username)") }
        guard let before = try row.optionalMoney("charge_balance") else {
            throw StoreError.invalid("account \(username) has no balance: it works with credits")
        }
        let userID = try row.int("userid")
        guard let after = try? before.adding(amount), after <= .columnMaximum, after.micros >= -Money.columnMaximum.micros else {
            throw StoreError.invalid("the balance would be out of range")
        }
        let mayOwe = try row.int("allowpostpaid") == 1
        guard amount > .zero || after >= .zero || mayOwe else {
            throw StoreError.invalid("the balance of the prepaid account \(username), \(before), does not cover \(amount)")
        }
        try connection.execute("UPDATE emguser SET charge_balance = $2 WHERE userid = $1", [.int(userID), .numeric(after)])
        try connection.execute(
            """
            INSERT INTO ledger (msgid, kind, userid, username, amount, balance_after, mechanism, note)
            VALUES (nextval('ledger_topup'), $1, $2, $3, $4, $5, 2, $6)
            """,
            [.int(topUpKind), .int(userID), .text(username), .numeric(amount), .numeric(after), .optional(note)])
        try connection.execute(
            "INSERT INTO emgp_balance_history (emguser_id, amount_before, amount, created_by) VALUES ($1, $2, $3, $4)",
            [.int(userID), .numeric(before), .numeric(amount), .text(who)])
        return after
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
