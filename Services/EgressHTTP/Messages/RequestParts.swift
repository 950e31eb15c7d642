import Charset
import Configuration
import Egress
import Foundation
import HTTPProvider
import Message

/// Makes of a message what templates take: once for all of it, or once for each part. Pure.
struct RequestParts: PartMaker {
    /// Why a message cannot be given to this provider, in words.
    struct Unwritable: Error, CustomStringConvertible {
        var description: String
    }

    private let http: ProviderHTTPOptions
    private let options: OutgoingOptions
    private let segmentation: SegmentationOptions

    init(_ http: ProviderHTTPOptions, _ options: OutgoingOptions) {
        self.http = http
        self.options = options
        segmentation = SegmentationOptions(referenceWidth: http.longMessages == .udh16 ? .bits16 : .bits8)
    }

    /// Whether a message goes out in one request, however long it is.
    var isWhole: Bool { http.longMessages == .payload || http.longMessages == .reject }

    func parts(of message: ShortMessage) throws(Unwritable) -> [MessageValues] {
        var values = MessageValues(
            source: source(message), destination: party(message.hasSendDestination ? message.sendDestination : message.destination))
        values.isBinary = message.body.encoding == .binary
        values.message = values.isBinary ? RequestParts.hex(message.body.data) : message.body.text
        values.userDataHeader = RequestParts.hex(message.body.udh)
        values.dataCoding = message.body.dataCoding
        values.messageID = message.msgid
        values.expiresAt = message.expiresAt
        values.awaitsReport = message.awaitsReport
        values.priority = message.priority
        values.parts = Int(max(1, message.parts))
        for option in message.options { values.options[option.name.uppercased()] = option.value }
        // A body with a header of its own is a part already, or something else that must not be touched.
        guard message.body.udh.isEmpty, message.parts > 1 || !isWhole else { return [values] }
        if http.longMessages == .reject {
            guard message.parts <= 1 else {
                throw Unwritable(description: "it takes \(message.parts) parts, and this connector takes messages of one part only")
            }
            return [values]
        }
        return isWhole ? [values] : try segments(message, values)
    }

    private func segments(_ message: ShortMessage, _ whole: MessageValues) throws(Unwritable) -> [MessageValues] {
        let reference = UInt16(truncatingIfNeeded: message.msgid)
        let segments: [Segment]
        let encoded = EncodedText.choose(message.body.text, options: segmentation.encoding, cameAsUnicode: message.body.encoding == .ucs2)
        do throws(SegmentationError) {
            segments =
                whole.isBinary
                ? try Segmenter.segments(binary: Array(message.body.data), options: segmentation, reference: reference)
                : try Segmenter.segments(encoded, options: segmentation, reference: reference)
        } catch {
            throw Unwritable(description: "it cannot be split: \(error)")
        }
        return segments.enumerated().map { index, segment in
            var part = whole
            part.message = whole.isBinary ? RequestParts.hex(segment.octets) : encoded.encoding.decode(segment.octets)
            part.userDataHeader = RequestParts.hex(segment.udh)
            part.parts = segments.count
            part.part = index + 1
            return part
        }
    }

    /// What a route or a pool chose stands before the message's own sender, and what the connector forces before both.
    private func source(_ message: ShortMessage) -> MessageValues.Party {
        let chosen = message.hasSendSource ? message.sendSource : message.source
        if let forced = options.forcedSource { return party(forced) }
        if chosen.number.isEmpty, let source = options.defaultSource { return party(source) }
        return party(chosen)
    }

    private func party(_ address: Address) -> MessageValues.Party {
        MessageValues.Party(number: address.number, ton: address.ton, npi: address.npi)
    }

    private func party(_ source: OutgoingOptions.Source) -> MessageValues.Party {
        let isNumber = !source.number.isEmpty && source.number.utf8.allSatisfy { (48...57).contains($0) }
        return MessageValues.Party(
            number: source.number, ton: UInt32(source.ton ?? (isNumber ? 1 : 5)), npi: UInt32(source.npi ?? (isNumber ? 1 : 0)))
    }

    private static func hex(_ octets: some Sequence<UInt8>) -> String {
        octets.reduce(into: "") { $0 += ($1 < 16 ? "0" : "") + String($1, radix: 16, uppercase: true) }
    }
}
