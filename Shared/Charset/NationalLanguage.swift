/// A language with tables of its own in 3GPP TS 23.038, Annex A, by its identifier (§6.2.1.2.4).
public enum NationalLanguage: UInt8, Sendable, Hashable, CaseIterable {
    case turkish = 1
    case spanish = 2
    case portuguese = 3
    case bengali = 4
    case gujarati = 5
    case hindi = 6
    case kannada = 7
    case malayalam = 8
    case oriya = 9
    case punjabi = 10
    case tamil = 11
    case telugu = 12
    case urdu = 13

    /// Whether it has a locking shift table; all but Spanish have one (§A.3.2 is void).
    public var hasLockingShift: Bool { self != .spanish }

    /// The language of that English name, in any case; nil when there is none.
    public init?(name: String) {
        guard let found = Self.allCases.first(where: { "\($0)" == name.lowercased() }) else { return nil }
        self = found
    }
}

/// Which national tables a text of septets uses, as the header elements 0x24 and 0x25 say (TS 23.040 §9.2.3.24.15 and 16).
public struct ShiftTables: Sendable, Hashable {
    /// In place of the default alphabet.
    public var locking: NationalLanguage?
    /// In place of the default extension table.
    public var single: NationalLanguage?

    public init(locking: NationalLanguage? = nil, single: NationalLanguage? = nil) {
        self.locking = locking.flatMap { $0.hasLockingShift ? $0 : nil }
        self.single = single
    }

    public static let none = ShiftTables()
    public var isEmpty: Bool { self.locking == nil && self.single == nil }

    /// The header elements that announce these tables.
    public var elements: [UserDataHeader.Element] {
        var elements: [UserDataHeader.Element] = []
        if let single { elements.append(.init(identifier: UserDataHeader.singleShift, data: [single.rawValue])) }
        if let locking { elements.append(.init(identifier: UserDataHeader.lockingShift, data: [locking.rawValue])) }
        return elements
    }
}

/// One table, both ways.
struct LanguageTable: Sendable {
    /// 128 places.
    let scalars: [Unicode.Scalar?]
    private let septets: [Unicode.Scalar: UInt8]

    /// - Parameter rows: code points of four hex digits; anything else is an empty place.
    init(rows: String) {
        var scalars: [Unicode.Scalar?] = rows.split { $0 == " " || $0 == "\n" }.map { UInt32($0, radix: 16).flatMap(Unicode.Scalar.init) }
        while scalars.count < 128 { scalars.append(nil) }
        var septets: [Unicode.Scalar: UInt8] = [:]
        // A character that stands twice is written by its first place.
        for (index, scalar) in scalars.prefix(128).enumerated() {
            if let scalar, septets[scalar] == nil { septets[scalar] = UInt8(truncatingIfNeeded: index) }
        }
        self.scalars = scalars
        self.septets = septets
    }

    func septet(_ scalar: Unicode.Scalar) -> UInt8? { self.septets[scalar] }

    /// By identifier; index 0 and Spanish have none.
    static let locking: [LanguageTable?] =
        [nil] + NationalLanguage.allCases.map { NationalLanguage.lockingRows($0).map(LanguageTable.init) }
    static let single: [LanguageTable?] = [nil] + NationalLanguage.allCases.map { LanguageTable(rows: NationalLanguage.singleRows($0)) }
}

extension GSM7 {
    /// The septets of `text` with national tables, or nil when a character is in neither table.
    public static func encode(_ text: String, tables: ShiftTables) -> [UInt8]? {
        if tables.isEmpty { return self.encode(text) }
        let alphabet = Alphabet(tables)
        var septets: [UInt8] = []
        septets.reserveCapacity(text.utf8.count + 8)
        for scalar in text.unicodeScalars {
            guard alphabet.append(scalar, to: &septets) else { return nil }
        }
        return septets
    }

    /// As ``encode(_:tables:)``, with a space for every character that is missing.
    public static func encodeLossy(_ text: String, tables: ShiftTables) -> [UInt8] {
        if tables.isEmpty { return self.encodeLossy(text) }
        let alphabet = Alphabet(tables)
        var septets: [UInt8] = []
        for scalar in text.unicodeScalars where !alphabet.append(scalar, to: &septets) { septets.append(0x20) }
        return septets
    }

    /// The text of unpacked septets with national tables. Bit 7 is ignored. An escape before a character that the single
    /// shift table lacks shows that character of the other table; an escape at the end shows a space (TS 23.038 §6.2.1.1).
    public static func decode(_ septets: some Sequence<UInt8>, tables: ShiftTables) -> String {
        if tables.isEmpty { return self.decode(septets) }
        let alphabet = Alphabet(tables)
        var text = String.UnicodeScalarView()
        var isEscaped = false
        for octet in septets {
            let septet = octet & 0x7F
            if isEscaped {
                isEscaped = false
                text.append(septet == escape ? " " : alphabet.extended(septet) ?? alphabet.basic(septet))
            } else if septet == escape {
                isEscaped = true
            } else {
                text.append(alphabet.basic(septet))
            }
        }
        if isEscaped { text.append(" ") }
        return String(text)
    }

    /// A pair of tables in use.
    private struct Alphabet {
        let locking: LanguageTable?
        let single: LanguageTable?

        init(_ tables: ShiftTables) {
            self.locking = tables.locking.flatMap { LanguageTable.locking[Int($0.rawValue)] }
            self.single = tables.single.flatMap { LanguageTable.single[Int($0.rawValue)] }
        }

        func basic(_ septet: UInt8) -> Unicode.Scalar {
            guard let locking else { return GSM7.basicScalar(septet) }
            return locking.scalars[Int(septet)] ?? "\u{FFFD}"
        }

        func extended(_ septet: UInt8) -> Unicode.Scalar? {
            guard let single else { return GSM7.extendedScalar(septet) }
            return single.scalars[Int(septet)]
        }

        func append(_ scalar: Unicode.Scalar, to septets: inout [UInt8]) -> Bool {
            if let septet = self.locking.map({ $0.septet(scalar) }) ?? GSM7.basicSeptet(scalar) {
                septets.append(septet)
            } else if let septet = self.single.map({ $0.septet(scalar) }) ?? GSM7.extendedSeptet(scalar) {
                septets.append(GSM7.escape)
                septets.append(septet)
            } else {
                return false
            }
            return true
        }
    }
}
