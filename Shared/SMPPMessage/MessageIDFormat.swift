/// How a peer writes its message ids. The same number comes as `1A2B` in submit_sm_resp and as `0000006699` in the receipt;
/// ``key(_:)`` makes one spelling of both.
public enum MessageIDFormat: String, Sendable, Hashable, CaseIterable {
    /// Opaque: every character counts.
    case text
    case decimal
    case hexadecimal

    /// The spelling under which ids are compared: of numbers, lower-case hex without leading zeros, `0x` or blanks around
    /// it. What is no number in this format stays as it is.
    public func key(_ id: String) -> String { number(id) ?? id }

    /// The same where it is a number in this format; else nil.
    public func number(_ id: String) -> String? {
        switch self {
        case .text: nil
        case .decimal: Self.digits(id, radix: 10).map { Self.hex(ofDecimal: $0) }
        case .hexadecimal:
            Self.digits(id, radix: 16).map { digits in
                String(decoding: digits.map { $0 < 10 ? $0 + 0x30 : $0 + 0x57 }, as: UTF8.self)
            }
        }
    }

    /// The digits' values without leading zeros (zero itself is one zero); nil when anything else stands there.
    private static func digits(_ id: String, radix: UInt8) -> [UInt8]? {
        var octets = Substring(id.trimmed).utf8
        if radix == 16, octets.starts(with: "0x".utf8) || octets.starts(with: "0X".utf8) { octets = octets.dropFirst(2) }
        guard !octets.isEmpty else { return nil }
        var values: [UInt8] = []
        values.reserveCapacity(octets.count)
        for octet in octets {
            let value: UInt8
            switch octet {
            case 0x30...0x39: value = octet - 0x30
            case 0x41...0x46: value = octet - 0x37
            case 0x61...0x66: value = octet - 0x57
            default: return nil
            }
            guard value < radix else { return nil }
            if value != 0 || !values.isEmpty { values.append(value) }
        }
        return values.isEmpty ? [0] : values
    }

    /// Of any length: ids have up to 64 digits. By repeated division by 16.
    private static func hex(ofDecimal digits: [UInt8]) -> String {
        if digits.count <= 18 { return String(digits.reduce(UInt64(0)) { $0 * 10 + UInt64($1) }, radix: 16) }
        var rest = digits
        var reversed: [UInt8] = []
        while !rest.isEmpty {
            var remainder = 0
            var quotient: [UInt8] = []
            for digit in rest {
                let value = remainder * 10 + Int(digit)
                if value / 16 != 0 || !quotient.isEmpty { quotient.append(UInt8(truncatingIfNeeded: value / 16)) }
                remainder = value % 16
            }
            reversed.append(UInt8(truncatingIfNeeded: remainder < 10 ? remainder + 0x30 : remainder + 0x57))
            rest = quotient
        }
        return String(decoding: reversed.reversed(), as: UTF8.self)
    }
}

extension String {
    fileprivate var trimmed: String {
        let octets = self.utf8
        guard let first = octets.firstIndex(where: { $0 > 0x20 }), let last = octets.lastIndex(where: { $0 > 0x20 }) else { return "" }
        return String(self[first...last])
    }
}
