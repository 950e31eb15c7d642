/// Counts of durations in classes that grow with them: 64 for each doubling, so that a percentile is right to 1.6 %, in memory that does
/// not grow with the number of messages.
public struct LatencyHistogram: Sendable, Equatable {
    private static let subBits = 6
    private static let sub = 1 << subBits
    /// Nanoseconds below which all is one class: finer than the load generator's own clock is read.
    private static let unit: Int64 = 1_000
    /// Durations beyond 2^36 microseconds (19 hours) count as that.
    private static let largest: Int64 = (1 << 36) - 1

    private var counts: [Int] = []
    public private(set) var count = 0
    private var sum: Int64 = 0
    public private(set) var maximumNanoseconds: Int64 = 0

    public init() {}

    /// A negative duration (two clocks' readings that came the wrong way round) counts as none.
    public mutating func record(nanoseconds: Int64) {
        let value = min(max(0, nanoseconds) / Self.unit, Self.largest)
        let index = Self.index(of: value)
        if index >= counts.count { counts.append(contentsOf: repeatElement(0, count: index + 1 - counts.count)) }
        counts[index] += 1
        count += 1
        sum += value
        maximumNanoseconds = max(maximumNanoseconds, nanoseconds)
    }

    /// - Parameter share: 0 to 1; 0.99 for the 99th percentile.
    /// - Returns: milliseconds, the upper bound of the class in which it lies; nil when nothing was recorded.
    public func milliseconds(at share: Double) -> Double? {
        guard count > 0 else { return nil }
        let wanted = max(1, Int((min(max(share, 0), 1) * Double(count)).rounded(.up)))
        var seen = 0
        for (index, number) in counts.enumerated() {
            seen += number
            if seen >= wanted { return Double(Self.upperBound(of: index)) / 1_000 }
        }
        return Double(maximumNanoseconds) / 1_000_000
    }

    public var meanMilliseconds: Double? { count > 0 ? Double(sum) / Double(count) / 1_000 : nil }

    /// Values below 64 have a class each; above, a doubling has 64.
    private static func index(of value: Int64) -> Int {
        guard value >= Int64(sub) else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount - subBits
        return (exponent + 1) << subBits + Int(value >> Int64(exponent)) - sub
    }

    /// The largest value of a class.
    private static func upperBound(of index: Int) -> Int64 {
        guard index >= sub else { return Int64(index) }
        let exponent = index >> subBits - 1
        let position = Int64(index & (sub - 1) + sub)
        return (position + 1) << Int64(exponent) - 1
    }
}
