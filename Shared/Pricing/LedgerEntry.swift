/// What a row of the ledger is about. With the message id it is the row's key: the same movement cannot be booked twice.
public struct LedgerKind: RawRepresentable, Hashable, Sendable, Comparable {
    public var rawValue: Int16

    public init(rawValue: Int16) { self.rawValue = rawValue }

    /// The price of a message when it is queued for its first provider, less what was reserved.
    public static let charge = LedgerKind(rawValue: 1)
    /// What is given back when a message ends, by the account's policy; zero where all is kept.
    public static let refund = LedgerKind(rawValue: 2)
    /// DEFAULT_CHARGE, taken before the message is accepted.
    public static let reservation = LedgerKind(rawValue: 3)
    /// A reservation given back, because its message was not accepted after all.
    public static let release = LedgerKind(rawValue: 4)
    /// The provider took other parts than were priced.
    public static let parts = LedgerKind(rawValue: 5)
    /// Money from or to outside; the message id is a negative number of its own.
    public static let topUp = LedgerKind(rawValue: 100)

    /// The difference when a message is queued for another connector, after `pass` connectors refused it.
    public static func pass(_ pass: Int) -> LedgerKind {
        pass <= 0 ? .charge : LedgerKind(rawValue: 1_000 + Int16(clamping: min(pass, 30_000)))
    }

    /// The number of connectors that had refused the message when it was priced; `nil` where the entry is no price.
    public var passNumber: Int? {
        if self == .charge { return 0 }
        return rawValue > 1_000 ? Int(rawValue) - 1_000 : nil
    }

    /// How late in a message's life: of two records that tell of its charge the later one counts.
    public var revision: UInt32 {
        switch self {
        case .reservation: 0
        case .release: 1
        case .parts: 60_000
        case .refund: 60_001
        default: passNumber.map { UInt32($0) + 10 } ?? 0
        }
    }

    public static func < (left: LedgerKind, right: LedgerKind) -> Bool { left.revision < right.revision }

    public var word: String {
        switch self {
        case .charge: "charge"
        case .refund: "refund"
        case .reservation: "reservation"
        case .release: "reservation released"
        case .parts: "parts corrected"
        case .topUp: "top-up"
        default: passNumber.map { "charge after \($0) refusals" } ?? "kind \(rawValue)"
        }
    }
}

/// One movement of money, as the ledger keeps it for ever.
public struct LedgerEntry: Sendable, Equatable {
    public var msgid: Int64
    public var kind: LedgerKind
    public var userID: Int64
    public var username: String
    /// Change of the balance: negative where the account pays.
    public var amount: Money
    public var balanceAfter: Money
    public var mechanism: Mechanism
    /// What the provider takes for the message as things stand with this entry.
    public var cost: Money
    public var chargePriceID: Int64?
    public var costPriceID: Int64?
    public var currency: String
    public var note: String?

    public init(
        msgid: Int64, kind: LedgerKind, userID: Int64, username: String, amount: Money, balanceAfter: Money, mechanism: Mechanism,
        cost: Money = .zero, chargePriceID: Int64? = nil, costPriceID: Int64? = nil, currency: String = "", note: String? = nil
    ) {
        self.msgid = msgid
        self.kind = kind
        self.userID = userID
        self.username = username
        self.amount = amount
        self.balanceAfter = balanceAfter
        self.mechanism = mechanism
        self.cost = cost
        self.chargePriceID = chargePriceID
        self.costPriceID = costPriceID
        self.currency = currency
        self.note = note
    }
}
