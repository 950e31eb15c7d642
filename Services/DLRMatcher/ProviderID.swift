import Configuration

/// A provider's message id in the notations in which providers write the same one.
enum ProviderID {
    /// Shorter numbers are too alike for a guess at their notation.
    private static let guessableLength = 6

    /// Without the freedom that providers take: lower case, no zeros in front.
    static func key(_ id: String) -> String { String(id.lowercased().drop { $0 == "0" }) }

    /// The keys under which the other side may have written the same id.
    /// - Parameters:
    ///   - fromReceipt: `id` was read from a receipt and is sought among answers; else the other way round.
    ///   - notation: as configured; `nil` = not known, so both are tried, where the id is long enough.
    static func others(_ id: String, fromReceipt: Bool, notation: MoneyOptions.IdentifierNotation?) -> [String] {
        let key = key(id)
        switch notation {
        case .alike: return []
        case .hexThenDecimal: return [fromReceipt ? hexadecimal(key) : decimal(key)].compactMap { $0 }.filter { $0 != key }
        case .decimalThenHex: return [fromReceipt ? decimal(key) : hexadecimal(key)].compactMap { $0 }.filter { $0 != key }
        case nil:
            guard key.utf8.count >= guessableLength else { return [] }
            return [hexadecimal(key), decimal(key)].compactMap { $0 }.filter { $0 != key }
        }
    }

    /// Of a decimal number; `nil` where it is none of 64 bits.
    private static func hexadecimal(_ key: String) -> String? { UInt64(key, radix: 10).map { String($0, radix: 16) } }

    private static func decimal(_ key: String) -> String? { UInt64(key, radix: 16).map { String($0) } }

    /// Whether two numbers may be the same subscriber's: providers write them with and without country code, `+` and `00`.
    static func sameNumber(_ left: String, _ right: String) -> Bool {
        let left = left.utf8.filter { (0x30...0x39).contains($0) }.suffix(7)
        let right = right.utf8.filter { (0x30...0x39).contains($0) }.suffix(7)
        return !left.isEmpty && left.elementsEqual(right)
    }
}
