import Pricing

/// One movement of money, as the ledger keeps it for ever. Its key is message id and kind: the same movement cannot be booked twice.
struct LedgerEntry: Equatable {
    enum Kind: Int16 {
        case charge = 1
        case refund = 2
    }

    var msgid: Int64
    var kind: Kind
    var userID: Int64
    var username: String
    /// Change of the balance: negative for a charge.
    var amount: Money
    var balanceAfter: Money
    var mechanism: BilledAccount.Mechanism
    var cost: Money
    var chargePriceID: Int64?
    var costPriceID: Int64?
    var currency: String
}
