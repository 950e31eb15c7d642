/// One part of a message: what stands in one `short_message`.
public struct Segment: Sendable, Hashable {
    /// The user data header with its length octet; empty when there is none.
    public var udh: [UInt8]
    /// The text or data behind the header; of GSM-7, one septet in each octet.
    public var octets: [UInt8]
    /// SMPP's `data_coding`.
    public var dataCoding: UInt8

    public init(udh: [UInt8], octets: [UInt8], dataCoding: UInt8) {
        self.udh = udh
        self.octets = octets
        self.dataCoding = dataCoding
    }

    /// What SMPP carries as `short_message`; with a header, set UDHI in `esm_class` too.
    public var userData: [UInt8] { self.udh.isEmpty ? self.octets : self.udh + self.octets }
}

/// How to split.
public struct SegmentationOptions: Sendable, Hashable {
    public enum ReferenceWidth: Sendable, Hashable { case bits8, bits16 }

    public var encoding: EncodingOptions
    public var referenceWidth: ReferenceWidth
    /// 1 to 255.
    public var maximumSegments: Int

    public init(encoding: EncodingOptions = .init(), referenceWidth: ReferenceWidth = .bits8, maximumSegments: Int = 255) {
        self.encoding = encoding
        self.referenceWidth = referenceWidth
        self.maximumSegments = min(255, max(1, maximumSegments))
    }
}

public enum SegmentationError: Error, Hashable, Sendable {
    /// More parts than allowed. The sender's fault; a retry is useless.
    case tooLong(segments: Int, maximum: Int)
}

/// Splits messages into parts that a mobile puts together again (3GPP TS 23.040 §9.2.3.24.1 and 9.2.3.24.8).
///
/// A part has 140 octets, its header included: 160 septets, 140 octets or 70 UTF-16 units alone; 153, 134 and 67 behind a
/// header with an 8-bit reference; 152, 133 and 66 behind one of 16 bits.
public enum Segmenter {
    /// Splits `text` in the encoding that ``EncodedText/choose(_:options:cameAsUnicode:)`` picks.
    /// - Parameter reference: the same in all parts; only its low 8 bits count with `bits8`.
    /// - Returns: one segment without a header when the text fits, or 2 to 255 with one. An empty text is one empty segment.
    public static func segments(
        text: String, options: SegmentationOptions = .init(), reference: UInt16, cameAsUnicode: Bool = false
    ) throws(SegmentationError) -> [Segment] {
        let encoded = EncodedText.choose(text, options: options.encoding, cameAsUnicode: cameAsUnicode)
        return try self.segments(encoded, options: options, reference: reference)
    }

    /// Splits a text that is encoded already.
    public static func segments(
        _ encoded: EncodedText, options: SegmentationOptions = .init(), reference: UInt16
    ) throws(SegmentationError) -> [Segment] {
        try self.split(
            encoded.octets, unit: Unit(encoded.encoding), dataCoding: encoded.encoding.dataCoding, options: options,
            reference: reference)
    }

    /// Splits binary data.
    public static func segments(
        binary octets: [UInt8], dataCoding: UInt8 = 4, options: SegmentationOptions = .init(), reference: UInt16
    ) throws(SegmentationError) -> [Segment] {
        try self.split(octets, unit: .octet, dataCoding: dataCoding, options: options, reference: reference)
    }

    /// How many parts `text` takes, without making them.
    public static func count(text: String, options: SegmentationOptions = .init(), cameAsUnicode: Bool = false) -> Int {
        // No encoding makes more octets than 2 for each of UTF-8's, so this fits a part in any of them.
        if text.utf8.count <= 70 { return 1 }
        // Whatever is chosen has no more bits than the septets.
        let narrows = !(cameAsUnicode && options.encoding.disableUCS2Downgrade)
        if narrows, options.encoding.offered.contains(.gsm7), let septets = GSM7.septetCount(text), septets <= 160 { return 1 }
        let encoded = EncodedText.choose(text, options: options.encoding, cameAsUnicode: cameAsUnicode)
        return self.count(encoded, options: options)
    }

    /// How many parts an encoded text takes, without making them.
    public static func count(_ encoded: EncodedText, options: SegmentationOptions = .init()) -> Int {
        let unit = Unit(encoded.encoding)
        if encoded.octets.count <= unit.alone { return 1 }
        return self.cuts(encoded.octets, unit: unit, limit: unit.behindHeader(options.referenceWidth)).count
    }

    // MARK: Inside

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

        var alone: Int {
            switch self {
            case .septet: 160
            case .octet, .utf16, .utf8: 140
            }
        }

        func behindHeader(_ width: SegmentationOptions.ReferenceWidth) -> Int {
            switch (self, width) {
            case (.septet, .bits8): 153
            case (.septet, .bits16): 152
            case (.octet, .bits8), (.utf8, .bits8): 134
            case (.octet, .bits16), (.utf8, .bits16): 133
            case (.utf16, .bits8): 134
            case (.utf16, .bits16): 132
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
        _ octets: [UInt8], unit: Unit, dataCoding: UInt8, options: SegmentationOptions, reference: UInt16
    ) throws(SegmentationError) -> [Segment] {
        if octets.count <= unit.alone { return [Segment(udh: [], octets: octets, dataCoding: dataCoding)] }
        let ends = self.cuts(octets, unit: unit, limit: unit.behindHeader(options.referenceWidth))
        guard ends.count <= options.maximumSegments, let total = UInt8(exactly: ends.count) else {
            throw .tooLong(segments: ends.count, maximum: options.maximumSegments)
        }
        var segments: [Segment] = []
        segments.reserveCapacity(ends.count)
        var start = 0
        var sequence: UInt8 = 0
        for end in ends {
            sequence &+= 1
            let part = UserDataHeader.Concatenation(
                reference: reference, total: total, sequence: sequence, isWide: options.referenceWidth == .bits16)
            segments.append(
                Segment(udh: UserDataHeader(part).octets, octets: Array(octets[start..<end]), dataCoding: dataCoding))
            start = end
        }
        return segments
    }
}
