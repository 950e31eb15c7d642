import Foundation

/// Makes message ids: unique over the whole gateway with no word between the instances, and rising with time.
///
/// Bits 22...62: milliseconds since 2020-01-01T00:00:00Z; bits 12...21: slot, one of 1,024, taken from a sequence in PostgreSQL at
/// each start of a process; bits 0...11: counter within the millisecond. A value; its owner decides on which thread it lives.
public struct MessageIDs: Sendable {
    /// 2020-01-01T00:00:00Z in milliseconds since 1970.
    public static let epoch: Int64 = 1_577_836_800_000
    public static let slots: Int64 = 1_024

    private let slot: Int64
    private var lastMillisecond: Int64 = 0
    private var counter: Int64 = 0

    /// - Parameter slot: 0...1023.
    public init(slot: Int64) { self.slot = slot & (MessageIDs.slots - 1) }

    /// - Parameter now: milliseconds since 1970. A clock that steps back does not repeat an id: the last millisecond goes on.
    public mutating func next(now: Int64) -> Int64 {
        let millisecond = max(now - MessageIDs.epoch, lastMillisecond)
        if millisecond == lastMillisecond {
            counter += 1
            if counter > 0xFFF {
                lastMillisecond += 1
                counter = 0
            }
        } else {
            lastMillisecond = millisecond
            counter = 0
        }
        return lastMillisecond << 22 | slot << 12 | counter
    }

    /// When an id was made, in milliseconds since 1970.
    public static func time(of msgid: Int64) -> Int64 { (msgid >> 22) + epoch }

    /// The lowest id that can be made at a moment, in milliseconds since 1970.
    public static func floor(at moment: Int64) -> Int64 { max(0, moment - epoch) << 22 }
}

/// Milliseconds since 1970, UTC.
public func wallClockMilliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
}

/// Milliseconds that only rise; for deadlines.
public func monotonicMilliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
}

/// A moment for people, in UTC: `2026-11-21T10:40:39Z`.
public func utcText(_ milliseconds: Int64) -> String {
    let date = Date(timeIntervalSince1970: Double(milliseconds / 1_000))
    return date.formatted(.iso8601)
}
