/// What the simulated provider notes of one submit: which message it is, which part of it, and when it came.
///
/// A message is known by the digits of its destination, so that nothing has to be found in texts. On the disk 24 octets, integers in
/// little-endian order:
///
///     destination 8 | nanoseconds 8 | part 1 | parts 1 | taken 1 | zero 5
public struct ArrivalRecord: Equatable, Sendable {
    public static let octets = 24

    /// The destination address read as a decimal number; 0 where it is none.
    public var destination: UInt64
    /// On the clock that counts from the machine's start: the same for all its processes.
    public var nanoseconds: UInt64
    /// 1 to `parts`, by the concatenation header or the sar parameters; 1 of 1 where there are none.
    public var part: UInt8
    public var parts: UInt8
    /// Whether the provider answered with ESME_ROK.
    public var isTaken: Bool

    public init(destination: UInt64, nanoseconds: UInt64, part: UInt8 = 1, parts: UInt8 = 1, isTaken: Bool = true) {
        self.destination = destination
        self.nanoseconds = nanoseconds
        self.part = part
        self.parts = parts
        self.isTaken = isTaken
    }

    public func encode(into bytes: inout [UInt8]) {
        withUnsafeBytes(of: destination.littleEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: nanoseconds.littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(part)
        bytes.append(parts)
        bytes.append(isTaken ? 1 : 0)
        for _ in 0..<5 { bytes.append(0) }
    }

    /// - Returns: nil where `bytes` are not exactly one record.
    public init?(decoding bytes: UnsafeRawBufferPointer) {
        guard bytes.count == ArrivalRecord.octets else { return nil }
        destination = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        nanoseconds = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        part = bytes[16]
        parts = bytes[17]
        isTaken = bytes[18] == 1
    }

    /// Cuts whole records off the front of `bytes`; what is left of the last one stays.
    public static func take(from bytes: inout [UInt8], _ body: (ArrivalRecord) -> Void) {
        let count = bytes.count / octets
        guard count > 0 else { return }
        bytes.withUnsafeBytes { raw in
            for index in 0..<count {
                let record = UnsafeRawBufferPointer(rebasing: raw[index * octets..<(index + 1) * octets])
                if let record = ArrivalRecord(decoding: record) { body(record) }
            }
        }
        bytes.removeFirst(count * octets)
    }
}

/// A decimal number's value; 0 where the text is empty, too long or has anything but digits in it (a leading `+` is passed over).
public func decimalValue(_ digits: some Collection<UInt8>) -> UInt64 {
    var value: UInt64 = 0
    var count = 0
    for (place, octet) in digits.enumerated() {
        if place == 0, octet == UInt8(ascii: "+") { continue }
        guard (0x30...0x39).contains(octet), count < 19 else { return 0 }
        value = value * 10 + UInt64(octet - 0x30)
        count += 1
    }
    return value
}
