/// The encodings in which a text can stand in a message.
public enum TextEncoding: String, Sendable, Hashable, CaseIterable, Codable {
    /// GSM 03.38 with its extension table, one septet in each octet.
    case gsm7
    case ascii
    case latin1
    /// UTF-16, most significant octet first.
    case ucs2
    /// Inside the gateway, and toward peers that agreed on it; SMPP has no data_coding for it.
    case utf8

    /// SMPP's `data_coding` (3.4 §5.2.19). UTF-8 has none of its own and goes as the peer's default alphabet, 0.
    public var dataCoding: UInt8 {
        switch self {
        case .gsm7, .utf8: 0
        case .ascii: 1
        case .latin1: 3
        case .ucs2: 8
        }
    }

    /// Nil when `text` has a character that this encoding lacks.
    public func encode(_ text: String) -> [UInt8]? {
        switch self {
        case .gsm7: GSM7.encode(text)
        case .ascii: ASCII.encode(text)
        case .latin1: Latin1.encode(text)
        case .ucs2: UCS2.encode(text)
        case .utf8: Array(text.utf8)
        }
    }

    /// With a space for every character that is missing, as EMG does.
    public func encodeLossy(_ text: String) -> [UInt8] {
        switch self {
        case .gsm7: GSM7.encodeLossy(text)
        case .ascii: ASCII.encodeLossy(text)
        case .latin1: Latin1.encodeLossy(text)
        case .ucs2: UCS2.encode(text)
        case .utf8: Array(text.utf8)
        }
    }

    /// Never fails: what is not text in this encoding becomes U+FFFD.
    public func decode(_ octets: [UInt8]) -> String {
        switch self {
        case .gsm7: GSM7.decode(octets)
        case .ascii: ASCII.decode(octets)
        case .latin1: Latin1.decode(octets)
        case .ucs2: UCS2.decode(octets)
        case .utf8: String(decoding: octets, as: UTF8.self)
        }
    }
}

/// What the receiver of a text can take, and EMG's two switches.
public struct EncodingOptions: Sendable, Hashable {
    /// What the protocol offers, most liked first; it decides between equally short encodings. Never empty.
    public var offered: [TextEncoding]
    /// EMG's DISABLE_UCS2_DOWNGRADE: a text that came as UCS-2 or UTF-8 is not narrowed to GSM-7 or Latin-1.
    public var disableUCS2Downgrade: Bool
    /// EMG's ENABLE_UCS2_UPGRADE: where UCS-2 is not among `offered`, it is used all the same for a text that nothing
    /// offered can hold. Without it such characters become spaces.
    public var enableUCS2Upgrade: Bool
    /// Languages whose national tables (3GPP TS 23.038 Annex A) may be used for a text that the default alphabet lacks
    /// characters for. Needs `gsm7` among `offered`, and handsets that know the tables.
    public var nationalLanguages: [NationalLanguage]

    public init(
        offered: [TextEncoding] = [.gsm7, .ucs2], disableUCS2Downgrade: Bool = false, enableUCS2Upgrade: Bool = false,
        nationalLanguages: [NationalLanguage] = []
    ) {
        self.nationalLanguages = nationalLanguages
        self.offered = offered.isEmpty ? [.gsm7] : offered
        self.disableUCS2Downgrade = disableUCS2Downgrade
        self.enableUCS2Upgrade = enableUCS2Upgrade
    }
}

/// A text in the encoding chosen for it.
public struct EncodedText: Sendable, Hashable {
    public var encoding: TextEncoding
    public var octets: [UInt8]
    /// Only with `gsm7`: the national tables that the septets are of. They must be announced in the header.
    public var shiftTables: ShiftTables

    public init(encoding: TextEncoding, octets: [UInt8], shiftTables: ShiftTables = .none) {
        self.encoding = encoding
        self.octets = octets
        self.shiftTables = shiftTables
    }

    /// EMG's rule: the encoding with the fewest bytes that the protocol offers and that can hold the text.
    /// - Parameter cameAsUnicode: whether the text arrived as UCS-2 or UTF-8, for the first switch.
    public static func choose(_ text: String, options: EncodingOptions = .init(), cameAsUnicode: Bool = false) -> EncodedText {
        let hasUCS2 = options.offered.contains(.ucs2)
        if cameAsUnicode, options.disableUCS2Downgrade, hasUCS2 || options.enableUCS2Upgrade {
            return EncodedText(encoding: .ucs2, octets: UCS2.encode(text))
        }
        var best: (text: EncodedText, bits: Int)?
        for encoding in options.offered {
            guard let octets = encoding.encode(text) else { continue }
            // Bytes on the air: septets are packed eight to seven.
            let bits = octets.count * (encoding == .gsm7 ? 7 : 8)
            if let best, best.bits <= bits { continue }
            best = (EncodedText(encoding: encoding, octets: octets), bits)
        }
        if !options.nationalLanguages.isEmpty, options.offered.contains(.gsm7), best?.text.encoding != .gsm7 {
            for tables in self.combinations(options.nationalLanguages) {
                guard let octets = GSM7.encode(text, tables: tables) else { continue }
                // The tables are announced in the header of every part: a length octet and three for each.
                let header = 8 + (tables.locking == nil ? 0 : 24) + (tables.single == nil ? 0 : 24)
                let bits = octets.count * 7 + header * (octets.count / 149 + 1)
                if let best, best.bits <= bits { continue }
                best = (EncodedText(encoding: .gsm7, octets: octets, shiftTables: tables), bits)
            }
        }
        if let best { return best.text }
        if options.enableUCS2Upgrade { return EncodedText(encoding: .ucs2, octets: UCS2.encode(text)) }
        let first = options.offered.first ?? .gsm7
        return EncodedText(encoding: first, octets: first.encodeLossy(text))
    }

    /// Of each language its single shift table, its locking one, and both.
    private static func combinations(_ languages: [NationalLanguage]) -> [ShiftTables] {
        languages.flatMap { language -> [ShiftTables] in
            guard language.hasLockingShift else { return [ShiftTables(single: language)] }
            return [
                ShiftTables(single: language), ShiftTables(locking: language), ShiftTables(locking: language, single: language),
            ]
        }
    }
}

/// What the user data of a message turned out to be.
public enum DecodedBody: Sendable, Hashable {
    case text(String)
    case binary([UInt8])

    /// Reads user data (without its header) by `data_coding` (SMPP 3.4 §5.2.19, 3GPP TS 23.038 §4). Never fails.
    /// - Parameters:
    ///   - defaultEncoding: what the peer calls its default alphabet, data_coding 0.
    ///   - shiftTables: what the header says of national tables; they count where the octets are septets.
    public init(octets: [UInt8], dataCoding: UInt8, defaultEncoding: TextEncoding = .gsm7, shiftTables: ShiftTables = .none) {
        if !shiftTables.isEmpty, case .text = DecodedBody(octets: [], dataCoding: dataCoding), Self.isSeptets(dataCoding) {
            // Whatever the peer calls its default alphabet: who names a national table speaks of septets.
            self = .text(GSM7.decode(octets, tables: shiftTables))
            return
        }
        switch dataCoding {
        case 0: self = .text(defaultEncoding.decode(octets))
        case 1: self = .text(ASCII.decode(octets))
        case 2, 4: self = .binary(octets)
        case 3: self = .text(Latin1.decode(octets))
        case 6: self = .text(Self.text(octets, OtherLatin.cyrillic))
        case 7: self = .text(Self.text(octets, OtherLatin.hebrew))
        case 8: self = .text(UCS2.decode(octets))
        // Japanese and Korean sets, and pictograms: their tables are not ours, so the octets pass through untouched.
        case 5, 9, 10, 13, 14: self = .binary(octets)
        // GSM message class groups, 00xx to 01xx with alphabet in bits 3 and 2 (peers copy the network's octet here).
        case 0x10...0x7F: self = Self.gsmGroup(octets, alphabet: dataCoding >> 2 & 3, defaultEncoding)
        // Message waiting: 1110 is UCS-2, 1100 and 1101 the default alphabet.
        case 0xC0...0xDF: self = .text(defaultEncoding.decode(octets))
        case 0xE0...0xEF: self = .text(UCS2.decode(octets))
        case 0xF0...0xFF: self = dataCoding & 4 == 0 ? .text(defaultEncoding.decode(octets)) : .binary(octets)
        default: self = .text(defaultEncoding.decode(octets))  // reserved: 3GPP has it read as the default alphabet
        }
    }

    /// Whether this data_coding means the default alphabet.
    private static func isSeptets(_ dataCoding: UInt8) -> Bool {
        switch dataCoding {
        case 1, 3, 6, 7, 8, 0xE0...0xEF: false
        case 0x10...0x7F: dataCoding >> 2 & 3 != 2
        default: true
        }
    }

    private static func gsmGroup(_ octets: [UInt8], alphabet: UInt8, _ defaultEncoding: TextEncoding) -> DecodedBody {
        switch alphabet {
        case 1: .binary(octets)
        case 2: .text(UCS2.decode(octets))
        default: .text(defaultEncoding.decode(octets))
        }
    }

    private static func text(_ octets: [UInt8], _ scalar: (UInt8) -> Unicode.Scalar) -> String {
        var text = String.UnicodeScalarView()
        for octet in octets { text.append(scalar(octet)) }
        return String(text)
    }
}
