import Charset
import Configuration
import Egress
import Message
import SMPP
import SMPPMessage

/// Writes a message as this connector wants it: addresses, alphabet, and long messages in its way. Pure.
struct PartWriter: PartMaker {
    private let options: OutgoingOptions
    private let smpp: SMPPOptions
    private let writing: WritingOptions

    init(_ options: OutgoingOptions, _ smpp: SMPPOptions = SMPPOptions()) {
        self.options = options
        self.smpp = smpp
        let alphabet: TextEncoding =
            switch options.defaultAlphabet {
            case .gsm: .gsm7
            case .latin1: .latin1
            case .ascii: .ascii
            case .utf8: .utf8
            case .ucs2: .ucs2
            }
        let longMessage: LongMessageMode =
            switch options.longMessages {
            case .udh8: .udh8
            case .udh16: .udh16
            case .sar: .sar
            case .payload: .payload
            case .reject: .reject
            }
        let encoding = EncodingOptions(
            offered: alphabet == .ucs2 || alphabet == .utf8 ? [alphabet] : [alphabet, .ucs2],
            disableUCS2Downgrade: options.disablesUCS2Downgrade, enableUCS2Upgrade: options.enablesUCS2Upgrade,
            nationalLanguages: smpp.nationalLanguages.compactMap { NationalLanguage(name: $0) })
        writing = WritingOptions(
            encoding: encoding, longMessage: longMessage,
            messagingMode: MessagingMode(rawValue: smpp.messageMode.rawValue) ?? .default, defaultAlphabet: alphabet)
    }

    /// - Throws: `MessageWriter.Unwritable`, with what is wrong in words.
    func parts(of original: ShortMessage) throws(MessageWriter.Unwritable) -> [SubmitSm] {
        let message = addressed(original)
        var parts = try MessageWriter.submitSms(for: message, options: writing)
        let isText = message.body.encoding != .binary
        for index in parts.indices {
            if parts[index].serviceType.isEmpty { parts[index].serviceType = options.serviceType }
            if !smpp.usesPriority { parts[index].priorityFlag = 0 }
            if isText, let forced = options.forcedDataCoding { parts[index].dataCoding = DataCoding(rawValue: forced) }
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
        if let forced = smpp.forcedDestination { message.sendDestination = MessageReader.address(forced) }
        return message
    }

    private func address(_ source: OutgoingOptions.Source) -> Address {
        var address = MessageReader.address(source.number)
        if let ton = source.ton { address.ton = UInt32(ton) }
        if let npi = source.npi { address.npi = UInt32(npi) }
        return address
    }
}
