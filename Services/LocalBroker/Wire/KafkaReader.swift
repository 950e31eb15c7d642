import NIOCore

/// Why a request cannot be understood. The peer's fault; the connection is closed, as Kafka does.
enum WireError: Error, Equatable {
    case truncated
    case negativeLength
    case badVarint
    case badUTF8
    case unsupported(apiKey: Int16, version: Int16)
}

/// Reads the primitive types of the Kafka protocol from one request. Every length is checked against what is left
/// before anything is allocated.
///
/// `flexible` selects the compact encodings and tagged fields of KIP-482.
/// Source: Kafka protocol guide, "Protocol Primitive Types".
struct KafkaReader {
    private(set) var buffer: ByteBuffer
    let flexible: Bool

    init(_ buffer: ByteBuffer, flexible: Bool) {
        self.buffer = buffer
        self.flexible = flexible
    }

    var remaining: Int { buffer.readableBytes }

    private mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws(WireError) -> T {
        guard let value = buffer.readInteger(endianness: .big, as: type) else { throw .truncated }
        return value
    }

    mutating func int8() throws(WireError) -> Int8 { try integer(Int8.self) }
    mutating func int16() throws(WireError) -> Int16 { try integer(Int16.self) }
    mutating func int32() throws(WireError) -> Int32 { try integer(Int32.self) }
    mutating func int64() throws(WireError) -> Int64 { try integer(Int64.self) }
    mutating func bool() throws(WireError) -> Bool { try integer(UInt8.self) != 0 }

    mutating func unsignedVarint() throws(WireError) -> Int {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 28, by: 7) {
            let octet = try integer(UInt8.self)
            value |= UInt64(octet & 0x7f) << shift
            if octet & 0x80 == 0 { return Int(value) }
        }
        throw .badVarint
    }

    /// The length of a string or byte field; nil for null.
    private mutating func fieldLength(wide: Bool) throws(WireError) -> Int? {
        let length: Int
        if flexible {
            length = try unsignedVarint() - 1
        } else {
            length = wide ? Int(try int32()) : Int(try int16())
        }
        if length == -1 { return nil }
        guard length >= 0 else { throw .negativeLength }
        guard length <= remaining else { throw .truncated }
        return length
    }

    mutating func nullableString() throws(WireError) -> String? {
        guard let length = try fieldLength(wide: false) else { return nil }
        return try text(length)
    }

    private mutating func text(_ length: Int) throws(WireError) -> String {
        guard let view = buffer.readSlice(length: length)?.readableBytesView else { throw .truncated }
        guard let text = String(validating: view, as: UTF8.self) else { throw .badUTF8 }
        return text
    }

    mutating func string() throws(WireError) -> String {
        guard let value = try nullableString() else { throw .negativeLength }
        return value
    }

    mutating func nullableBytes() throws(WireError) -> ByteBuffer? {
        guard let length = try fieldLength(wide: true) else { return nil }
        guard let slice = buffer.readSlice(length: length) else { throw .truncated }
        return slice
    }

    mutating func bytes() throws(WireError) -> [UInt8] {
        guard let slice = try nullableBytes() else { return [] }
        return Array(slice.readableBytesView)
    }

    /// Records are nullable bytes with a 32-bit length in every non-flexible version.
    mutating func records() throws(WireError) -> ByteBuffer? { try nullableBytes() }

    /// The element count of an array; nil for null. An element takes at least one octet, so a count above what is left is
    /// refused before any room is reserved for it.
    mutating func nullableArrayCount() throws(WireError) -> Int? {
        let count = flexible ? try unsignedVarint() - 1 : Int(try int32())
        if count == -1 { return nil }
        guard count >= 0 else { throw .negativeLength }
        guard count <= remaining else { throw .truncated }
        return count
    }

    mutating func array<T>(_ element: (inout KafkaReader) throws(WireError) -> T) throws(WireError) -> [T] {
        try nullableArray(element) ?? []
    }

    mutating func nullableArray<T>(_ element: (inout KafkaReader) throws(WireError) -> T) throws(WireError) -> [T]? {
        guard let count = try nullableArrayCount() else { return nil }
        var values: [T] = []
        values.reserveCapacity(min(count, 1024))
        for _ in 0..<count { values.append(try element(&self)) }
        return values
    }

    /// Skips the tagged fields that end a structure. Nothing here needs one: unknown tags are ignored by definition.
    mutating func tags() throws(WireError) {
        guard flexible else { return }
        let count = try unsignedVarint()
        guard count <= remaining else { throw .truncated }
        for _ in 0..<count {
            _ = try unsignedVarint()
            let size = try unsignedVarint()
            guard size <= remaining else { throw .truncated }
            buffer.moveReaderIndex(forwardBy: size)
        }
    }
}
