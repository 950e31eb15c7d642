public import Charset
import Foundation
public import Message
public import SMPP

/// Parts of long messages on their way in: which message a PDU is a part of, and the whole of its parts. Pure; what waits
/// between the two waits in a ``Reassembler``.
public enum PartReader {
    /// The message that this PDU is a part of, and its number; nil when it stands alone.
    /// - Parameter origin: see ``PartKey/origin``.
    public static func part(of pdu: ShortMessagePDU, origin: String) -> (key: PartKey, number: UInt8)? {
        if pdu.esmClass.hasUserDataHeader, let parsed = UserDataHeader.parse(pdu.userData), let part = parsed.header.concatenation,
            part.total > 1
        {
            let key = PartKey(
                origin: origin, source: pdu.sourceAddr.value, destination: pdu.destinationAddr.value, reference: part.reference,
                numbering: part.isWide ? .header16 : .header8, total: part.total)
            return (key, part.sequence)
        }
        guard let sar = pdu.tlvs.segmentation, sar.total > 1, (1...sar.total).contains(sar.sequence) else { return nil }
        let key = PartKey(
            origin: origin, source: pdu.sourceAddr.value, destination: pdu.destinationAddr.value, reference: sar.reference,
            numbering: .sar, total: sar.total)
        return (key, sar.sequence)
    }

    /// The same of a normalized message.
    public static func part(of message: ShortMessage, origin: String) -> (key: PartKey, number: UInt8)? {
        let source = message.source.number
        let destination = message.destination.number
        if !message.body.udh.isEmpty, let part = UserDataHeader.parse(Array(message.body.udh))?.header.concatenation, part.total > 1 {
            let key = PartKey(
                origin: origin, source: source, destination: destination, reference: part.reference,
                numbering: part.isWide ? .header16 : .header8, total: part.total)
            return (key, part.sequence)
        }
        guard let sar = sar(message.options), sar.total > 1, (1...sar.total).contains(sar.sequence) else { return nil }
        let key = PartKey(
            origin: origin, source: source, destination: destination, reference: sar.reference, numbering: .sar, total: sar.total)
        return (key, sar.sequence)
    }

    /// The whole message: the first part with the user data of all, in message_payload where short_message cannot hold it.
    /// Octets are joined before anything is decoded, so a character that the sender cut in two is whole again.
    ///
    /// Elements of the first part's header that speak of the message (ports and the like) stay; national tables stay where
    /// all parts have the same, else see ``join(_:)-([ShortMessage])``.
    /// - Parameter parts: all of them, in their order; not empty.
    /// - Returns: nil when `parts` is empty, the whole is longer than message_payload can be, or the parts are not of one
    ///   encoding.
    public static func join(_ parts: [ShortMessagePDU]) -> ShortMessagePDU? {
        guard var whole = parts.first else { return nil }
        var first = UserDataHeader(elements: [])
        var octets: [UInt8] = []
        for (index, part) in parts.enumerated() {
            guard part.dataCoding == whole.dataCoding else { return nil }
            var data = part.userData[...]
            var header = UserDataHeader(elements: [])
            if part.esmClass.hasUserDataHeader {
                guard let parsed = UserDataHeader.parse(part.userData) else { return nil }
                data = data.dropFirst(parsed.octets)
                header = parsed.header
            }
            if index == 0 { first = header }
            guard header.shiftTables == first.shiftTables else { return nil }
            octets += data
        }
        let header = UserDataHeader(elements: first.contentElements + first.shiftTables.elements).octets
        octets = header + octets
        guard octets.count <= 65_535 else { return nil }
        whole.esmClass = ESMClass(rawValue: whole.esmClass.rawValue & ~0x40 | (header.isEmpty ? 0 : 0x40))
        for tag in [TLVTag.messagePayload, .sarMsgRefNum, .sarTotalSegments, .sarSegmentSeqnum, .moreMessagesToSend] {
            whole.tlvs[tag] = nil
        }
        if octets.count <= 254 {
            whole.shortMessage = octets
        } else {
            whole.shortMessage = []
            whole.tlvs[.messagePayload] = octets
        }
        return whole
    }

    /// The whole message of parts that are normalized already: the first with the text, or the data, of all. A character
    /// that the sender cut in two is lost.
    /// - Returns: nil when `parts` is empty, or text and binary parts are mixed.
    public static func join(_ parts: [ShortMessage]) -> ShortMessage? {
        guard var whole = parts.first else { return nil }
        let isBinary = whole.body.encoding == .binary
        guard parts.allSatisfy({ ($0.body.encoding == .binary) == isBinary }) else { return nil }
        let elements = UserDataHeader.parse(Array(whole.body.udh))?.header.contentElements ?? []
        whole.body.udh = Data(UserDataHeader(elements: elements).octets)
        if isBinary {
            whole.body.data = Data(parts.map(\.body.data).joined())
        } else {
            whole.body.text = parts.map(\.body.text).joined()
            if parts.contains(where: { $0.body.encoding == .ucs2 }) { whole.body.encoding = .ucs2 }
        }
        let numbering = [TLVTag.sarMsgRefNum, .sarTotalSegments, .sarSegmentSeqnum, .moreMessagesToSend].map(tlvOption)
        whole.options.removeAll { numbering.contains($0.name) }
        whole.parts = UInt32(truncatingIfNeeded: parts.count)
        return whole
    }

    private static func sar(_ options: [Message.Option]) -> (reference: UInt16, total: UInt8, sequence: UInt8)? {
        var tlvs = TLVs()
        for tag in [TLVTag.sarMsgRefNum, .sarTotalSegments, .sarSegmentSeqnum] {
            let name = tlvOption(tag)
            guard let option = options.first(where: { $0.name == name }), let value = bytes(hex: option.value) else { return nil }
            tlvs[tag] = value
        }
        return tlvs.segmentation
    }
}
