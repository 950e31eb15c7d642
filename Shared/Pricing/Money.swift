/// An exact amount of money in millionths of a currency unit, the resolution of the `numeric(18,6)` columns.
///
/// Nothing here touches floating point. Arithmetic that could overflow says so instead of trapping, since
/// amounts come from configuration files and databases.
public struct Money: Sendable, Hashable, Comparable {
    /// Millionths of the currency unit; 50 000 is 0.05.
    public var micros: Int64

    public static let zero = Money(micros: 0)
    /// The largest amount that a `numeric(18,6)` column holds: 999 999 999 999.999999.
    public static let columnMaximum = Money(micros: 999_999_999_999_999_999)

    public init(micros: Int64) {
        self.micros = micros
    }

    public static func < (left: Money, right: Money) -> Bool {
        left.micros < right.micros
    }

    /// Why a text is no amount, or why arithmetic has no answer.
    public enum Fault: Error, Sendable, Equatable, CustomStringConvertible {
        case notAnAmount
        /// More than six digits after the point: rounding money silently is not an option.
        case tooManyDecimals
        case outOfRange

        public var description: String {
            switch self {
            case .notAnAmount: "not an amount: write digits with at most one decimal point, such as 0.05 or -12"
            case .tooManyDecimals: "an amount has at most 6 digits after the decimal point"
            case .outOfRange: "the amount is out of range"
            }
        }
    }

    /// Reads decimal text: an optional sign, digits, and optionally a point with up to six digits.
    /// No exponent, no grouping, no blanks.
    public init(parsing text: String) throws(Fault) {
        var text = text
        self = try text.withUTF8Fault { (bytes) throws(Fault) in try Money(parsingASCII: bytes) }
    }

    /// The same for bytes, for rows as they come from the database.
    public init(parsingASCII bytes: UnsafeBufferPointer<UInt8>) throws(Fault) {
        var index = 0
        var negative = false
        if index < bytes.count, bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") {
            negative = bytes[index] == UInt8(ascii: "-")
            index += 1
        }
        var value: Int64 = 0
        var digits = 0
        var decimals = -1
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: "."), decimals < 0 {
                decimals = 0
                continue
            }
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { throw .notAnAmount }
            digits += 1
            if decimals >= 0 {
                decimals += 1
                guard decimals <= 6 else { throw .tooManyDecimals }
            }
            value = try Self.shift(value, adding: Int64(byte - UInt8(ascii: "0")))
        }
        guard digits > 0 else { throw .notAnAmount }
        for _ in max(decimals, 0)..<6 { value = try Self.shift(value, adding: 0) }
        micros = negative ? -value : value
    }

    private static func shift(_ value: Int64, adding digit: Int64) throws(Fault) -> Int64 {
        let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
        guard !overflow else { throw .outOfRange }
        let (sum, carried) = tens.addingReportingOverflow(digit)
        guard !carried else { throw .outOfRange }
        return sum
    }

    public func adding(_ other: Money) throws(Fault) -> Money {
        let (sum, overflow) = micros.addingReportingOverflow(other.micros)
        guard !overflow else { throw .outOfRange }
        return Money(micros: sum)
    }

    public func subtracting(_ other: Money) throws(Fault) -> Money {
        let (difference, overflow) = micros.subtractingReportingOverflow(other.micros)
        guard !overflow else { throw .outOfRange }
        return Money(micros: difference)
    }

    /// Times a count, such as the parts of a message. No rounding can occur.
    public func multiplied(by count: Int) throws(Fault) -> Money {
        let (product, overflow) = micros.multipliedReportingOverflow(by: Int64(count))
        guard !overflow else { throw .outOfRange }
        return Money(micros: product)
    }

    public func negated() throws(Fault) -> Money {
        try Money.zero.subtracting(self)
    }
}

extension Money: CustomStringConvertible {
    /// Decimal text with at least two decimals and no zeros beyond them: `0.05`, `12.00`, `-0.003450` as `-0.00345`.
    public var description: String {
        var text = sixDecimals
        for _ in 0..<4 where text.utf8.last == UInt8(ascii: "0") { text.removeLast() }
        return text
    }

    /// Decimal text with all six decimals, as PostgreSQL prints `numeric(18,6)`.
    public var sixDecimals: String {
        let magnitude = micros.magnitude
        let fraction = String(magnitude % 1_000_000)
        return (micros < 0 ? "-" : "") + String(magnitude / 1_000_000) + "."
            + String(repeating: "0", count: 6 - fraction.utf8.count) + fraction
    }
}

extension Money: Codable {
    /// Encoded as text, since a JSON number is a floating point value to most readers.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public init(from decoder: any Decoder) throws {
        self = try Money(parsing: decoder.singleValueContainer().decode(String.self))
    }
}

extension String {
    /// `withUTF8` with a typed error.
    fileprivate mutating func withUTF8Fault<R>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Money.Fault) -> R
    ) throws(Money.Fault) -> R {
        let result: Result<R, Money.Fault> = withUTF8 { bytes in
            do throws(Money.Fault) {
                return .success(try body(bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
