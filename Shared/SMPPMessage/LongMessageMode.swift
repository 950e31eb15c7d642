public import Charset
public import SMPP

/// How a message that is too long for one part goes out: a connector's LONGMESSAGE.
public enum LongMessageMode: String, Sendable, Hashable, CaseIterable {
    /// In parts, numbered in the user data header with a reference of 8 bits. What every handset knows.
    case udh8 = "UDH8"
    /// As `udh8` with a reference of 16 bits: a septet or an octet less in each part, 256 times fewer mix-ups.
    case udh16 = "UDH16"
    /// In parts, numbered by sar_msg_ref_num, sar_total_segments and sar_segment_seqnum (SMPP 3.4 §5.3.2.22 to 24).
    case sar = "SAR"
    /// Whole, in message_payload (§5.3.2.32): the SMSC splits it.
    case payload = "PAYLOAD"
    /// Not at all: such a message is refused.
    case reject = "REJECT"
}

/// `esm_class`, bits 1 and 0 (SMPP 3.4 §5.2.12): a connector's MESSAGEMODE.
public enum MessagingMode: UInt8, Sendable, Hashable, CaseIterable {
    /// What the SMSC does of itself, as a rule store and forward.
    case `default` = 0
    case datagram = 1
    case transaction = 2
    case storeAndForward = 3
}

/// How a connector writes messages.
public struct WritingOptions: Sendable, Hashable {
    public var encoding: EncodingOptions
    public var longMessage: LongMessageMode
    public var messagingMode: MessagingMode
    /// 1 to 255: a message of more parts is refused. Does not count for `payload`.
    public var maximumParts: Int
    /// What the peer calls its default alphabet, data_coding 0.
    public var defaultAlphabet: TextEncoding

    public init(
        encoding: EncodingOptions = .init(), longMessage: LongMessageMode = .udh8, messagingMode: MessagingMode = .default,
        maximumParts: Int = 255, defaultAlphabet: TextEncoding = .gsm7
    ) {
        self.encoding = encoding
        self.longMessage = longMessage
        self.messagingMode = messagingMode
        self.maximumParts = maximumParts
        self.defaultAlphabet = defaultAlphabet
    }
}

/// One part as SMPP carries it.
public struct MessagePart: Sendable, Hashable {
    /// The user data, its header first where `hasUserDataHeader`: for short_message, or for `message_payload` where `isPayload`.
    public var userData: [UInt8]
    public var hasUserDataHeader: Bool
    public var isPayload: Bool
    public var dataCoding: DataCoding
    /// For sar_msg_ref_num, sar_total_segments and sar_segment_seqnum; nil where the part is not numbered so.
    public var sar: UserDataHeader.Concatenation?

    /// Puts the part into a PDU that has all the rest.
    public func write(into pdu: inout ShortMessagePDU) {
        pdu.dataCoding = self.dataCoding
        if self.hasUserDataHeader { pdu.esmClass = pdu.esmClass.union(.userDataHeader) }
        if self.isPayload {
            pdu.shortMessage = []
            pdu.tlvs[.messagePayload] = self.userData
        } else {
            pdu.shortMessage = self.userData
        }
        if let part = self.sar {
            pdu.tlvs.set(.sarMsgRefNum, part.reference)
            pdu.tlvs.set(.sarTotalSegments, part.total)
            pdu.tlvs.set(.sarSegmentSeqnum, part.sequence)
        }
    }
}
