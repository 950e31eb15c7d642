public import Bus
import Foundation
public import Message

/// The delay topics, `sms.delay.<tier>`. A tier holds every record equally long, so the head of a partition is the next to leave.
///
/// Source: docs/architecture.md, "Waiting".
public enum DelayTier: String, CaseIterable, Sendable {
    case second = "1s"
    case tenSeconds = "10s"
    case minute = "1m"
    case tenMinutes = "10m"
    case hour = "1h"

    public var topic: String { "sms.delay.\(rawValue)" }

    /// How long a record stays.
    public var milliseconds: Int64 {
        switch self {
        case .second: 1_000
        case .tenSeconds: 10_000
        case .minute: 60_000
        case .tenMinutes: 600_000
        case .hour: 3_600_000
        }
    }

    /// The longest tier that is not longer than what remains. What is due in less than a second uses the shortest: it leaves when it
    /// is due, or with those before it, which are at most a second behind.
    public static func holding(forRemaining milliseconds: Int64) -> DelayTier {
        allCases.last { $0.milliseconds <= milliseconds } ?? .second
    }

    /// Puts a record off until `due` (milliseconds since 1970).
    /// - Returns: what to write to the tier; or `record` itself where it is due at `now`.
    public static func delaying(_ record: OutgoingRecord, until due: Int64, now: Int64, reason: String) -> OutgoingRecord {
        var delayed = Delayed()
        delayed.dueAt = due
        delayed.topic = record.topic
        delayed.key = Data(record.key)
        delayed.value = Data(record.value)
        delayed.reason = reason
        return next(for: delayed, now: now)
    }

    /// Where a record goes that has left its tier, or comes to its first.
    public static func next(for delayed: Delayed, now: Int64) -> OutgoingRecord {
        let remaining = delayed.dueAt.subtractingReportingOverflow(now)
        guard delayed.dueAt > now, !remaining.overflow else {
            return OutgoingRecord(topic: delayed.topic, key: Array(delayed.key), value: Array(delayed.value))
        }
        let tier = holding(forRemaining: remaining.partialValue)
        var waiting = delayed
        waiting.leavesAt = min(delayed.dueAt, now + tier.milliseconds)
        return OutgoingRecord(topic: tier.topic, key: Array(delayed.key), value: ServiceKit.encode(waiting))
    }
}
