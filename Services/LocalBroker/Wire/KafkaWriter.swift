import NIOCore

/// Writes the primitive types of the Kafka protocol. Starts with room for the frame length, which `finish` fills in.
struct KafkaWriter {
    private(set) var buffer: ByteBuffer
    let flexible: Bool

    /// - Parameter headerFlexible: whether the response header is version 1 (with tagged fields). ApiVersions keeps
    ///   header version 0 for ever, so that a client that knows less can still read it (KIP-511).
    init(correlationID: Int32, flexible: Bool, headerFlexible: Bool? = nil, capacity: Int = 256) {
        self.buffer = ByteBuffer()
        self.buffer.reserveCapacity(capacity)
        self.flexible = flexible
        buffer.writeInteger(Int32(0))
        buffer.writeInteger(correlationID)
        if headerFlexible ?? flexible { buffer.writeInteger(UInt8(0)) }
    }

    /// The whole frame, its length in front.
    consuming func finish() -> ByteBuffer {
        buffer.setInteger(Int32(buffer.readableBytes - 4), at: buffer.readerIndex)
        return buffer
    }

    mutating func int8(_ value: Int8) { buffer.writeInteger(value) }
    mutating func int16(_ value: Int16) { buffer.writeInteger(value) }
    mutating func int32(_ value: Int32) { buffer.writeInteger(value) }
    mutating func int64(_ value: Int64) { buffer.writeInteger(value) }
    mutating func bool(_ value: Bool) { buffer.writeInteger(UInt8(value ? 1 : 0)) }
    mutating func error(_ code: KafkaError) { buffer.writeInteger(code.rawValue) }

    mutating func unsignedVarint(_ value: Int) {
        var rest = UInt64(max(0, value))
        while rest >= 0x80 {
            buffer.writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        buffer.writeInteger(UInt8(rest))
    }

    mutating func nullableString(_ value: String?) {
        guard let value else {
            if flexible { unsignedVarint(0) } else { int16(-1) }
            return
        }
        let count = value.utf8.count
        if flexible { unsignedVarint(count + 1) } else { int16(Int16(clamping: count)) }
        if flexible || count <= Int(Int16.max) {
            buffer.writeString(value)
        } else {
            buffer.writeBytes(value.utf8.prefix(Int(Int16.max)))
        }
    }

    mutating func string(_ value: String) { nullableString(value) }

    mutating func bytes(_ value: [UInt8]) {
        if flexible { unsignedVarint(value.count + 1) } else { int32(Int32(clamping: value.count)) }
        buffer.writeBytes(value)
    }

    mutating func arrayCount(_ count: Int) {
        if flexible { unsignedVarint(count + 1) } else { int32(Int32(clamping: count)) }
    }

    mutating func nullArray() {
        if flexible { unsignedVarint(0) } else { int32(-1) }
    }

    mutating func array<C: Collection>(_ values: C, _ element: (inout KafkaWriter, C.Element) -> Void) {
        arrayCount(values.count)
        for value in values { element(&self, value) }
    }

    /// No tagged fields.
    mutating func tags() {
        if flexible { buffer.writeInteger(UInt8(0)) }
    }

    /// Record data whose length is known before it is read: the caller appends exactly `length` octets with `append`.
    mutating func recordsLength(_ length: Int) {
        if flexible { unsignedVarint(length + 1) } else { int32(Int32(clamping: length)) }
    }

    mutating func append(_ bytes: inout ByteBuffer) { buffer.writeBuffer(&bytes) }
}
