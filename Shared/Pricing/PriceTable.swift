public import Routing

/// A price as an operator enters it: what the account pays, what the provider costs, or both. Per part.
public struct Price: Sendable, Hashable {
    public var id: Int64
    public var scope: PriceScope
    public var charge: Money?
    public var cost: Money?
    public var currency: String
    /// Milliseconds since 1970; `nil` = without end.
    public var validFrom: Int64?
    public var validUntil: Int64?

    public init(
        id: Int64, scope: PriceScope, charge: Money?, cost: Money?, currency: String, validFrom: Int64? = nil, validUntil: Int64? = nil
    ) {
        self.id = id
        self.scope = scope
        self.charge = charge
        self.cost = cost
        self.currency = currency
        self.validFrom = validFrom
        self.validUntil = validUntil
    }

    func isValid(at now: Int64) -> Bool { (validFrom ?? .min) <= now && now < (validUntil ?? .max) }
}

/// What a price row is limited to: the same as a route's.
public typealias PriceScope = RowScope

/// What one part of a message costs, and the rows that say so.
public struct Quote: Sendable, Equatable {
    public var charge: Money
    public var chargePriceID: Int64
    /// Zero and no row where no cost is known.
    public var cost: Money
    public var costPriceID: Int64?
    public var currency: String

    public init(charge: Money, chargePriceID: Int64, cost: Money, costPriceID: Int64?, currency: String) {
        self.charge = charge
        self.chargePriceID = chargePriceID
        self.cost = cost
        self.costPriceID = costPriceID
        self.currency = currency
    }
}

/// The prices, ready to be asked. A value: a new one is built where prices change, and swapped in.
///
/// Charge and cost are sought apart: each comes from the most specific valid row that has one (docs/routing.md gives the order).
public struct PriceTable: Sendable {
    private var charges = SpecificityTable<Price>()
    private var costs = SpecificityTable<Price>()

    public init(_ prices: [Price]) {
        for price in prices {
            if price.charge != nil { _ = charges.insert(price, scope: price.scope) }
            if price.cost != nil { _ = costs.insert(price, scope: price.scope) }
        }
    }

    /// - Parameters:
    ///   - currency: the account's. A charge in another one does not apply to it: nobody gave us a rate. `nil` = any.
    ///   - needsCharge: `false` where the account pays by credits: then the cost alone is of interest.
    ///   - now: milliseconds since 1970.
    ///   - passedOver: is given a row whose charge would have counted in another currency: of those of the account itself the most
    ///     specific, or any where nothing else is left and the message has no price.
    /// - Returns: `nil` where a charge is needed and no row has one.
    public func quote(
        destination: String, account: String, inConnector: String, outConnector: String, currency: String? = nil, needsCharge: Bool = true,
        now: Int64, passedOver: (Int64) -> Void = { _ in }
    ) -> Quote? {
        var foreign: Price?
        func find(_ table: SpecificityTable<Price>, _ currency: String?) -> Price? {
            var found: Price?
            table.search(number: destination, account: account, inConnector: inConnector, outConnector: outConnector) { rows in
                // Of several valid rows for the same scope the newest wins.
                for row in rows where row.isValid(at: now) {
                    guard currency == nil || row.currency == currency else {
                        if foreign == nil { foreign = row }
                        continue
                    }
                    if let best = found, (best.validFrom ?? .min, best.id) > (row.validFrom ?? .min, row.id) { continue }
                    found = row
                }
                return found != nil
            }
            return found
        }
        let row = find(charges, currency)
        // A price list in several currencies is no mistake, unless it leaves somebody without a price. A row of the account's own is one:
        // but not where the same scope has another in the right currency.
        if let foreign, row == nil && needsCharge || foreign.scope.account != nil && foreign.scope != row?.scope { passedOver(foreign.id) }
        guard row != nil || !needsCharge else { return nil }
        let costRow = find(costs, nil)
        return Quote(
            charge: row?.charge ?? .zero, chargePriceID: row?.id ?? 0, cost: costRow?.cost ?? .zero, costPriceID: costRow?.id,
            currency: row?.currency ?? costRow?.currency ?? "")
    }
}
