import Charset
import Configuration
import Message
import SMPP
import SMPPMessage

/// Writes a message as this connector wants it: addresses, alphabet, and long messages in its way. Pure.
struct PartWriter: Sendable {
    private let options: OutgoingOptions
    private let encoding: EncodingOptions

    init(_ options: OutgoingOptions) {
        self.options = options
        let alphabet: TextEncoding =
            switch options.defaultAlphabet {
            case .gsm: .gsm7
            case .latin1: .latin1
            case .ascii: .ascii
            case .utf8: .utf8
            case .ucs2: .ucs2
            }
        encoding = EncodingOptions(
            offered: alphabet == .ucs2 || alphabet == .utf8 ? [alphabet] : [alphabet, .ucs2],
            disableUCS2Downgrade: options.disablesUCS2Downgrade, enableUCS2Upgrade: options.enablesUCS2Upgrade)
    }

    /// Why a message cannot be written as this connector wants it.
    struct Unwritable: Error, CustomStringConvertible {
        var description: String
    }

    /// - Throws: `Unwritable` here or of `MessageWriter`, with what is wrong in words.
    func submitSms(for original: ShortMessage) throws -> [SubmitSm] {
        let message = addressed(original)
        var parts = try MessageWriter.submitSms(for: message, encoding: encoding)
        if parts.count > 1, let template = parts.first { parts = try long(message, template, count: parts.count) ?? parts }
        let isText = message.body.encoding != .binary
        for index in parts.indices {
            if parts[index].serviceType.isEmpty { parts[index].serviceType = options.serviceType }
            guard isText else { continue }
            // Octets of the provider's own default alphabet go under data_coding 0.
            if parts[index].dataCoding.rawValue == encoding.offered[0].dataCoding { parts[index].dataCoding = .smscDefault }
            if let forced = options.forcedDataCoding { parts[index].dataCoding = DataCoding(rawValue: forced) }
        }
        return parts
    }

    private func addressed(_ original: ShortMessage) -> ShortMessage {
        var message = original
        // What a route or a pool chose stands before the message's own sender, and what the connector forces before both.
        let chosen = message.hasSendSource ? message.sendSource : message.source
        if let forced = options.forcedSource {
            message.sendSource = address(forced)
        } else if chosen.number.isEmpty, let source = options.defaultSource {
            message.sendSource = address(source)
        }
        return message
    }

    private func address(_ source: OutgoingOptions.Source) -> Address {
        var address = MessageReader.address(source.number)
        if let ton = source.ton { address.ton = UInt32(ton) }
        if let npi = source.npi { address.npi = UInt32(npi) }
        return address
    }

    /// - Returns: nil where the parts are right as they are.
    private func long(_ message: ShortMessage, _ template: SubmitSm, count: Int) throws -> [SubmitSm]? {
        switch options.longMessages {
        case .udh8: return nil
        case .reject:
            throw Unwritable(description: "it takes \(count) parts, and this connector takes messages of one part only")
        case .payload:
            let octets = message.body.encoding == .binary ? Array(message.body.data) : encoded(message).octets
            guard octets.count <= 65_535 else {
                throw Unwritable(description: "it has \(octets.count) octets, and message_payload holds 65535")
            }
            var whole = template
            whole.esmClass = ESMClass(rawValue: whole.esmClass.rawValue & ~0x40)
            whole.shortMessage = []
            whole.tlvs[.messagePayload] = octets
            return [whole]
        case .udh16:
            return try segments(message, .bits16).map { segment in
                var part = template
                part.shortMessage = segment.userData
                return part
            }
        case .sar:
            // Split as with a header of 8 bits, for that is what the provider makes of it on the air.
            let segments = try segments(message, .bits8)
            return segments.enumerated().map { index, segment in
                var part = template
                part.esmClass = ESMClass(rawValue: part.esmClass.rawValue & ~0x40)
                part.shortMessage = segment.octets
                part.tlvs.set(.sarMsgRefNum, UInt16(truncatingIfNeeded: message.msgid))
                part.tlvs.set(.sarTotalSegments, UInt8(truncatingIfNeeded: segments.count))
                part.tlvs.set(.sarSegmentSeqnum, UInt8(truncatingIfNeeded: index + 1))
                return part
            }
        }
    }

    private func encoded(_ message: ShortMessage) -> EncodedText {
        EncodedText.choose(message.body.text, options: encoding, cameAsUnicode: message.body.encoding == .ucs2)
    }

    private func segments(
        _ message: ShortMessage, _ width: SegmentationOptions.ReferenceWidth
    ) throws -> [Segment] {
        let settings = SegmentationOptions(encoding: encoding, referenceWidth: width)
        let reference = UInt16(truncatingIfNeeded: message.msgid)
        do throws(SegmentationError) {
            if message.body.encoding == .binary {
                return try Segmenter.segments(
                    binary: Array(message.body.data), dataCoding: UInt8(truncatingIfNeeded: message.body.dataCoding), options: settings,
                    reference: reference)
            }
            return try Segmenter.segments(encoded(message), options: settings, reference: reference)
        } catch {
            throw Unwritable(description: "\(error)")
        }
    }
}
