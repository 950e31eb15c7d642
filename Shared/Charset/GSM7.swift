/// The GSM 7-bit default alphabet with its extension table (3GPP TS 23.038 §6.2.1), one septet in each octet as SMPP
/// carries it, and the packed form of the air interface (§6.1.2.1).
public enum GSM7 {
    /// The extension table's escape (§6.2.1.1).
    public static let escape: UInt8 = 0x1B

    /// The septets of `text`, or nil when a character is not in the alphabet. An extension character takes two.
    public static func encode(_ text: String) -> [UInt8]? {
        var septets: [UInt8] = []
        septets.reserveCapacity(text.utf8.count + 8)
        for scalar in text.unicodeScalars {
            let code = self.code(scalar)
            if code < 0x80 {
                septets.append(UInt8(truncatingIfNeeded: code))
            } else if code < missing {
                septets.append(escape)
                septets.append(UInt8(truncatingIfNeeded: code & 0x7F))
            } else {
                return nil
            }
        }
        return septets
    }

    /// As ``encode(_:)``, with `substitute` for every character that is missing.
    public static func encodeLossy(_ text: String, substitute: UInt8 = 0x20) -> [UInt8] {
        var septets: [UInt8] = []
        septets.reserveCapacity(text.utf8.count + 8)
        for scalar in text.unicodeScalars {
            let code = self.code(scalar)
            if code < 0x80 {
                septets.append(UInt8(truncatingIfNeeded: code))
            } else if code < missing {
                septets.append(escape)
                septets.append(UInt8(truncatingIfNeeded: code & 0x7F))
            } else {
                septets.append(substitute)
            }
        }
        return septets
    }

    /// How many septets `text` takes, or nil when a character is not in the alphabet.
    public static func septetCount(_ text: String) -> Int? {
        var count = 0
        for scalar in text.unicodeScalars {
            let code = self.code(scalar)
            guard code < missing else { return nil }
            count += code < 0x80 ? 1 : 2
        }
        return count
    }

    /// The text of unpacked septets. Bit 7 is ignored. An escape before a character that the extension table lacks shows
    /// that character of the default alphabet; an escape at the end shows a space (§6.2.1.1).
    public static func decode(_ septets: some Sequence<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        var isEscaped = false
        for octet in septets {
            let septet = octet & 0x7F
            if isEscaped {
                isEscaped = false
                // A second escape is reserved for another table; until there is one it shows as a space.
                text.append(septet == escape ? " " : extended(septet) ?? basic[Int(septet)])
            } else if septet == escape {
                isEscaped = true
            } else {
                text.append(basic[Int(septet)])
            }
        }
        if isEscaped { text.append(" ") }
        return String(text)
    }

    /// Packs septets eight to seven octets, after `fillBits` (0 to 6) zero bits that align them behind a header.
    public static func pack(_ septets: some Collection<UInt8>, fillBits: Int = 0) -> [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity((septets.count * 7 + fillBits + 7) / 8)
        var pending: UInt32 = 0
        var bits = UInt32(truncatingIfNeeded: max(0, min(6, fillBits)))
        for septet in septets {
            pending |= UInt32(septet & 0x7F) << bits
            bits += 7
            if bits >= 8 {
                octets.append(UInt8(truncatingIfNeeded: pending))
                pending >>= 8
                bits -= 8
            }
        }
        if bits > 0 { octets.append(UInt8(truncatingIfNeeded: pending)) }
        return octets
    }

    /// Takes `count` septets out of packed octets; fewer when the octets end sooner.
    public static func unpack(_ octets: some Collection<UInt8>, count: Int, fillBits: Int = 0) -> [UInt8] {
        var septets: [UInt8] = []
        septets.reserveCapacity(max(0, min(count, octets.count * 8 / 7)))
        var pending: UInt32 = 0
        var bits = -max(0, min(6, fillBits))
        for octet in octets {
            // Fill bits of the first octet fall out at the bottom.
            pending |= bits < 0 ? UInt32(octet) >> UInt32(-bits) : UInt32(octet) << UInt32(bits)
            bits += 8
            while bits >= 7, septets.count < count {
                septets.append(UInt8(truncatingIfNeeded: pending & 0x7F))
                pending >>= 7
                bits -= 7
            }
            if septets.count >= count { break }
        }
        return septets
    }

    // MARK: Tables

    static func basicScalar(_ septet: UInt8) -> Unicode.Scalar { self.basic[Int(septet & 0x7F)] }
    static func extendedScalar(_ septet: UInt8) -> Unicode.Scalar? { self.extended(septet) }
    static func basicSeptet(_ scalar: Unicode.Scalar) -> UInt8? {
        let code = self.code(scalar)
        return code < 0x80 ? UInt8(truncatingIfNeeded: code) : nil
    }
    static func extendedSeptet(_ scalar: Unicode.Scalar) -> UInt8? {
        let code = self.code(scalar)
        return code >= 0x80 && code < missing ? UInt8(truncatingIfNeeded: code & 0x7F) : nil
    }

    private static let missing: UInt16 = 0x200

    /// The septet; with 0x100 added, the septet after an escape; `missing` when there is none.
    @inline(__always)
    private static func code(_ scalar: Unicode.Scalar) -> UInt16 {
        if scalar.value < 0x100 { return latin[Int(scalar.value)] }
        switch scalar {
        case "Δ": return 0x10
        case "Φ": return 0x12
        case "Γ": return 0x13
        case "Λ": return 0x14
        case "Ω": return 0x15
        case "Π": return 0x16
        case "Ψ": return 0x17
        case "Σ": return 0x18
        case "Θ": return 0x19
        case "Ξ": return 0x1A
        case "€": return 0x165
        default: return missing
        }
    }

    private static let basic: [Unicode.Scalar] = Array(
        ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{A0}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
            + "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà").unicodeScalars)

    private static func extended(_ septet: UInt8) -> Unicode.Scalar? {
        switch septet {
        case 0x0A: "\u{0C}"
        case 0x14: "^"
        case 0x28: "{"
        case 0x29: "}"
        case 0x2F: "\\"
        case 0x3C: "["
        case 0x3D: "~"
        case 0x3E: "]"
        case 0x40: "|"
        case 0x65: "€"
        default: nil
        }
    }

    /// `code(_:)` for the scalars below 256.
    private static let latin: [UInt16] = {
        var table = [UInt16](repeating: missing, count: 256)
        for (septet, scalar) in basic.enumerated() where scalar.value < 0x100 && septet != Int(escape) {
            table[Int(scalar.value)] = UInt16(truncatingIfNeeded: septet)
        }
        for septet in UInt8(0)..<0x80 {
            if let scalar = extended(septet), scalar.value < 0x100 { table[Int(scalar.value)] = 0x100 | UInt16(septet) }
        }
        return table
    }()
}
