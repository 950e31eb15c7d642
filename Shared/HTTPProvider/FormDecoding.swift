/// application/x-www-form-urlencoded and the query of a URL, read leniently: what is no `%xx` stands for itself.
/// Source: WHATWG URL, 5.1.
public enum FormDecoding {
    private static let maxParameters = 1_000

    /// Of a name that comes twice the last counts.
    public static func parameters(_ text: Substring) -> [String: String] {
        octets(text).mapValues { String(decoding: $0, as: UTF8.self) }
    }

    /// The same with the values' octets, which need not be UTF-8.
    public static func octets(_ text: Substring) -> [String: [UInt8]] {
        var parameters: [String: [UInt8]] = [:]
        for pair in text.split(separator: "&", maxSplits: maxParameters) {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            parameters[decode(sides[0])] = sides.count > 1 ? octets(of: sides[1]) : []
        }
        return parameters
    }

    static func decode(_ text: Substring) -> String { String(decoding: octets(of: text), as: UTF8.self) }

    private static func octets(of text: Substring) -> [UInt8] {
        let octets = Array(text.utf8)
        var decoded: [UInt8] = []
        decoded.reserveCapacity(octets.count)
        var index = 0
        while index < octets.count {
            if octets[index] == UInt8(ascii: "%"), index + 2 < octets.count, let high = digit(octets[index + 1]),
                let low = digit(octets[index + 2])
            {
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(octets[index] == UInt8(ascii: "+") ? 0x20 : octets[index])
                index += 1
            }
        }
        return decoded
    }

    private static func digit(_ octet: UInt8) -> UInt8? {
        switch octet {
        case 0x30...0x39: octet - 0x30
        case 0x41...0x46: octet - 0x41 + 10
        case 0x61...0x66: octet - 0x61 + 10
        default: nil
        }
    }
}
