/// ISO 8859-1: each octet is the scalar of the same number.
public enum Latin1 {
    /// Nil when a character is not in the set.
    public static func encode(_ text: String) -> [UInt8]? {
        var octets: [UInt8] = []
        octets.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            guard let octet = UInt8(exactly: scalar.value) else { return nil }
            octets.append(octet)
        }
        return octets
    }

    /// As ``encode(_:)``, with `substitute` for every character that is missing.
    public static func encodeLossy(_ text: String, substitute: UInt8 = 0x20) -> [UInt8] {
        text.unicodeScalars.map { UInt8(exactly: $0.value) ?? substitute }
    }

    /// Never fails.
    public static func decode(_ octets: some Sequence<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for octet in octets { text.append(Unicode.Scalar(octet)) }
        return String(text)
    }
}

/// US-ASCII, called IA5 by SMPP.
public enum ASCII {
    /// Nil when a character is not in the set.
    public static func encode(_ text: String) -> [UInt8]? {
        text.utf8.allSatisfy { $0 < 0x80 } ? Array(text.utf8) : nil
    }

    /// As ``encode(_:)``, with `substitute` for every character that is missing.
    public static func encodeLossy(_ text: String, substitute: UInt8 = 0x20) -> [UInt8] {
        text.unicodeScalars.map { $0.value < 0x80 ? UInt8(truncatingIfNeeded: $0.value) : substitute }
    }

    /// Octets above 127 are not ASCII: read as Latin-1, which is what peers that send them mean most often.
    public static func decode(_ octets: some Sequence<UInt8>) -> String { Latin1.decode(octets) }
}

/// UCS-2 as mobiles use it: UTF-16, most significant octet first, surrogate pairs allowed.
public enum UCS2 {
    public static func encode(_ text: String) -> [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity(text.utf16.count * 2)
        for unit in text.utf16 {
            octets.append(UInt8(truncatingIfNeeded: unit >> 8))
            octets.append(UInt8(truncatingIfNeeded: unit))
        }
        return octets
    }

    /// Lone surrogates and a last odd octet become U+FFFD. A byte order mark at the start is dropped, and obeyed.
    public static func decode(_ octets: [UInt8]) -> String {
        var units: [UInt16] = []
        units.reserveCapacity(octets.count / 2 + 1)
        var index = 0
        var isLittleEndian = false
        if octets.count >= 2 {
            if octets[0] == 0xFE, octets[1] == 0xFF { index = 2 }
            if octets[0] == 0xFF, octets[1] == 0xFE {
                index = 2
                isLittleEndian = true
            }
        }
        while index + 1 < octets.count {
            let (first, second) = (UInt16(octets[index]), UInt16(octets[index + 1]))
            units.append(isLittleEndian ? second << 8 | first : first << 8 | second)
            index += 2
        }
        if index < octets.count { units.append(0xFFFD) }
        return String(decoding: units, as: UTF16.self)
    }
}

/// The upper halves of ISO 8859-5 and 8859-8, which data_coding 6 and 7 name.
enum OtherLatin {
    static func cyrillic(_ octet: UInt8) -> Unicode.Scalar {
        switch octet {
        case 0x00...0xA0, 0xAD: Unicode.Scalar(octet)
        case 0xF0: "№"
        case 0xFD: "§"
        default: Unicode.Scalar(UInt32(octet) - 0xA0 + 0x400) ?? "\u{FFFD}"
        }
    }

    static func hebrew(_ octet: UInt8) -> Unicode.Scalar {
        switch octet {
        case 0xAA: "×"
        case 0xBA: "÷"
        case 0xDF: "‗"
        case 0xE0...0xFA: Unicode.Scalar(UInt32(octet) - 0xE0 + 0x5D0) ?? "\u{FFFD}"
        case 0xFD: "\u{200E}"
        case 0xFE: "\u{200F}"
        case 0xA1, 0xBF...0xDE, 0xFB, 0xFC, 0xFF: "\u{FFFD}"
        default: Unicode.Scalar(octet)
        }
    }
}
