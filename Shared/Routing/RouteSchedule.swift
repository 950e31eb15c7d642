import Foundation

/// When a route counts: windows of weekdays and times of day, in a time zone.
///
/// Written `Mo-Fr 08:00-18:00; Sa 10:00-14:00 Europe/Stockholm`: windows separated by semicolons, the zone last (without one: UTC).
/// Days are `Mo` `Tu` `We` `Th` `Fr` `Sa` `Su`, lists and ranges of them; without days, every day. A window ends before its second time;
/// one that ends earlier than it begins goes on into the next day. `24:00` is the end of a day.
public struct RouteSchedule: Sendable, Hashable, CustomStringConvertible {
    struct Window: Sendable, Hashable {
        /// Bit 0 is Monday.
        var days: UInt8
        /// Minutes since midnight; 0 to 1,440.
        var from: Int
        var until: Int
    }

    static let maxWindows = 16
    private static let dayNames = ["mo", "tu", "we", "th", "fr", "sa", "su"]

    let windows: [Window]
    let zone: TimeZone
    public let description: String

    /// Why a text is no schedule.
    public struct Fault: Error, Sendable, Equatable, CustomStringConvertible {
        public let description: String
    }

    public init(_ text: String) throws(Fault) {
        var windows: [Window] = []
        var zone = TimeZone.gmt
        let parts = text.split(separator: ";")
        guard !parts.isEmpty, parts.count <= Self.maxWindows else {
            throw Fault(description: "write a time as Mo-Fr 08:00-18:00 Europe/Stockholm")
        }
        for (index, part) in parts.enumerated() {
            var words = part.split(separator: " ")
            if index == parts.count - 1, words.count > 1, let last = words.last, Self.range(last) == nil {
                guard let named = TimeZone(identifier: String(last)) else {
                    throw Fault(
                        description: last.contains(where: \.isNumber)
                            ? "write a time as Mo-Fr 08:00-18:00 Europe/Stockholm, not \(text)" : "unknown time zone \(last)")
                }
                zone = named
                words.removeLast()
            }
            var days: UInt8 = 0x7F
            var times: (from: Int, until: Int) = (0, 1_440)
            guard (1...2).contains(words.count) else { throw Fault(description: "a window is days and times: Mo-Fr 08:00-18:00") }
            if let range = Self.range(words[words.count - 1]) {
                times = range
                words.removeLast()
            }
            if let word = words.first { days = try Self.days(word) }
            guard words.count <= 1 else { throw Fault(description: "\(words[1]) is no time of day: write 08:00-18:00") }
            windows.append(Window(days: days, from: times.from, until: times.until))
        }
        self.windows = windows
        self.zone = zone
        description = text
    }

    private static func days(_ text: Substring) throws(Fault) -> UInt8 {
        var days: UInt8 = 0
        for item in text.lowercased().split(separator: ",") {
            let names = item.split(separator: "-", omittingEmptySubsequences: false)
            let ends = names.compactMap { dayNames.firstIndex(of: String($0)) }
            guard let first = ends.first, let last = ends.last, ends.count == names.count, ends.count <= 2 else {
                throw Fault(description: "\(item) is no weekday: write Mo Tu We Th Fr Sa Su")
            }
            var day = first
            while true {
                days |= 1 << UInt8(day)
                if day == last { break }
                day = (day + 1) % 7
            }
        }
        guard days != 0 else { throw Fault(description: "\(text) names no weekday") }
        return days
    }

    private static func range(_ text: Substring) -> (from: Int, until: Int)? {
        let ends = text.split(separator: "-").compactMap { minute($0) }
        guard ends.count == 2, text.split(separator: "-", omittingEmptySubsequences: false).count == 2, ends[0] < 1_440, ends[0] != ends[1]
        else { return nil }
        return (ends[0], ends[1])
    }

    private static func minute(_ text: Substring) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ (1...2).contains($0.utf8.count) && $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let hour = Int(parts[0]), let minute = Int(parts[1]), minute < 60, hour < 24 || (hour == 24 && minute == 0)
        else { return nil }
        return hour * 60 + minute
    }

    /// - Parameter now: milliseconds since 1970.
    public func contains(_ now: Int64) -> Bool {
        let seconds = now >= 0 ? now / 1_000 : (now - 999) / 1_000
        let offset = Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds))))
        let local = seconds + offset
        let day = local >= 0 ? local / 86_400 : (local - 86_399) / 86_400
        let minute = Int((local - day * 86_400) / 60)
        // The first of January 1970 was a Thursday.
        let weekday = Int(((day + 3) % 7 + 7) % 7)
        let today = UInt8(1) << UInt8(weekday)
        let yesterday = UInt8(1) << UInt8((weekday + 6) % 7)
        return windows.contains { window in
            if window.from < window.until { return window.days & today != 0 && window.from <= minute && minute < window.until }
            return (window.days & today != 0 && minute >= window.from) || (window.days & yesterday != 0 && minute < window.until)
        }
    }
}
