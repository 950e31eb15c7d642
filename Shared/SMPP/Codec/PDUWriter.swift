/// Writes one PDU into room that was reserved for it. The room is the PDU's own `octetBound`; a write beyond it is refused.
struct PDUWriter {
    private let room: UnsafeMutableRawBufferPointer
    private(set) var position: Int

    init(room: UnsafeMutableRawBufferPointer) {
        self.room = room
        self.position = PDUHeader.octets  // written last, when the length is known
    }

    @inline(__always)
    mutating func octet(_ value: UInt8) {
        guard self.position < self.room.count else { return self.overflow() }
        self.room[self.position] = value
        self.position += 1
    }

    @inline(__always)
    mutating func integer(_ value: UInt16) {
        guard self.room.count - self.position >= 2 else { return self.overflow() }
        self.room.storeBytes(of: value.bigEndian, toByteOffset: self.position, as: UInt16.self)
        self.position += 2
    }

    @inline(__always)
    mutating func integer(_ value: UInt32) {
        guard self.room.count - self.position >= 4 else { return self.overflow() }
        self.room.storeBytes(of: value.bigEndian, toByteOffset: self.position, as: UInt32.self)
        self.position += 4
    }

    @inline(__always)
    mutating func octets(_ value: [UInt8]) {
        guard self.room.count - self.position >= value.count else { return self.overflow() }
        guard !value.isEmpty else { return }
        value.withUnsafeBytes { bytes in
            UnsafeMutableRawBufferPointer(rebasing: self.room[self.position..<self.position + bytes.count]).copyMemory(from: bytes)
        }
        self.position += value.count
    }

    @inline(__always)
    mutating func cOctets(_ value: String, _ field: COctetField) throws(PDUError) {
        if value.isEmpty { return self.octet(0) }
        var value = value
        let start = self.position
        let room = self.room
        // The fast way: ASCII without NUL. -1 says that it was something else.
        let written: Int = value.withUTF8 { utf8 in
            guard utf8.count < field.maxOctets, room.count - start > utf8.count else { return -1 }
            var index = 0
            while index < utf8.count {
                let octet = utf8[index]
                if octet == 0 || octet >= 0x80 { return -1 }
                room[start + index] = octet
                index += 1
            }
            return index
        }
        if written >= 0 {
            self.position = start + written
        } else {
            try self.latin1(value, field)
        }
        self.octet(0)
    }

    private mutating func latin1(_ value: String, _ field: COctetField) throws(PDUError) {
        let start = self.position
        for scalar in value.unicodeScalars {
            guard scalar.value > 0, scalar.value < 0x100 else {
                throw PDUError(field: field.name, offset: start, problem: .invalidValue, status: field.onError)
            }
            guard self.position - start < field.maxOctets - 1 else {
                throw PDUError(field: field.name, offset: start, problem: .tooLong, status: field.onError)
            }
            self.octet(UInt8(truncatingIfNeeded: scalar.value))
        }
    }

    mutating func address(_ value: SMEAddress, _ field: COctetField) throws(PDUError) {
        self.octet(value.ton.rawValue)
        self.octet(value.npi.rawValue)
        try self.cOctets(value.value, field)
    }

    mutating func shortMessage(_ value: [UInt8]) throws(PDUError) {
        // 254 by 3.4 §4.4.1, 255 by 5.0 §4.7.25.
        guard value.count <= 255 else {
            throw PDUError(field: "short_message", offset: self.position, problem: .tooLong, status: .invalidMessageLength)
        }
        self.octet(UInt8(truncatingIfNeeded: value.count))
        self.octets(value)
    }

    mutating func tlvs(_ list: TLVs) throws(PDUError) {
        for tlv in list {
            guard let length = UInt16(exactly: tlv.value.count) else {
                throw PDUError(field: "tlv", offset: self.position, problem: .tooLong, status: .invalidTLVLength)
            }
            self.integer(tlv.tag.rawValue)
            self.integer(length)
            self.octets(tlv.value)
        }
    }

    /// Whether the room ran out: then nothing that was written counts.
    private(set) var hasOverflowed = false
    private mutating func overflow() { self.hasOverflowed = true }

    /// Fills in the header and returns the length of the PDU.
    mutating func finish(_ commandID: CommandID, _ status: CommandStatus, _ sequenceNumber: UInt32) -> Int {
        let length = self.position
        self.position = 0
        self.integer(UInt32(truncatingIfNeeded: length))
        self.integer(commandID.rawValue)
        self.integer(status.rawValue)
        self.integer(sequenceNumber)
        return length
    }
}
