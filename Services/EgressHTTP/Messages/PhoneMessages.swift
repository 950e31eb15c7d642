import Charset
import Foundation
import HTTPProvider
import Message
import SMPPMessage

extension PhoneMessage {
    /// Why it is no message, in words for the provider's people.
    struct Unreadable: Error, CustomStringConvertible {
        var description: String
    }

    /// As the gateway knows messages: from this connector, with no account and no id of its own yet.
    func message(connector: String, now: Int64) throws(Unreadable) -> ShortMessage {
        var message = ShortMessage()
        message.type = .message
        message.source = MessageReader.address(source)
        message.destination = MessageReader.address(destination)
        message.inConnector = connector
        message.times.accepted = now
        message.hops = 1
        var body = Body()
        var header = UserDataHeader(elements: [])
        if !userDataHeader.isEmpty {
            guard let parsed = UserDataHeader.parse(userDataHeader), parsed.octets == userDataHeader.count else {
                throw Unreadable(description: "the user data header cannot be read")
            }
            header = parsed.header
            body.udh = Data(userDataHeader)
        }
        let segmentation = SegmentationOptions(elements: header.contentElements)
        var parts = 1
        switch content {
        case .text(let text):
            body.encoding = .utf8
            body.text = text
            if header.concatenation == nil { parts = Segmenter.count(text: text, options: segmentation, cameAsUnicode: true) }
        case .binary(let octets):
            body.encoding = .binary
            body.data = Data(octets)
            body.dataCoding = 4
            if header.concatenation == nil { parts = Segmenter.count(binary: octets, options: segmentation) }
        }
        guard parts <= 255 else { throw Unreadable(description: "the message takes more than 255 parts") }
        message.body = body
        message.parts = UInt32(max(1, parts))
        return message
    }
}
