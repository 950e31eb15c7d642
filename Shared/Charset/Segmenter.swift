/// One part of a message: what stands in one `short_message`.
public struct Segment: Sendable, Hashable {
    /// The user data header with its length octet; empty when there is none.
    public var udh: [UInt8]
    /// The text or data behind the header; of GSM-7, one septet in each octet.
    public var octets: [UInt8]
    /// SMPP's `data_coding`.
    public var dataCoding: UInt8
    /// Which part of how many it is; nil when it stands alone.
    public var part: UserDataHeader.Concatenation?

    public init(udh: [UInt8], octets: [UInt8], dataCoding: UInt8, part: UserDataHeader.Concatenation? = nil) {
        self.udh = udh
        self.octets = octets
        self.dataCoding = dataCoding
        self.part = part
    }

    /// What SMPP carries as `short_message`; with a header, set UDHI in `esm_class` too.
    public var userData: [UInt8] { self.udh.isEmpty ? self.octets : self.udh + self.octets }
}

/// How to split.
public struct SegmentationOptions: Sendable, Hashable {
    public enum ReferenceWidth: Sendable, Hashable { case bits8, bits16 }

    /// Where a part says which part it is.
    public enum Numbering: Sendable, Hashable {
        /// In its user data header.
        case header
        /// Outside, as SMPP's sar_* parameters do; the part leaves room for the header that the SMSC will write.
        case outside
    }

    public var encoding: EncodingOptions
    public var referenceWidth: ReferenceWidth
    public var numbering: Numbering
    /// 1 to 255.
    public var maximumSegments: Int
    /// What stands in the header of every part besides (ports and the like).
    public var elements: [UserDataHeader.Element]

    public init(
        encoding: EncodingOptions = .init(), referenceWidth: ReferenceWidth = .bits8, maximumSegments: Int = 255,
        numbering: Numbering = .header, elements: [UserDataHeader.Element] = []
    ) {
        self.encoding = encoding
        self.referenceWidth = referenceWidth
        self.maximumSegments = min(255, max(1, maximumSegments))
        self.numbering = numbering
        self.elements = elements
    }
}

public enum SegmentationError: Error, Hashable, Sendable {
    /// More parts than allowed. The sender's fault; a retry is useless.
    case tooLong(segments: Int, maximum: Int)
    /// The header alone leaves no room for text.
    case headerTooLong(octets: Int)
}

/// Splits messages into parts that a mobile puts together again (3GPP TS 23.040 §9.2.3.24.1 and 9.2.3.24.8).
///
/// A part has 140 octets, its header included: 160 septets, 140 octets or 70 UTF-16 units alone; 153, 134 and 67 behind a
/// header with an 8-bit reference; 152, 133 and 66 behind one of 16 bits; less where the header holds more.
public enum Segmenter {
    /// Splits `text` in the encoding that ``EncodedText/choose(_:options:cameAsUnicode:)`` picks.
    /// - Parameter reference: the same in all parts; only its low 8 bits count with `bits8`.
    /// - Returns: one segment when the text fits, or 2 to 255 numbered ones. An empty text is one empty segment.
    public static func segments(
        text: String, options: SegmentationOptions = .init(), reference: UInt16, cameAsUnicode: Bool = false
    ) throws(SegmentationError) -> [Segment] {
        let encoded = EncodedText.choose(text, options: options.encoding, cameAsUnicode: cameAsUnicode)
        return try self.segments(encoded, options: options, reference: reference)
    }

    /// Splits a text that is encoded already. Its national tables are announced in every part.
    public static func segments(
        _ encoded: EncodedText, options: SegmentationOptions = .init(), reference: UInt16
    ) throws(SegmentationError) -> [Segment] {
        try self.split(
            encoded.octets, unit: Unit(encoded.encoding), dataCoding: encoded.encoding.dataCoding,
            elements: options.elements + encoded.shiftTables.elements, options: options, reference: reference)
    }

    /// Splits binary data.
    public static func segments(
        binary octets: [UInt8], dataCoding: UInt8 = 4, options: SegmentationOptions = .init(), reference: UInt16
    ) throws(SegmentationError) -> [Segment] {
        try self.split(
            octets, unit: .octet, dataCoding: dataCoding, elements: options.elements, options: options, reference: reference)
    }

    /// How many parts `text` takes, without making them.
    public static func count(text: String, options: SegmentationOptions = .init(), cameAsUnicode: Bool = false) -> Int {
        if options.elements.isEmpty {
            // No encoding makes more octets than 2 for each of UTF-8's, so this fits a part in any of them.
            if text.utf8.count <= 65 { return 1 }
            // Whatever is chosen has no more bits than the septets.
            let narrows = !(cameAsUnicode && options.encoding.disableUCS2Downgrade)
            if narrows, options.encoding.offered.contains(.gsm7), let septets = GSM7.septetCount(text), septets <= 160 { return 1 }
        }
        let encoded = EncodedText.choose(text, options: options.encoding, cameAsUnicode: cameAsUnicode)
        return self.count(encoded, options: options)
    }

    /// How many parts an encoded text takes, without making them. 256 or more cannot be sent, nor can what leaves no room
    /// for text, which counts as `Int.max`.
    public static func count(_ encoded: EncodedText, options: SegmentationOptions = .init()) -> Int {
        self.count(encoded.octets, unit: Unit(encoded.encoding), elements: options.elements + encoded.shiftTables.elements, options)
    }

    /// As ``count(_:options:)-(EncodedText,_)``, of binary data.
    public static func count(binary octets: [UInt8], options: SegmentationOptions = .init()) -> Int {
        self.count(octets, unit: .octet, elements: options.elements, options)
    }

    // MARK: Inside

    private static func count(_ octets: [UInt8], unit: Unit, elements: [UserDataHeader.Element], _ options: SegmentationOptions) -> Int {
        let room = Room(elements: elements, options: options)
        if octets.count <= unit.fits(behind: room.alone) { return 1 }
        let limit = unit.fits(behind: room.numbered)
        guard limit >= Room.leastOctets else { return .max }
        return self.cuts(octets, unit: unit, limit: limit).count
    }

    /// Octets of the header of a message that is one part, and of a part of several.
    private struct Room {
        /// Below this a part could not hold one character of any encoding with what must not be parted from it.
        static let leastOctets = 8

        var alone: Int
        var numbered: Int

        init(elements: [UserDataHeader.Element], options: SegmentationOptions) {
            let own = elements.reduce(0) { $0 + 2 + $1.data.count }
            self.alone = own == 0 ? 0 : own + 1
            self.numbered = own + (options.referenceWidth == .bits8 ? 6 : 7)
        }
    }

    /// What must stay together, and how many octets (of a septet each, for GSM-7) fit a part.
    private enum Unit {
        case septet, octet, utf16, utf8

        init(_ encoding: TextEncoding) {
            switch encoding {
            case .gsm7: self = .septet
            case .ascii, .latin1: self = .octet
            case .ucs2: self = .utf16
            case .utf8: self = .utf8
            }
        }

        /// How many fit behind a header of so many octets. Septets start at the next multiple of seven bits behind it.
        func fits(behind header: Int) -> Int {
            let octets = max(0, 140 - header)
            switch self {
            case .septet: return octets * 8 / 7
            case .octet, .utf8: return octets
            case .utf16: return octets & ~1
            }
        }

        /// Moves a cut to the left until it splits nothing. At most three octets, so a cut always gets on.
        func cut(_ octets: [UInt8], after start: Int, at end: Int) -> Int {
            switch self {
            case .octet: return end
            case .septet:
                // An escape that is itself escaped (two in a row) is no escape: count how many stand before the cut.
                var escapes = 0
                while escapes < end - start, octets[end - 1 - escapes] == GSM7.escape { escapes += 1 }
                return escapes % 2 == 1 ? end - 1 : end
            case .utf16: return octets[end - 2] & 0xFC == 0xD8 ? end - 2 : end
            case .utf8:
                var end = end
                for _ in 0..<3 where octets[end] & 0xC0 == 0x80 { end -= 1 }
                return end
            }
        }
    }

    /// The ends of the parts.
    private static func cuts(_ octets: [UInt8], unit: Unit, limit: Int) -> [Int] {
        var ends: [Int] = []
        ends.reserveCapacity(octets.count / limit + 2)
        var start = 0
        while octets.count - start > limit {
            start = unit.cut(octets, after: start, at: start + limit)
            ends.append(start)
        }
        ends.append(octets.count)
        return ends
    }

    private static func split(
        _ octets: [UInt8], unit: Unit, dataCoding: UInt8, elements: [UserDataHeader.Element], options: SegmentationOptions,
        reference: UInt16
    ) throws(SegmentationError) -> [Segment] {
        let room = Room(elements: elements, options: options)
        if octets.count <= unit.fits(behind: room.alone) {
            return [Segment(udh: UserDataHeader(elements: elements).octets, octets: octets, dataCoding: dataCoding)]
        }
        let limit = unit.fits(behind: room.numbered)
        guard limit >= Room.leastOctets else { throw .headerTooLong(octets: room.numbered) }
        let ends = self.cuts(octets, unit: unit, limit: limit)
        guard ends.count <= options.maximumSegments, let total = UInt8(exactly: ends.count) else {
            throw .tooLong(segments: ends.count, maximum: options.maximumSegments)
        }
        var segments: [Segment] = []
        segments.reserveCapacity(ends.count)
        var start = 0
        var sequence: UInt8 = 0
        let isWide = options.referenceWidth == .bits16
        for end in ends {
            sequence &+= 1
            let part = UserDataHeader.Concatenation(
                reference: isWide ? reference : reference & 0xFF, total: total, sequence: sequence, isWide: isWide)
            var header = UserDataHeader(elements: elements)
            if options.numbering == .header { header.elements.insert(contentsOf: UserDataHeader(part).elements, at: 0) }
            segments.append(Segment(udh: header.octets, octets: Array(octets[start..<end]), dataCoding: dataCoding, part: part))
            start = end
        }
        return segments
    }
}
