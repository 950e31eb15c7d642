import Charset
import Foundation
public import Message
import SMPP

extension MessageWriter {
    /// The parts in which a body goes out. One where it fits; else as `options.longMessage` says.
    ///
    /// A body that came with a header of its sender's keeps what that header says of the message. One that is itself a part
    /// (it has a concatenation element) stays the part that it is.
    /// - Parameter reference: the same in all parts of this message, and another in the next to the same recipient.
    /// - Throws: ``Unwritable`` where it takes more parts than allowed, does not fit message_payload, or is to be refused for
    ///   its length.
    public static func parts(
        of body: Body, options: WritingOptions = .init(), reference: UInt16
    ) throws(Unwritable) -> [MessagePart] {
        let content = try content(of: body, options)
        let segmentation = SegmentationOptions(
            encoding: options.encoding, referenceWidth: options.longMessage == .udh16 ? .bits16 : .bits8,
            maximumSegments: options.maximumParts, numbering: options.longMessage == .sar ? .outside : .header, elements: content.elements)
        if content.isPart { return [whole(content, isPayload: content.octets.count + content.headerOctets > 254)] }
        let count =
            switch content.kind {
            case .text(let encoded): Segmenter.count(encoded, options: segmentation)
            case .binary(let octets): Segmenter.count(binary: octets, options: segmentation)
            }
        if count > 1 {
            switch options.longMessage {
            case .reject:
                throw Unwritable(description: "the message takes \(count) parts, and this connector takes messages of one part only")
            case .payload:
                guard content.octets.count + content.headerOctets <= 65_535 else {
                    throw Unwritable(description: "the message has \(content.octets.count) octets, and message_payload holds 65535")
                }
                return [whole(content, isPayload: true)]
            case .udh8, .udh16, .sar: break
            }
        }
        let segments: [Segment]
        do throws(SegmentationError) {
            switch content.kind {
            case .text(let encoded): segments = try Segmenter.segments(encoded, options: segmentation, reference: reference)
            case .binary(let octets):
                segments = try Segmenter.segments(binary: octets, options: segmentation, reference: reference)
            }
        } catch {
            switch error {
            case .tooLong(let segments, let maximum):
                throw Unwritable(description: "the message takes \(segments) parts, and \(maximum) are allowed")
            case .headerTooLong(let octets):
                throw Unwritable(description: "the user data header of \(octets) octets leaves no room for the message")
            }
        }
        return segments.map { segment in
            MessagePart(
                userData: segment.userData, hasUserDataHeader: !segment.udh.isEmpty, isPayload: false, dataCoding: content.dataCoding,
                sar: options.longMessage == .sar ? segment.part.map { wide($0, reference) } : nil)
        }
    }

    // MARK: Inside

    /// sar_msg_ref_num has 16 bits, whatever the header has that the SMSC makes of it.
    private static func wide(_ part: UserDataHeader.Concatenation, _ reference: UInt16) -> UserDataHeader.Concatenation {
        UserDataHeader.Concatenation(reference: reference, total: part.total, sequence: part.sequence, isWide: true)
    }

    private enum Kind {
        case text(EncodedText)
        case binary([UInt8])
    }

    /// A body in the octets that it goes out in.
    private struct Content {
        var kind: Kind
        var dataCoding: DataCoding
        /// What its sender's header says, but for concatenation and tables where the message is whole.
        var elements: [UserDataHeader.Element]
        var isPart: Bool

        var octets: [UInt8] {
            switch self.kind {
            case .text(let encoded): encoded.octets
            case .binary(let octets): octets
            }
        }
        var header: [UInt8] {
            guard case .text(let encoded) = self.kind, !self.isPart else { return UserDataHeader(elements: self.elements).octets }
            return UserDataHeader(elements: self.elements + encoded.shiftTables.elements).octets
        }
        var headerOctets: Int { self.header.count }
    }

    private static func whole(_ content: Content, isPayload: Bool) -> MessagePart {
        let header = content.header
        return MessagePart(
            userData: header + content.octets, hasUserDataHeader: !header.isEmpty, isPayload: isPayload, dataCoding: content.dataCoding,
            sar: nil)
    }

    private static func content(of body: Body, _ options: WritingOptions) throws(Unwritable) -> Content {
        var header = UserDataHeader(elements: [])
        if !body.udh.isEmpty {
            guard let parsed = UserDataHeader.parse(Array(body.udh)), parsed.octets == body.udh.count else {
                throw Unwritable(description: "the user data header cannot be read")
            }
            header = parsed.header
        }
        let isPart = header.concatenation != nil
        if body.encoding == .binary {
            let coding = UInt8(truncatingIfNeeded: body.dataCoding)
            return Content(
                kind: .binary(Array(body.data)), dataCoding: DataCoding(rawValue: coding == 0 ? 4 : coding),
                elements: isPart ? header.elements : header.contentElements, isPart: isPart)
        }
        var encoding = options.encoding
        // Septets go under data_coding 0 only where the peer reads it so.
        if options.defaultAlphabet != .gsm7 { encoding.offered.removeAll { $0 == .gsm7 } }
        if encoding.offered.isEmpty { encoding.offered = [options.defaultAlphabet] }
        let cameAsUnicode = body.encoding == .ucs2 || body.encoding == .utf8
        // The parts before and behind this one were not written with tables that we would choose.
        if isPart { encoding.nationalLanguages = [] }
        let encoded: EncodedText
        if isPart, !header.shiftTables.isEmpty, let septets = GSM7.encode(body.text, tables: header.shiftTables) {
            // A part keeps its tables: in another encoding it might no longer fit.
            encoded = EncodedText(encoding: .gsm7, octets: septets, shiftTables: header.shiftTables)
        } else {
            encoded = EncodedText.choose(body.text, options: encoding, cameAsUnicode: cameAsUnicode)
        }
        let coding = dataCoding(encoded.encoding, like: UInt8(truncatingIfNeeded: body.dataCoding), options.defaultAlphabet)
        var elements = header.contentElements
        if isPart { elements = header.elements.filter { !encoded.shiftTables.isEmpty || !$0.announcesTable } }
        return Content(kind: .text(encoded), dataCoding: DataCoding(rawValue: coding), elements: elements, isPart: isPart)
    }

    /// The data_coding of a text: its encoding, with the message class (flash and the like) or the waiting indication that
    /// the sender's data_coding held (3GPP TS 23.038 §4).
    static func dataCoding(_ encoding: TextEncoding, like original: UInt8, _ defaultAlphabet: TextEncoding = .gsm7) -> UInt8 {
        let plain = encoding == defaultAlphabet ? 0 : encoding.dataCoding
        let alphabet: UInt8
        switch encoding {
        case .gsm7: alphabet = 0
        case .ucs2: alphabet = 2
        case .ascii, .latin1, .utf8: return plain  // the network's data_coding knows no such alphabet, so no class either
        }
        switch original {
        case 0x10...0x1F, 0x30...0x3F, 0x50...0x5F, 0x70...0x7F, 0xF0...0xFF: return 0x10 | alphabet << 2 | original & 3
        case 0xC0...0xDF: return alphabet == 0 ? original : 0xE0 | original & 0x0F
        case 0xE0...0xEF: return alphabet == 2 ? original : 0xD0 | original & 0x0F
        default: return plain
        }
    }
}
