/// The leading digits of a number, packed into an integer so that a table can be asked for each of them cheaply.
///
/// A prefix of n digits is the number `1dd…d` in decimal: the leading one keeps `0` and `00` apart.
public struct NumberPrefix: Hashable, Sendable {
    /// E.164 numbers have at most 15 digits; 18 fit into 64 bits.
    public static let maxDigits = 18

    let packed: UInt64

    /// - Parameter digits: only digits, at most 18; a leading `+` is dropped.
    /// - Returns: `nil` for anything else.
    public init?(_ digits: String) {
        var packed: UInt64 = 1
        var count = 0
        for (index, byte) in digits.utf8.enumerated() {
            if index == 0, byte == UInt8(ascii: "+") { continue }
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), count < NumberPrefix.maxDigits else { return nil }
            packed = packed * 10 + UInt64(byte - UInt8(ascii: "0"))
            count += 1
        }
        self.packed = packed
    }

    private init(packed: UInt64) { self.packed = packed }

    /// The digits as they are read.
    var digits: String { String(String(packed).dropFirst()) }

    /// How many digits there are.
    var count: Int {
        var (rest, count) = (packed, 0)
        while rest >= 10 {
            rest /= 10
            count += 1
        }
        return count
    }

    /// Every prefix of `number` from the empty one to the longest, shortest first. Anything that is no digit ends it.
    static func all(of number: String) -> [NumberPrefix] {
        var prefixes = [NumberPrefix(packed: 1)]
        prefixes.reserveCapacity(NumberPrefix.maxDigits + 1)
        var packed: UInt64 = 1
        for (index, byte) in number.utf8.enumerated() {
            if index == 0, byte == UInt8(ascii: "+") { continue }
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), prefixes.count <= NumberPrefix.maxDigits else { break }
            packed = packed * 10 + UInt64(byte - UInt8(ascii: "0"))
            prefixes.append(NumberPrefix(packed: packed))
        }
        return prefixes
    }
}
