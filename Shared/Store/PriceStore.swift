public import Database
public import Pricing
import Routing

/// A row of `price`: what an account pays, what a provider costs, or both, for one part. Nil, or the empty
/// prefix, matches anything.
public struct PriceRow: Sendable, Equatable, Encodable {
    public var id: Int64
    public var prefix: String
    public var account: String?
    public var inConnector: String?
    public var outConnector: String?
    public var charge: Money?
    public var cost: Money?
    public var currency: String
    /// Milliseconds since 1970; nil = from the beginning.
    public var validFrom: Int64?
    /// Milliseconds since 1970; nil = without end.
    public var validUntil: Int64?
    public var disabled: Bool
    /// The column of `emguser` whose file it comes from; nil: entered by hand.
    public var origin: String?

    public init(
        id: Int64 = 0, prefix: String, account: String? = nil, inConnector: String? = nil, outConnector: String? = nil,
        charge: Money?, cost: Money?, currency: String = "EUR", validFrom: Int64? = nil, validUntil: Int64? = nil,
        disabled: Bool = false
    ) {
        self.id = id
        self.prefix = prefix
        self.account = account
        self.inConnector = inConnector
        self.outConnector = outConnector
        self.charge = charge
        self.cost = cost
        self.currency = currency
        self.validFrom = validFrom
        self.validUntil = validUntil
        self.disabled = disabled
    }

    enum CodingKeys: String, CodingKey {
        case prefix, account, charge, currency, disabled, origin
        case id = "priceid"
        case inConnector = "in_connector"
        case outConnector = "out_connector"
        case cost = "charge_cost"
        case validFrom = "valid_from_ms"
        case validUntil = "valid_until_ms"
    }
}

/// The table `price`; every change notifies the billing instances.
public enum PriceStore {
    public static func load(_ connection: Connection, includingDisabled: Bool = false) throws(DatabaseError) -> [PriceRow] {
        var prices: [PriceRow] = []
        for row in try connection.query(
            """
            SELECT priceid, prefix, account, in_connector, out_connector, charge, charge_cost, currency, valid_from, valid_until, disabled,
                origin
            FROM price WHERE removed IS NULL AND (NOT disabled OR $1::boolean) ORDER BY prefix, account, in_connector, out_connector, priceid
            """, [.bool(includingDisabled)])
        {
            var price = PriceRow(
                id: try row.int(0), prefix: try row.text(1), account: try row.optionalText(2), inConnector: try row.optionalText(3),
                outConnector: try row.optionalText(4), charge: try row.optionalMoney(5), cost: try row.optionalMoney(6),
                currency: try row.text(7), validFrom: try row.optionalMilliseconds(8), validUntil: try row.optionalMilliseconds(9),
                disabled: try row.bool(10))
            price.origin = try row.optionalText(11)
            prices.append(price)
        }
        return prices
    }

    /// The prices in use, ready to be asked.
    public static func table(_ connection: Connection) throws(DatabaseError) -> PriceTable {
        PriceTable(
            try load(connection).map { row in
                Price(
                    id: row.id,
                    scope: PriceScope(
                        prefix: row.prefix, account: row.account, inConnector: row.inConnector, outConnector: row.outConnector),
                    charge: row.charge, cost: row.cost, currency: row.currency, validFrom: row.validFrom, validUntil: row.validUntil)
            })
    }

    /// A charge that never counts, for nobody who could pay it has its currency.
    public struct Misfit: Sendable, Equatable, Encodable {
        public var id: Int64
        public var prefix: String
        public var account: String?
        public var currency: String
        /// The account's; nil where the row is for all accounts, and none has its currency.
        public var accountCurrency: String?

        enum CodingKeys: String, CodingKey {
            case prefix, account, currency
            case id = "priceid"
            case accountCurrency = "account_currency"
        }

        public var words: String {
            let scope = "price \(id) (prefix \(prefix.isEmpty ? "*" : prefix)\(account.map { ", account \($0)" } ?? ""))"
            let why = accountCurrency.map { "the account pays in \($0)" } ?? "no account has that currency"
            return "\(scope): its charge in \(currency) never counts, for \(why)"
        }
    }

    /// Prices in use whose charge never counts.
    /// - Parameter account: only those of this account; nil = all.
    public static func misfits(_ connection: Connection, account: String? = nil, limit: Int) throws(DatabaseError) -> [Misfit] {
        try connection.query(
            """
            SELECT p.priceid, p.prefix, p.account, p.currency, u.currency FROM price p LEFT JOIN emguser u ON u.username = p.account
            WHERE EXISTS (SELECT FROM emguser) AND p.removed IS NULL AND NOT p.disabled AND p.charge IS NOT NULL AND (p.valid_until IS NULL OR p.valid_until > now())
                AND ($1::text IS NULL OR p.account = $1)
                AND CASE WHEN p.account IS NULL THEN p.currency NOT IN (SELECT currency FROM emguser) ELSE u.currency <> p.currency END
            ORDER BY p.priceid LIMIT $2
            """, [.optional(account), .int(limit)]
        ).map { row throws(DatabaseError) in
            Misfit(
                id: try row.int(0), prefix: try row.text(1), account: try row.optionalText(2), currency: try row.text(3),
                accountCurrency: try row.optionalText(4))
        }
    }

    /// The currencies in which accounts pay.
    public static func currencies(_ connection: Connection) throws(DatabaseError) -> [String: String] {
        var currencies: [String: String] = [:]
        for row in try connection.query("SELECT username, currency FROM emguser") { currencies[try row.text(0)] = try row.text(1) }
        return currencies
    }

    /// What is wrong with a charge in this currency; nil where it counts.
    static func fault(of price: PriceRow, _ currencies: [String: String]) -> String? {
        guard price.charge != nil, let account = price.account, let own = currencies[account], own != price.currency else { return nil }
        return "a charge in \(price.currency) would never count for \(account), which pays in \(own)"
    }

    /// - Throws: `StoreError` where the row makes no sense, names what does not exist, or could never count.
    @discardableResult
    public static func add(_ connection: Connection, _ price: PriceRow, by who: String) throws -> Int64 {
        try Prefix.check(price.prefix)
        guard price.charge != nil || price.cost != nil else { throw StoreError.invalid("a price needs a charge, a cost, or both") }
        for amount in [price.charge, price.cost].compactMap({ $0 }) where amount < .zero || amount > .columnMaximum {
            throw StoreError.invalid("a price lies between 0 and \(Money.columnMaximum)")
        }
        guard price.currency.utf8.count == 3, price.currency.utf8.allSatisfy({ (0x41...0x5A).contains($0) }) else {
            throw StoreError.invalid("a currency has three capitals, such as EUR, not \(price.currency)")
        }
        if let from = price.validFrom, let until = price.validUntil, until <= from {
            throw StoreError.invalid("the price ends before it begins")
        }
        return try connection.transaction {
            for connector in [price.inConnector, price.outConnector].compactMap({ $0 }) {
                try Existence.connector(connection, connector)
            }
            if let account = price.account { try Existence.account(connection, account) }
            if let fault = fault(of: price, try currencies(connection)) { throw StoreError.invalid(fault) }
            let rows = try connection.query(
                """
                INSERT INTO price
                    (prefix, account, in_connector, out_connector, charge, charge_cost, currency, valid_from, valid_until, disabled)
                VALUES ($1, $2, $3, $4, $5, $6, $7, to_timestamp($8::bigint / 1000.0), to_timestamp($9::bigint / 1000.0), $10)
                RETURNING priceid
                """,
                [
                    .text(price.prefix), .optional(price.account), .optional(price.inConnector), .optional(price.outConnector),
                    .optional(price.charge), .optional(price.cost), .text(price.currency), .optional(price.validFrom),
                    .optional(price.validUntil), .bool(price.disabled),
                ])
            let id = try rows[0].int(0)
            try Audit.write(connection, who: who, action: "price add", detail: "\(id): prefix \(price.prefix)")
            return id
        }
    }

    public static func remove(_ connection: Connection, id: Int64, by who: String) throws {
        try connection.transaction {
            // The row stays: messages, ledger and summaries name it by its id.
            guard
                try connection.execute(
                    "UPDATE price SET removed = now(), disabled = true, updated = now() WHERE priceid = $1 AND removed IS NULL",
                    [.int(id)]) == 1
            else {
                throw StoreError.notFound("price \(id)")
            }
            try Audit.write(connection, who: who, action: "price rm", detail: "\(id)")
        }
    }
}
