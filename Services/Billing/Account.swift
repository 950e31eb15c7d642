import Pricing

/// What billing knows of an account while it books a batch: the row is locked until the batch is written.
struct BilledAccount: Equatable {
    /// EMG's two ways to pay, which exclude each other (EMG-REFERENCE 6.2).
    enum Mechanism: Int16 {
        /// `charge_balance`, in the account's currency.
        case charges = 2
        /// `creditssend` and `creditssenddec`: one credit for each part.
        case credits = 3
    }

    var userID: Int64
    var username: String
    var mechanism: Mechanism
    /// In the account's currency, or in credits.
    var balance: Money
    /// The lowest balance that a booking may leave: zero for prepaid, `nil` = no limit.
    var floor: Money?

    /// Books `amount` where the balance allows it.
    /// - Returns: `false`, and nothing changed, where it would fall below the floor.
    mutating func take(_ amount: Money) -> Bool {
        guard let after = try? balance.subtracting(amount) else { return false }
        // What costs nothing is never refused for want of money.
        if amount > .zero, let floor, after < floor { return false }
        balance = after
        return true
    }

    /// - Returns: `false` where the sum cannot be written any more.
    mutating func giveBack(_ amount: Money) -> Bool {
        guard let after = try? balance.adding(amount) else { return false }
        balance = after
        return true
    }
}
