/// What a part of a message costs us by destination and outgoing connector: the cost side of the price table, for least-cost routing.
public struct CostTable: Sendable {
    public struct Row: Sendable, Hashable {
        public var scope: RowScope
        /// Millionths of the currency unit.
        public var micros: Int64
        /// Milliseconds since 1970; `nil` = without end.
        public var validFrom: Int64?
        public var validUntil: Int64?

        public init(scope: RowScope, micros: Int64, validFrom: Int64? = nil, validUntil: Int64? = nil) {
            self.scope = scope
            self.micros = micros
            self.validFrom = validFrom
            self.validUntil = validUntil
        }
    }

    private var table = SpecificityTable<Row>()

    public init(_ rows: [Row] = []) {
        for row in rows { _ = table.insert(row, scope: row.scope) }
    }

    /// By the rule of prices: the most specific valid row, of several the one that began last (docs/routing.md).
    /// - Returns: `nil` where no row says.
    public func micros(destination: String, account: String, inConnector: String, outConnector: String, now: Int64) -> Int64? {
        var found: Row?
        table.search(number: destination, account: account, inConnector: inConnector, outConnector: outConnector) { rows in
            let valid = rows.filter { ($0.validFrom ?? .min) <= now && now < ($0.validUntil ?? .max) }
            found = valid.max { ($0.validFrom ?? .min) < ($1.validFrom ?? .min) }
            return found != nil
        }
        return found?.micros
    }
}
