/// EMG's two ways to pay, which exclude each other (user documentation, "Credits" and "Charges").
public enum Mechanism: Int16, Sendable, Hashable {
    /// `charge_balance`, in the account's currency.
    case charges = 2
    /// `creditssend` and `creditssenddec`: one credit for each part.
    case credits = 3
}

/// When a charge becomes final (`emguser.charge_on`). In each case the amount is taken when the message is queued for its provider, so
/// that a prepaid balance can never be overdrawn; the policy says what is given back.
public enum ChargePolicy: UInt32, Sendable, Hashable, CaseIterable {
    /// What was accepted and priced is paid, whatever becomes of it.
    case accept = 1
    /// Paid once the provider has taken it; what it refuses, or what expires or is cleared before, is given back.
    case send = 2
    /// Paid where it was delivered, or where no report can come; all else is given back.
    case delivery = 3

    /// The word in `emguser.charge_on`.
    public var word: String {
        switch self {
        case .accept: "accept"
        case .send: "send"
        case .delivery: "delivery"
        }
    }

    public init?(word: String) {
        guard let policy = ChargePolicy.allCases.first(where: { $0.word == word }) else { return nil }
        self = policy
    }
}

/// What a booking needs to know of an account, and does to it. Whoever holds one keeps the account's row locked until it is written.
public struct PayingAccount: Sendable, Equatable {
    public var userID: Int64
    public var username: String
    /// `charge_balance`; `nil` means that credits count.
    public var charges: Money?
    /// `creditssend` and `creditssenddec` as one amount.
    public var credits: Money
    /// `allowpostpaid` = 1.
    public var isPostpaid: Bool
    /// `charge_balance_postpaid_limit`, zero or negative; `nil` = no limit.
    public var postpaidLimit: Money?
    public var currency: String
    public var policy: ChargePolicy

    public init(
        userID: Int64, username: String, charges: Money?, credits: Money = .zero, isPostpaid: Bool = false, postpaidLimit: Money? = nil,
        currency: String = "EUR", policy: ChargePolicy = .send
    ) {
        self.userID = userID
        self.username = username
        self.charges = charges
        self.credits = credits
        self.isPostpaid = isPostpaid
        self.postpaidLimit = postpaidLimit
        self.currency = currency
        self.policy = policy
    }

    public var mechanism: Mechanism { charges == nil ? .credits : .charges }

    /// The lowest balance that a booking may leave; `nil` = none.
    public var floor: Money? {
        guard isPostpaid else { return .zero }
        // The limit is an amount of money: it says nothing of credits.
        return mechanism == .charges ? postpaidLimit : nil
    }

    /// The balance of one of the two ways to pay; `nil` where the account has none of the kind.
    public func balance(_ mechanism: Mechanism) -> Money? {
        switch mechanism {
        case .charges: charges
        case .credits: credits
        }
    }

    /// What could be taken now; `nil` = any amount. Never negative.
    public var available: Money? {
        guard let floor else { return nil }
        let balance = charges ?? credits
        guard let rest = try? balance.subtracting(floor) else { return .zero }
        return max(.zero, rest)
    }

    /// Takes `amount` (gives back, where negative) where the balance allows it. What costs nothing is never refused for want of money.
    /// - Returns: `false`, and nothing changed, where the balance would fall below the floor, or could not be written any more.
    public mutating func take(_ amount: Money) -> Bool {
        guard let after = try? (charges ?? credits).subtracting(amount), Self.fits(after) else { return false }
        if amount > .zero, let floor, after < floor { return false }
        set(mechanism, after)
        return true
    }

    /// Gives back what was taken by `mechanism`, also where the account pays the other way by now.
    /// - Returns: `false`, and nothing changed, where the account has no such balance any more, or it could not be written.
    public mutating func giveBack(_ amount: Money, _ mechanism: Mechanism) -> Bool {
        guard let before = balance(mechanism), let after = try? before.adding(amount), Self.fits(after) else { return false }
        set(mechanism, after)
        return true
    }

    private mutating func set(_ mechanism: Mechanism, _ value: Money) {
        switch mechanism {
        case .charges: charges = value
        case .credits: credits = value
        }
    }

    /// `numeric(18,6)`, either sign.
    private static func fits(_ amount: Money) -> Bool { amount <= .columnMaximum && amount.micros >= -Money.columnMaximum.micros }

    /// `creditssend` and `creditssenddec`. The decimal part borrows from the integer part and stays between 0 and 999,999 also below
    /// zero: half a credit owed is -1 and 500,000.
    public static func split(credits: Money) -> (whole: Int64, millionths: Int64) {
        let millionths = ((credits.micros % 1_000_000) + 1_000_000) % 1_000_000
        return ((credits.micros - millionths) / 1_000_000, millionths)
    }

    /// The same the other way round; `nil` where the sum is out of range.
    public static func join(whole: Int64, millionths: Int64) -> Money? {
        let (micros, overflow) = whole.multipliedReportingOverflow(by: 1_000_000)
        let (sum, carried) = micros.addingReportingOverflow(millionths)
        return overflow || carried ? nil : Money(micros: sum)
    }
}
