public import NIOCore

/// One PDU cut from the stream, or what is wrong with it.
public enum Framed: Equatable, Sendable {
    case pdu(PDU)
    /// A request that cannot be read: answer ``reply``, the session lives on.
    case malformedRequest(CommandID, sequenceNumber: UInt32, PDUError)
    /// A response that cannot be read: nobody is answered; its request counts as answered in an unknown way.
    case malformedResponse(CommandID, sequenceNumber: UInt32, PDUError)
    /// Well framed, of a `command_id` that we do not know: generic_nack with ESME_RINVCMDID, the session lives on.
    case unknownCommand(CommandID, sequenceNumber: UInt32)
    /// The length cannot be right, so nothing after it can be found: generic_nack with ESME_RINVCMDLEN, then close.
    case framingLost(commandLength: UInt32, sequenceNumber: UInt32)

    /// What the specification wants answered at once; nil when nothing.
    public var reply: PDU? {
        switch self {
        case .pdu, .malformedResponse: return nil
        case .malformedRequest(let command, let sequence, let error):
            // outbind and alert_notification have no response: generic_nack.
            return .response(to: command, sequenceNumber: sequence, commandStatus: error.status)
        case .unknownCommand(let command, let sequence):
            // A response is never answered, not even one that we do not know: two such peers would never stop.
            if command.isResponse { return nil }
            return PDU(.genericNack, sequenceNumber: sequence, commandStatus: .invalidCommandID)
        case .framingLost(_, let sequence):
            return PDU(.genericNack, sequenceNumber: sequence, commandStatus: .invalidCommandLength)
        }
    }
}

/// Cuts a stream of octets into PDUs.
///
/// `command_length` is held against the bounds as soon as it is there, so that a peer cannot make us wait for, or keep,
/// more than one PDU of the largest size.
public struct Framer: Sendable {
    /// Room for the largest message_payload (65,535 octets) and all the rest of a submit_sm.
    public static let defaultMaximumPDUOctets = 70_000

    private let maximumPDUOctets: UInt32
    private var buffer = ByteBuffer()
    private var isLost = false

    /// - Parameter maximumPDUOctets: the longest PDU taken, header included; at least 16.
    public init(maximumPDUOctets: Int = Framer.defaultMaximumPDUOctets) {
        self.maximumPDUOctets = UInt32(clamping: max(PDUHeader.octets, maximumPDUOctets))
    }

    /// Takes all of `incoming`. Call ``next()`` until it returns nil before the next `append`.
    public mutating func append(_ incoming: inout ByteBuffer) {
        if self.buffer.readableBytes == 0 {
            self.buffer = incoming
            incoming.moveReaderIndex(to: incoming.writerIndex)
        } else {
            self.buffer.discardReadBytes()
            self.buffer.writeBuffer(&incoming)
        }
    }

    /// Octets that wait for the rest of their PDU.
    public var pendingOctets: Int { self.buffer.readableBytes }

    /// Decodes one whole PDU that stands alone, such as a stored one; nil when the octets are not exactly one.
    public static func decode(_ bytes: ByteBuffer) -> Framed? {
        var framer = Framer(maximumPDUOctets: bytes.readableBytes)
        var bytes = bytes
        framer.append(&bytes)
        guard let framed = framer.next() else { return nil }
        return framer.pendingOctets == 0 ? framed : nil
    }

    /// The next PDU, or nil when more octets are needed. After ``Framed/framingLost(commandLength:sequenceNumber:)`` always nil.
    public mutating func next() -> Framed? {
        if self.isLost { return nil }
        let limit = self.maximumPDUOctets
        var consumed = 0
        let framed: Framed? = self.buffer.withUnsafeReadableBytes { bytes in
            guard bytes.count >= 4 else { return nil }
            let length = UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))
            let header = PDUHeader(bytes)
            guard length >= UInt32(PDUHeader.octets), length <= limit else {
                return .framingLost(commandLength: length, sequenceNumber: header?.sequenceNumber ?? 0)
            }
            guard let header, bytes.count >= Int(length) else { return nil }
            consumed = Int(length)
            return Self.decode(header, UnsafeRawBufferPointer(rebasing: bytes[PDUHeader.octets..<consumed]))
        }
        if case .framingLost = framed {
            self.isLost = true
            self.buffer = ByteBuffer()
        } else {
            self.buffer.moveReaderIndex(forwardBy: consumed)
            if self.buffer.readableBytes == 0 { self.buffer = ByteBuffer() }  // let go of the read buffer for its next use
        }
        return framed
    }

    private static func decode(_ header: PDUHeader, _ body: UnsafeRawBufferPointer) -> Framed {
        do throws(PDUError) {
            guard let pdu = try PDU(decoding: header, body: body) else {
                return .unknownCommand(header.commandID, sequenceNumber: header.sequenceNumber)
            }
            return .pdu(pdu)
        } catch {
            return header.commandID.isResponse
                ? .malformedResponse(header.commandID, sequenceNumber: header.sequenceNumber, error)
                : .malformedRequest(header.commandID, sequenceNumber: header.sequenceNumber, error)
        }
    }
}
