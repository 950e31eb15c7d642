/// Which of a connector's INSTANCES sessions are this instance's. Pure.
public struct SessionShare: Equatable, Sendable {
    /// Our place among the living instances, by name; from 0.
    public var rank: Int
    /// Living instances, ourselves included.
    public var count: Int

    public static let alone = SessionShare(rank: 0, count: 1)

    /// - Parameter living: the instances that gave a sign of life; we count even where we are not among them yet.
    public init(own: String, living: [String]) {
        let names = Set(living).union([own]).sorted()
        rank = names.firstIndex(of: own) ?? 0
        count = names.count
    }

    public init(rank: Int, count: Int) {
        self.rank = rank
        self.count = count
    }

    /// The sessions, numbered over all instances: every `count`th. Empty where there are more instances than sessions.
    public func sessions(of total: Int) -> [Int] { Array(stride(from: rank, to: max(1, total), by: max(1, count))) }

    /// The part of THROUGHPUT that belongs to these sessions.
    public func rate(_ perSecond: Int, sessions total: Int) -> Double {
        Double(perSecond) * Double(sessions(of: total).count) / Double(max(1, total))
    }
}

/// Takes over a smaller share at once and a larger one only when it has been seen for a while, so that two instances do not hold the
/// same session at a change. Pure.
public struct SettledShare {
    /// How often a larger share must be seen in a row.
    private static let patience = 4

    public private(set) var value: SessionShare?
    private var candidate: SessionShare?
    private var seen = 0

    public init() {}

    /// - Returns: whether `value` changed.
    public mutating func saw(_ share: SessionShare) -> Bool {
        guard share != value else {
            candidate = nil
            return false
        }
        // Alone, or with more company than before: nobody is there, or the others wait.
        let isSmaller = value.map { share.count > $0.count && share.rank >= $0.rank } ?? (share.count == 1)
        if !isSmaller {
            seen = candidate == share ? seen + 1 : 1
            candidate = share
            guard seen >= SettledShare.patience else { return false }
        }
        value = share
        candidate = nil
        seen = 0
        return true
    }
}
