/// How a value is written into a request, so that it stays one value there.
public enum Escape: String, Sendable, CaseIterable {
    /// As it is.
    case raw
    /// Percent-encoded: for a path or a query (RFC 3986, 2.1 to 2.3).
    case url
    /// As `url`, with `+` for a space (application/x-www-form-urlencoded).
    case form
    /// Within a JSON string; its quotes stand in the template (RFC 8259, 7).
    case json
    /// Within XML text or an attribute's quotes (XML 1.0, 2.4).
    case xml
    /// A header's value: no control characters, so that none can begin another header (RFC 9110, 5.5).
    case header

    /// - Parameter charset: what the octets of `url` and `form` are of; the other kinds are text.
    func apply(_ text: String, _ charset: ProviderCharset) -> [UInt8] {
        switch self {
        case .raw: return charset.octets(text)
        case .url: return Escape.percent(charset.octets(text), space: [0x25, 0x32, 0x30])
        case .form: return Escape.percent(charset.octets(text), space: [0x2B])
        case .json: return charset.octets(Escape.json(text))
        case .xml: return charset.octets(Escape.xml(text))
        case .header: return charset.octets(text).map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }
        }
    }

    private static let digits = Array("0123456789ABCDEF".utf8)

    private static func percent(_ octets: [UInt8], space: [UInt8]) -> [UInt8] {
        var escaped: [UInt8] = []
        escaped.reserveCapacity(octets.count + octets.count / 2)
        for octet in octets {
            switch octet {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: escaped.append(octet)
            case 0x20: escaped += space
            default: escaped += [0x25, digits[Int(octet >> 4)], digits[Int(octet & 15)]]
            }
        }
        return escaped
    }

    private static func json(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: escaped += "\\\""
            case 0x5C: escaped += "\\\\"
            case 0x0A: escaped += "\\n"
            case 0x0D: escaped += "\\r"
            case 0x09: escaped += "\\t"
            // The two separators end a line in JavaScript, where JSON is sometimes read as such.
            case 0..<0x20, 0x7F, 0x2028, 0x2029:
                let hex = String(scalar.value, radix: 16)
                escaped += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    private static func xml(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x26: escaped += "&amp;"
            case 0x3C: escaped += "&lt;"
            case 0x3E: escaped += "&gt;"
            case 0x22: escaped += "&quot;"
            case 0x27: escaped += "&apos;"
            // A parser would make a space of them in an attribute, and CR a line feed everywhere.
            case 0x0A, 0x0D, 0x09: escaped += "&#\(scalar.value);"
            // No XML 1.0 document can hold these.
            case 0..<0x20, 0xFFFE, 0xFFFF: escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

/// The octets that texts become.
public enum ProviderCharset: String, Sendable, CaseIterable {
    case utf8 = "UTF8"
    /// What it lacks becomes a space, as EMG has it.
    case latin1 = "LATIN1"

    /// As a Content-Type names it.
    public var name: String {
        switch self {
        case .utf8: "utf-8"
        case .latin1: "iso-8859-1"
        }
    }

    func octets(_ text: String) -> [UInt8] {
        switch self {
        case .utf8: Array(text.utf8)
        case .latin1: text.unicodeScalars.map { $0.value < 256 ? UInt8($0.value) : 0x20 }
        }
    }
}

/// What is done to a value before it is escaped.
enum ValueFilter: String, Sendable, CaseIterable {
    /// A number's digits only.
    case digits
    /// A number of digits with a + in front; what is no number stays as it is.
    case plus
    /// UTF-8 octets in hexadecimal.
    case hex
    /// UTF-16 in hexadecimal, most significant octet first: what many providers want for Unicode.
    case ucs2
    case base64

    func apply(_ text: String) -> String {
        switch self {
        case .digits: return String(text.filter { $0.isASCII && $0.isNumber })
        case .plus:
            let isNumber = !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
            return isNumber ? "+" + text : text
        case .hex: return ValueFilter.hex(Array(text.utf8))
        case .ucs2: return ValueFilter.hex(text.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] })
        case .base64: return Base64.encode(Array(text.utf8))
        }
    }

    private static func hex(_ octets: [UInt8]) -> String {
        octets.reduce(into: "") { $0 += ($1 < 16 ? "0" : "") + String($1, radix: 16, uppercase: true) }
    }
}

/// RFC 4648, 4.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ octets: [UInt8]) -> String {
        var encoded: [UInt8] = []
        for start in stride(from: 0, to: octets.count, by: 3) {
            let group = octets[start..<min(start + 3, octets.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0..<4 {
                encoded.append(place <= group.count ? alphabet[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
