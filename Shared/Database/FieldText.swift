/// PostgreSQL's text formats, read from the bytes of a field without an intermediate string.
/// Each function answers nil for bytes that are not of its type.
enum FieldText {
    static func integer(_ bytes: UnsafeBufferPointer<UInt8>) -> Int64? {
        guard let first = bytes.first else { return nil }
        let negative = first == UInt8(ascii: "-")
        guard bytes.count > (negative ? 1 : 0) else { return nil }
        var value: Int64 = 0
        for byte in bytes.dropFirst(negative ? 1 : 0) {
            guard let digit = digit(byte) else { return nil }
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, carried) = tens.subtractingReportingOverflow(digit)
            guard !overflow, !carried else { return nil }
            value = next
        }
        // Gathered as a negative number, whose range is one wider.
        if negative { return value }
        return value == .min ? nil : -value
    }

    static func bool(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool? {
        guard bytes.count == 1 else { return nil }
        switch bytes[0] {
        case UInt8(ascii: "t"): return true
        case UInt8(ascii: "f"): return false
        default: return nil
        }
    }

    /// `\x` and hexadecimal digits (8.4.1, bytea_output = hex, which every connection of ours sets).
    static func bytes(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard bytes.count >= 2, bytes.count % 2 == 0, bytes[0] == UInt8(ascii: "\\"), bytes[1] == UInt8(ascii: "x") else {
            return nil
        }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count / 2 - 1)
        for index in stride(from: 2, to: bytes.count, by: 2) {
            guard let high = nibble(bytes[index]), let low = nibble(bytes[index + 1]) else { return nil }
            result.append(high << 4 | low)
        }
        return result
    }

    /// `2026-01-02 03:04:05.678901+00`, with the fraction, the offset and the time itself optional
    /// (8.5.2, ISO style; every connection of ours runs in UTC). Years of four digits, no `BC`, no `infinity`.
    static func microseconds(_ bytes: UnsafeBufferPointer<UInt8>) -> Int64? {
        func number(_ start: Int, _ count: Int) -> Int64? {
            guard start + count <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[start..<(start + count)] {
                guard let digit = digit(byte) else { return nil }
                value = value * 10 + digit
            }
            return value
        }
        guard bytes.count >= 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), (1...12).contains(month)
        else { return nil }
        let dayStart = daysSince1970(year, month, day) * 86_400_000_000
        guard bytes.count > 10 else { return dayStart }
        guard bytes.count >= 19, bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2)
        else { return nil }
        var result = dayStart + ((hour * 60 + minute) * 60 + second) * 1_000_000
        var index = 19
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            var scale: Int64 = 100_000
            while index < bytes.count, let digit = digit(bytes[index]) {
                result += digit * scale
                scale /= 10
                index += 1
            }
        }
        guard index < bytes.count else { return result }
        let sign: Int64 = bytes[index] == UInt8(ascii: "-") ? 1 : -1
        guard let hours = number(index + 1, 2) else { return nil }
        var offset = hours * 60
        if bytes.count > index + 3 {
            guard bytes[index + 3] == UInt8(ascii: ":"), let minutes = number(index + 4, 2) else { return nil }
            offset += minutes
        }
        return result + sign * offset * 60_000_000
    }

    /// Days from 1970-01-01 in the proleptic Gregorian calendar: counted from a year that begins in March, so
    /// that the leap day is the last one.
    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func digit(_ byte: UInt8) -> Int64? {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") ? Int64(byte - UInt8(ascii: "0")) : nil
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
