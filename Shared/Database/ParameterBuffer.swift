import Pricing

/// The parameters of one statement as libpq wants them: one contiguous buffer and pointers into it.
struct ParameterBuffer {
    private var storage: [UInt8] = []
    private var offsets: [Int] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []

    init(_ values: [SQLValue]) {
        offsets.reserveCapacity(values.count)
        lengths.reserveCapacity(values.count)
        formats.reserveCapacity(values.count)
        for value in values { append(value) }
    }

    /// A negative offset stands for NULL.
    private mutating func append(_ value: SQLValue) {
        let start = storage.count
        var format: Int32 = 0
        switch value {
        case .null:
            offsets.append(-1)
            lengths.append(0)
            formats.append(0)
            return
        case .int(let int): storage.appendDecimal(int)
        case .text(let text): storage.appendText(text)
        case .bool(let bool): storage.append(UInt8(ascii: bool ? "t" : "f"))
        case .bytes(let bytes):
            format = 1
            storage.append(contentsOf: bytes)
        case .numeric(let money): storage.appendMoney(money)
        case .intArray(let elements): storage.appendArray(elements) { $0.appendDecimal($1) }
        case .moneyArray(let elements): storage.appendArray(elements) { $0.appendMoney($1) }
        case .boolArray(let elements): storage.appendArray(elements) { $0.append(UInt8(ascii: $1 ? "t" : "f")) }
        case .textArray(let elements): storage.appendArray(elements) { $0.appendQuotedElement($1) }
        case .bytesArray(let elements):
            format = 1
            storage.appendBinaryArray(elements)
        }
        offsets.append(start)
        lengths.append(Int32(truncatingIfNeeded: storage.count - start))
        formats.append(format)
        storage.append(0)
    }

    /// Calls `body` with libpq's four arguments: count, values, lengths (used for binary values only), formats.
    func withArguments<R>(
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> R
    ) -> R {
        storage.withUnsafeBytes { bytes in
            let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            let pointers = offsets.map { offset in offset < 0 ? nil : base.map { $0 + offset } }
            return pointers.withUnsafeBufferPointer { values in
                lengths.withUnsafeBufferPointer { lengths in
                    formats.withUnsafeBufferPointer { formats in
                        body(Int32(values.count), values.baseAddress, lengths.baseAddress, formats.baseAddress)
                    }
                }
            }
        }
    }
}

extension [UInt8] {
    mutating func appendDecimal(_ value: Int64) {
        if value < 0 { append(UInt8(ascii: "-")) }
        appendDecimal(magnitude: value.magnitude, width: 1)
    }

    /// At least `width` digits, filled up with zeros.
    private mutating func appendDecimal(magnitude: UInt64, width: Int) {
        let start = count
        var rest = magnitude
        repeat {
            append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        while count - start < width { append(UInt8(ascii: "0")) }
        self[start...].reverse()
    }

    mutating func appendMoney(_ money: Money) {
        if money.micros < 0 { append(UInt8(ascii: "-")) }
        appendDecimal(magnitude: money.micros.magnitude / 1_000_000, width: 1)
        append(UInt8(ascii: "."))
        appendDecimal(magnitude: money.micros.magnitude % 1_000_000, width: 6)
    }

    mutating func appendText(_ text: String) {
        let start = count
        append(contentsOf: text.utf8)
        guard self[start...].contains(0) else { return }
        let raw = Array(self[start...])
        removeLast(raw.count)
        for byte in raw {
            if byte == 0 { append(contentsOf: "\u{FFFD}".utf8) } else { append(byte) }
        }
    }

    mutating func appendHex(_ bytes: [UInt8]) {
        for byte in bytes {
            append(hexDigit(byte >> 4))
            append(hexDigit(byte & 15))
        }
    }

    /// `{a,NULL,b}`, PostgreSQL 15, 8.15.2.
    fileprivate mutating func appendArray<Value>(_ elements: [Value?], _ write: (inout [UInt8], Value) -> Void) {
        append(UInt8(ascii: "{"))
        for (index, element) in elements.enumerated() {
            if index > 0 { append(UInt8(ascii: ",")) }
            if let element { write(&self, element) } else { append(contentsOf: "NULL".utf8) }
        }
        append(UInt8(ascii: "}"))
    }

    /// An array of bytea as the server itself writes it (array_send in PostgreSQL 15's src/backend/utils/adt/arrayfuncs.c): dimensions,
    /// whether there is a NULL, the elements' type, number and lower bound, then each with its length. In hex it would be twice as long,
    /// and both sides would spend more on the notation than on the bytes.
    fileprivate mutating func appendBinaryArray(_ elements: [[UInt8]?]) {
        let isEmpty = elements.isEmpty
        reserveCapacity(count + 24 + elements.reduce(0) { $0 + 4 + ($1?.count ?? 0) })
        appendBigEndian(isEmpty ? 0 : 1)
        appendBigEndian(elements.contains { $0 == nil } ? 1 : 0)
        appendBigEndian(17)  // bytea, pg_type.dat
        guard !isEmpty else { return }
        appendBigEndian(Int32(truncatingIfNeeded: elements.count))
        appendBigEndian(1)
        for element in elements {
            appendBigEndian(element.map { Int32(truncatingIfNeeded: $0.count) } ?? -1)
            if let element { append(contentsOf: element) }
        }
    }

    private mutating func appendBigEndian(_ value: Int32) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    fileprivate mutating func appendQuotedElement(_ text: String) {
        append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                append(UInt8(ascii: "\\"))
                append(byte)
            case 0: append(contentsOf: "\u{FFFD}".utf8)
            default: append(byte)
            }
        }
        append(UInt8(ascii: "\""))
    }
}

private func hexDigit(_ nibble: UInt8) -> UInt8 {
    nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
}
