/// The specification's time formats (SMPP 3.4 §7.1.1): `YYMMDDhhmmsstnnp`, absolute with `p` of `+` or `-` and `nn`
/// quarter hours from UTC, relative with `000R` at the end. Instants are milliseconds since 1970.
public enum SMPPTime {
    /// The instant that `text` means, or nil when it is neither format. The empty string is no time: the caller decides.
    /// - Parameter now: what relative times count from, and which century the two digits of the year mean (the nearest).
    public static func parse(_ text: String, now: Int64) -> Int64? {
        let octets = Array(text.utf8)
        guard octets.count == 16 else { return nil }
        var fields: [Int] = []
        fields.reserveCapacity(7)
        for index in stride(from: 0, to: 12, by: 2) {
            guard let field = self.number(octets, index, 2) else { return nil }
            fields.append(field)
        }
        guard let tenths = self.number(octets, 12, 1), let quarters = self.number(octets, 13, 2) else { return nil }
        switch octets[15] {
        case UInt8(ascii: "R"):
            return self.relative(fields, now: now)
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            guard quarters <= 48, fields[3] < 24, fields[4] < 60, fields[5] < 61 else { return nil }
            guard let days = self.days(twoDigitYear: fields[0], month: fields[1], day: fields[2], now: now) else { return nil }
            let seconds = days * 86_400 + Int64(fields[3] * 3_600 + fields[4] * 60 + fields[5])
            let offset = Int64(quarters) * 900 * (octets[15] == UInt8(ascii: "+") ? 1 : -1)
            return (seconds - offset) * 1_000 + Int64(tenths) * 100
        default:
            return nil
        }
    }

    /// The absolute form, in UTC.
    public static func absolute(_ instant: Int64) -> String {
        let civil = Civil(milliseconds: instant)
        let tenths = Int(floorMod(instant, 1_000) / 100)
        return two(civil.year % 100) + two(civil.month) + two(civil.day) + two(civil.hour) + two(civil.minute) + two(civil.second)
            + String(tenths) + "00+"
    }

    /// The relative form of a period, rounded down to seconds; years are not used, so that every reader agrees: at most
    /// 99 days go as days, longer ones are cut there. Negative periods are zero.
    public static func relative(milliseconds: Int64) -> String {
        let seconds = min(max(0, milliseconds / 1_000), 99 * 86_400)
        return "0000" + two(Int(seconds / 86_400)) + two(Int(seconds / 3_600 % 24)) + two(Int(seconds / 60 % 60))
            + two(Int(seconds % 60)) + "000R"
    }

    /// `YYMMDDhhmm` in UTC, as receipts have it (Appendix B).
    public static func receiptDate(_ instant: Int64) -> String {
        let civil = Civil(milliseconds: instant)
        return two(civil.year % 100) + two(civil.month) + two(civil.day) + two(civil.hour) + two(civil.minute)
    }

    /// The instant of a receipt's date: 10 or 12 digits with a year of two, 12 or 14 with one of four, in any of which
    /// other characters may stand between the digits. Read as UTC. Nil when it is none.
    public static func parseReceiptDate(_ text: String, now: Int64) -> Int64? {
        let digits = text.utf8.filter { (0x30...0x39).contains($0) }
        // 12 digits are either YYMMDDhhmmss or YYYYMMDDhhmm: the latter begins with this century.
        let hasLongYear = digits.count == 14 || (digits.count == 12 && digits.starts(with: "20".utf8))
        guard digits.count == 10 || digits.count == 12 || digits.count == 14 else { return nil }
        let at = hasLongYear ? 4 : 2
        guard let year = self.number(digits, 0, at), let month = self.number(digits, at, 2), let day = self.number(digits, at + 2, 2),
            let hour = self.number(digits, at + 4, 2), let minute = self.number(digits, at + 6, 2), hour < 24, minute < 60
        else { return nil }
        let second = digits.count > at + 8 ? self.number(digits, at + 8, 2) ?? 0 : 0
        let days: Int64
        if hasLongYear {
            guard let exact = Civil.days(year: year, month: month, day: day) else { return nil }
            days = exact
        } else {
            guard let nearest = self.days(twoDigitYear: year, month: month, day: day, now: now) else { return nil }
            days = nearest
        }
        return (days * 86_400 + Int64(hour * 3_600 + minute * 60 + second)) * 1_000
    }

    // MARK: Inside

    private static func relative(_ fields: [Int], now: Int64) -> Int64 {
        // Years and months by the calendar; a day that the month lacks becomes its last.
        let civil = Civil(milliseconds: now)
        let months = civil.year * 12 + civil.month - 1 + fields[0] * 12 + fields[1]
        let (year, month) = (months / 12, months % 12 + 1)
        let day = min(civil.day, Civil.daysIn(month: month, year: year))
        let days = (Civil.days(year: year, month: month, day: day) ?? 0) + Int64(fields[2])
        let ofDay = floorMod(now, 86_400_000)
        return days * 86_400_000 + ofDay + Int64(fields[3] * 3_600 + fields[4] * 60 + fields[5]) * 1_000
    }

    private static func days(twoDigitYear: Int, month: Int, day: Int, now: Int64) -> Int64? {
        let current = Civil(milliseconds: now).year
        var year = current - current % 100 + twoDigitYear
        if year > current + 50 { year -= 100 } else if year <= current - 50 { year += 100 }
        return Civil.days(year: year, month: month, day: day)
    }

    private static func number(_ octets: [UInt8], _ start: Int, _ count: Int) -> Int? {
        var value = 0
        for octet in octets[start..<start + count] {
            guard (0x30...0x39).contains(octet) else { return nil }
            value = value * 10 + Int(octet - 0x30)
        }
        return value
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}

private func floorMod(_ value: Int64, _ modulus: Int64) -> Int64 {
    let rest = value % modulus
    return rest < 0 ? rest + modulus : rest
}

/// A date and time of the Gregorian calendar in UTC.
private struct Civil {
    var year: Int
    var month: Int
    var day: Int
    var hour: Int
    var minute: Int
    var second: Int

    init(milliseconds instant: Int64) {
        // The years 0 to 9999: what lies outside names no date, and must not overflow.
        let milliseconds = min(max(instant, -62_167_219_200_000), 253_402_300_799_999)
        let dayMilliseconds = floorMod(milliseconds, 86_400_000)
        // Days since 0000-03-01, so that the leap day ends its year.
        let days = max((milliseconds - dayMilliseconds) / 86_400_000, -719_468) + 719_468
        let era = days / 146_097
        let ofEra = days - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * ofYear + 2) / 153
        self.day = Int(ofYear - (153 * shifted + 2) / 5) + 1
        self.month = Int(shifted < 10 ? shifted + 3 : shifted - 9)
        self.year = Int(yearOfEra + era * 400) + (self.month <= 2 ? 1 : 0)
        self.hour = Int(dayMilliseconds / 3_600_000)
        self.minute = Int(dayMilliseconds / 60_000 % 60)
        self.second = Int(dayMilliseconds / 1_000 % 60)
    }

    static func daysIn(month: Int, year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01; nil when there is no such day.
    static func days(year: Int, month: Int, day: Int) -> Int64? {
        guard (1...12).contains(month), day >= 1, day <= self.daysIn(month: month, year: year) else { return nil }
        let shiftedYear = Int64(month <= 2 ? year - 1 : year)
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let ofYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + ofYear - 719_468
    }
}
