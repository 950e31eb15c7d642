import Database
import Message
import Pricing

/// The rows that a batch touches, locked, and what it adds to them. Three statements in, two out, whatever the size of the batch.
struct Books {
    struct Existing {
        var charge: Charge
    }

    /// By username; locked in the order of userid, so that two billing instances cannot lock each other out.
    var accounts: [String: BilledAccount]
    /// Charges that are in the ledger already, by msgid.
    var existing: [Int64: Existing]
    /// Messages whose refund is in the ledger already.
    var refunded: Set<Int64>
    var added: [LedgerEntry] = []
    private let before: [String: BilledAccount]

    static func open(_ connection: Connection, messages: [ShortMessage], refused: [Submission]) throws -> Books {
        let usernames = Set(messages.map(\.account)).union(refused.map(\.message.account))
        let rows = try connection.query(
            """
            SELECT userid, username, charge_balance, creditssend, creditssenddec, allowpostpaid, charge_balance_postpaid_limit
            FROM emguser WHERE username = ANY($1::text[]) ORDER BY userid FOR UPDATE
            """, [.textArray(usernames.sorted().map { $0 })])
        var accounts: [String: BilledAccount] = [:]
        for row in rows {
            let username = try row.text("username")
            let isPostpaid = try row.optionalInt("allowpostpaid") == 1
            let limit = try row.optionalMoney("charge_balance_postpaid_limit")
            let charges = try row.optionalMoney("charge_balance")
            let credits = Money(
                micros: (try row.optionalInt("creditssend") ?? 0) &* 1_000_000 &+ (try row.optionalInt("creditssenddec") ?? 0))
            accounts[username] = BilledAccount(
                userID: try row.int("userid"), username: username, mechanism: charges == nil ? .credits : .charges,
                balance: charges ?? credits, floor: isPostpaid ? limit : .zero)
        }
        let ids = messages.map(\.msgid) + refused.map(\.message.msgid)
        let entries = try connection.query(
            """
            SELECT msgid, kind, amount, charge_cost, charge_price_id, charge_cost_price_id, mechanism, currency
            FROM ledger WHERE msgid = ANY($1::bigint[]) AND kind IN (1, 2)
            """, [.intArray(ids.map { $0 })])
        var existing: [Int64: Existing] = [:]
        var refunded: Set<Int64> = []
        for row in entries {
            let msgid = try row.int("msgid")
            if try row.int("kind") == Int64(LedgerEntry.Kind.refund.rawValue) {
                refunded.insert(msgid)
                continue
            }
            var charge = Charge()
            charge.chargeMicros = -(try row.money("amount").micros)
            charge.costMicros = try row.optionalMoney("charge_cost")?.micros ?? 0
            charge.chargePriceID = try row.optionalInt("charge_price_id") ?? 0
            charge.costPriceID = try row.optionalInt("charge_cost_price_id") ?? 0
            charge.mechanism = UInt32(clamping: try row.int("mechanism"))
            charge.currency = try row.optionalText("currency") ?? ""
            existing[msgid] = Existing(charge: charge)
        }
        return Books(accounts: accounts, existing: existing, refunded: refunded, before: accounts)
    }

    private init(accounts: [String: BilledAccount], existing: [Int64: Existing], refunded: Set<Int64>, before: [String: BilledAccount]) {
        self.accounts = accounts
        self.existing = existing
        self.refunded = refunded
        self.before = before
    }

    func write(_ connection: Connection) throws {
        guard !added.isEmpty else { return }
        _ = try connection.execute(
            """
            INSERT INTO ledger (msgid, kind, userid, username, amount, balance_after, mechanism, charge_cost, charge_price_id,
                                charge_cost_price_id, currency)
            SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::text[], $5::numeric[], $6::numeric[], $7::smallint[],
                                 $8::numeric[], $9::bigint[], $10::bigint[], $11::text[])
            """,
            [
                .intArray(added.map(\.msgid)), .intArray(added.map { Int64($0.kind.rawValue) }), .intArray(added.map(\.userID)),
                .textArray(added.map(\.username)), .moneyArray(added.map(\.amount)), .moneyArray(added.map(\.balanceAfter)),
                .intArray(added.map { Int64($0.mechanism.rawValue) }), .moneyArray(added.map(\.cost)),
                .intArray(added.map(\.chargePriceID)),
                .intArray(added.map(\.costPriceID)), .textArray(added.map(\.currency)),
            ])
        let changed = accounts.values.filter { before[$0.username]?.balance != $0.balance }
        let charges = changed.filter { $0.mechanism == .charges }
        if !charges.isEmpty {
            _ = try connection.execute(
                """
                UPDATE emguser SET charge_balance = new.balance
                FROM unnest($1::bigint[], $2::numeric[]) AS new(userid, balance) WHERE emguser.userid = new.userid
                """, [.intArray(charges.map(\.userID)), .moneyArray(charges.map(\.balance))])
        }
        let credits = changed.filter { $0.mechanism == .credits }
        if !credits.isEmpty {
            // Floor division, so that the decimal part stays between 0 and 999,999 also below zero.
            let whole = credits.map { ($0.balance.micros - (($0.balance.micros % 1_000_000) + 1_000_000) % 1_000_000) / 1_000_000 }
            let decimals = credits.map { (($0.balance.micros % 1_000_000) + 1_000_000) % 1_000_000 }
            _ = try connection.execute(
                """
                UPDATE emguser SET creditssend = new.whole, creditssenddec = new.decimals
                FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS new(userid, whole, decimals) WHERE emguser.userid = new.userid
                """, [.intArray(credits.map(\.userID)), .intArray(whole), .intArray(decimals)])
        }
    }
}
