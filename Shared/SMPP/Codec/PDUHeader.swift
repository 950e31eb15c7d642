/// The header of every PDU (SMPP 3.4 §3.2, §5.1), four 32-bit integers, most significant octet first:
///
///     command_length | command_id | command_status | sequence_number
public struct PDUHeader: Equatable, Sendable {
    public static let octets = 16

    /// Octets of the whole PDU, these sixteen included.
    public var commandLength: UInt32
    public var commandID: CommandID
    public var commandStatus: CommandStatus
    /// 1 to 0x7FFFFFFF by §5.1.4. Peers use all 32 bits, and zero: they are echoed as they came.
    public var sequenceNumber: UInt32

    /// Nil when fewer than sixteen octets are there.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.octets else { return nil }
        func word(_ index: Int) -> UInt32 { UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)) }
        self.commandLength = word(0)
        self.commandID = CommandID(rawValue: word(1))
        self.commandStatus = CommandStatus(rawValue: word(2))
        self.sequenceNumber = word(3)
    }
}
