import Charset
import Foundation
import Message
import SMPPMessage

/// A message as an interface has read it, before the gateway makes one of its own of it. Pure.
struct Draft: Sendable, Equatable {
    enum Content: Sendable, Equatable {
        case text(String)
        case binary([UInt8])
    }

    var source = ""
    /// Type of number and numbering plan, where the client gave them.
    var sourceTON: UInt32?
    var sourceNPI: UInt32?
    var destination = ""
    var destinationTON: UInt32?
    var destinationNPI: UInt32?
    var content = Content.text("")
    /// With its length octet.
    var udh: [UInt8] = []
    /// SMPP's data_coding where the client gave it.
    var dataCoding: UInt32?
    /// 0 = flash, ... 3 (3GPP TS 23.038 §4).
    var messageClass: UInt32?
    /// Milliseconds since 1970; 0 = none.
    var expiresAt: Int64 = 0
    var scheduledAt: Int64 = 0
    var priority: UInt32 = 0
    var report = ReportRequest.none
    /// Reports that come before the end: what the provider tells meanwhile, and that it has taken the message.
    var intermediateReports = false
    var submissionReport = false
    var callback: ReportCallback?
    var options: [(name: String, value: String)] = []

    static func == (left: Draft, right: Draft) -> Bool {
        left.source == right.source && left.destination == right.destination && left.content == right.content && left.udh == right.udh
            && left.dataCoding == right.dataCoding && left.messageClass == right.messageClass && left.expiresAt == right.expiresAt
            && left.scheduledAt == right.scheduledAt && left.priority == right.priority && left.report == right.report
            && left.intermediateReports == right.intermediateReports && left.submissionReport == right.submissionReport
            && left.callback == right.callback && left.options.map(\.name) == right.options.map(\.name)
            && left.options.map(\.value) == right.options.map(\.value)
    }

    /// The message, without what only the acceptance knows: its id, its account, its connector.
    /// - Throws: `Fault.invalid` for what no phone could be sent.
    func message() throws(Fault) -> ShortMessage {
        guard Draft.isNumber(destination) else {
            throw Fault(.invalid, "the destination is a number of up to 20 digits, with or without a +, and not \(destination.prefix(30))")
        }
        guard source.utf8.count <= 21, !source.contains(where: \.isNewline) else {
            throw Fault(.invalid, "the sender has at most 20 characters")
        }
        var message = ShortMessage()
        message.type = .message
        message.source = address(source, ton: sourceTON, npi: sourceNPI)
        message.destination = address(destination, ton: destinationTON, npi: destinationNPI)
        message.priority = priority
        message.reportRequest = report
        message.intermediateReports = intermediateReports
        message.submissionReport = submissionReport
        message.expiresAt = expiresAt
        message.scheduledAt = scheduledAt
        (message.body, message.parts) = try body()
        if let callback { message.reportCallback = callback }
        message.options = options.map { name, value in
            var option = Message.Option()
            option.name = name
            option.value = value
            return option
        }
        return message
    }

    static func isNumber(_ text: String) -> Bool {
        let digits = text.hasPrefix("+") ? text.dropFirst() : text[...]
        return (1...20).contains(digits.utf8.count) && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    private func address(_ text: String, ton: UInt32?, npi: UInt32?) -> Address {
        var address = MessageReader.address(text)
        if text.isEmpty { (address.ton, address.npi) = (0, 0) }
        if let ton { address.ton = ton }
        if let npi { address.npi = npi }
        return address
    }

    /// In which alphabet a text of its own goes out where the provider offers the usual ones.
    var encoding: TextEncoding? {
        guard case .text(let text) = content else { return nil }
        return EncodedText.choose(text).encoding
    }

    private func body() throws(Fault) -> (Body, UInt32) {
        var body = Body()
        var header = UserDataHeader(elements: [])
        if !udh.isEmpty {
            guard let parsed = UserDataHeader.parse(udh), parsed.octets == udh.count else {
                throw Fault(.invalid, "the user data header cannot be read")
            }
            header = parsed.header
            body.udh = Data(udh)
        }
        if let messageClass { body.dataCoding = 0x10 | messageClass & 3 }
        if let dataCoding { body.dataCoding = dataCoding }
        let segmentation = SegmentationOptions(elements: header.contentElements)
        var parts = 1
        switch content {
        case .text(let text):
            body.text = text
            body.encoding = .utf8
            if header.concatenation == nil { parts = Segmenter.count(text: text, options: segmentation, cameAsUnicode: true) }
        case .binary(let octets):
            body.data = Data(octets)
            body.encoding = .binary
            if dataCoding == nil { body.dataCoding = messageClass.map { 0x14 | $0 & 3 } ?? 4 }
            if header.concatenation == nil { parts = Segmenter.count(binary: octets, options: segmentation) }
        }
        guard parts <= 255 else { throw Fault(.invalid, "the message takes more than 255 parts") }
        return (body, UInt32(max(1, parts)))
    }
}
