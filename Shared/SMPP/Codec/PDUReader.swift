/// A cursor over the body of one PDU. Every read checks the bounds first; it never escapes the call that made it.
struct PDUReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    /// Responses are read with more patience: nobody could answer a complaint about them.
    let isResponse: Bool

    init(body: UnsafeRawBufferPointer, isResponse: Bool) {
        self.bytes = body
        self.isResponse = isResponse
    }

    var remaining: Int { self.bytes.count - self.position }
    /// Octets from the start of the PDU.
    var offset: Int { PDUHeader.octets + self.position }

    func error(_ field: String, _ problem: PDUError.Problem, _ status: CommandStatus) -> PDUError {
        PDUError(field: field, offset: self.offset, problem: problem, status: status)
    }

    @inline(__always)
    mutating func octet(_ field: String, onError: CommandStatus = .invalidCommandLength) throws(PDUError) -> UInt8 {
        guard self.position < self.bytes.count else { throw self.error(field, .truncated, onError) }
        defer { self.position += 1 }
        return self.bytes[self.position]
    }

    mutating func integer(_ field: String, as: UInt16.Type, onError: CommandStatus) throws(PDUError) -> UInt16 {
        guard self.remaining >= 2 else { throw self.error(field, .truncated, onError) }
        defer { self.position += 2 }
        return UInt16(bigEndian: self.bytes.loadUnaligned(fromByteOffset: self.position, as: UInt16.self))
    }

    mutating func integer(_ field: String, as: UInt32.Type, onError: CommandStatus) throws(PDUError) -> UInt32 {
        guard self.remaining >= 4 else { throw self.error(field, .truncated, onError) }
        defer { self.position += 4 }
        return UInt32(bigEndian: self.bytes.loadUnaligned(fromByteOffset: self.position, as: UInt32.self))
    }

    mutating func octets(_ count: Int, _ field: String, onError: CommandStatus) throws(PDUError) -> [UInt8] {
        guard count <= self.remaining else { throw self.error(field, .truncated, onError) }
        guard count > 0 else { return [] }
        defer { self.position += count }
        return [UInt8](UnsafeRawBufferPointer(rebasing: self.bytes[self.position..<self.position + count]))
    }

    @inline(__always)
    mutating func cOctets(_ field: COctetField) throws(PDUError) -> String {
        let start = self.position
        let end = min(self.bytes.count, start + field.maxOctets)
        var seen: UInt8 = 0
        var index = start
        while index < end {
            let octet = self.bytes[index]
            if octet == 0 {
                self.position = index + 1
                return self.text(start..<index, isASCII: seen < 0x80)
            }
            seen |= octet
            index += 1
        }
        if end - start == field.maxOctets { throw self.error(field.name, .tooLong, field.onError) }
        // Some SMSCs leave out the NUL of the last field of a response.
        guard self.isResponse else { throw self.error(field.name, .truncated, field.onError) }
        self.position = end
        return self.text(start..<end, isASCII: seen < 0x80)
    }

    /// Octets from the start of the body; exact below 65,536.
    var place: UInt16 { UInt16(truncatingIfNeeded: self.position) }
    var wholeBody: [UInt8] { [UInt8](self.bytes) }

    /// Checks a C-octet string of a request and goes on behind its NUL.
    @inline(__always)
    mutating func skipCOctets(_ field: COctetField) throws(PDUError) {
        let end = min(self.bytes.count, self.position + field.maxOctets)
        var index = self.position
        // Eight at a time: a borrow shows where an octet is zero, the lowest first (the load is little-endian).
        while end - index >= 8 {
            let word = UInt64(littleEndian: self.bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let zeros = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
            if zeros != 0 {
                self.position = index + zeros.trailingZeroBitCount / 8 + 1
                return
            }
            index += 8
        }
        while index < end {
            if self.bytes[index] == 0 {
                self.position = index + 1
                return
            }
            index += 1
        }
        throw self.error(field.name, end - self.position == field.maxOctets ? .tooLong : .truncated, field.onError)
    }

    @inline(__always)
    mutating func skip(_ count: Int, _ field: StaticString, onError: CommandStatus) throws(PDUError) {
        guard count <= self.remaining else { throw self.error("\(field)", .truncated, onError) }
        self.position += count
    }

    /// Fields of one octet each.
    @inline(__always)
    mutating func skipOctets(_ count: Int, _ name: (Int) -> StaticString) throws(PDUError) {
        let remaining = self.remaining
        guard count <= remaining else {
            self.position = self.bytes.count
            throw self.error("\(name(remaining))", .truncated, .invalidCommandLength)
        }
        self.position += count
    }

    /// Checks optional parameters of a request to the end of the body.
    mutating func skipTLVs() throws(PDUError) {
        while self.remaining > 0 {
            guard self.remaining >= 4 else { throw self.error("tlv", .excessOctets, .invalidTLVStream) }
            let length = Int(self.bytes[self.position + 2]) << 8 | Int(self.bytes[self.position + 3])
            guard length + 4 <= self.remaining else { throw self.error("tlv", .truncated, .invalidTLVStream) }
            self.position += 4 + length
        }
    }

    /// An address: TON, NPI and text.
    mutating func address(_ field: COctetField) throws(PDUError) -> SMEAddress {
        let ton = try self.octet(field.name, onError: field.onError)
        let npi = try self.octet(field.name, onError: field.onError)
        return SMEAddress(ton: .init(rawValue: ton), npi: .init(rawValue: npi), value: try self.cOctets(field))
    }

    /// `sm_length` and `short_message`.
    mutating func shortMessage() throws(PDUError) -> [UInt8] {
        let length = try self.octet("sm_length", onError: .invalidMessageLength)
        return try self.octets(Int(length), "short_message", onError: .invalidMessageLength)
    }

    /// All that is left, as optional parameters in their order.
    mutating func tlvs() throws(PDUError) -> TLVs {
        var list = TLVs()
        while self.remaining > 0 {
            guard self.remaining >= 4 else {
                if self.isResponse { break }
                throw self.error("tlv", .excessOctets, .invalidTLVStream)
            }
            let tag = try self.integer("tlv", as: UInt16.self, onError: .invalidTLVStream)
            let length = Int(try self.integer("tlv", as: UInt16.self, onError: .invalidTLVStream))
            guard length <= self.remaining else {
                if self.isResponse { break }
                self.position -= 4
                throw self.error("tlv", .truncated, .invalidTLVStream)
            }
            list.append(TLV(tag: TLVTag(rawValue: tag), value: try self.octets(length, "tlv", onError: .invalidTLVStream)))
        }
        return list
    }

    func expectEnd() throws(PDUError) {
        // Padding after a response does no harm, and refusing it would cost an answer that we wait for.
        guard self.remaining == 0 || self.isResponse else { throw self.error("body", .excessOctets, .invalidCommandLength) }
    }

    @inline(__always)
    private func text(_ range: Range<Int>, isASCII: Bool) -> String {
        if range.isEmpty { return "" }
        let part = UnsafeRawBufferPointer(rebasing: self.bytes[range])
        if isASCII { return String(decoding: part, as: UTF8.self) }
        return latin1Text(part)
    }
}

/// Each octet as the scalar of the same number.
func latin1Text(_ octets: some Sequence<UInt8>) -> String {
    var scalars = String.UnicodeScalarView()
    for octet in octets { scalars.append(Unicode.Scalar(octet)) }
    return String(scalars)
}

/// The same, fast where all are ASCII.
func latin1Text(ascii octets: UnsafeRawBufferPointer) -> String {
    var seen: UInt8 = 0
    for octet in octets { seen |= octet }
    return seen < 0x80 ? String(decoding: octets, as: UTF8.self) : latin1Text(octets)
}
