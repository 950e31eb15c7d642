import ServiceKit
import Synchronization

/// LOGINSPERMIN: how many binds an address may try in a minute.
package final class LoginLimiter: Sendable {
    /// Addresses that are remembered; beyond it those whose minute is over are forgotten, or all.
    private static let capacity = 10_000

    private struct Minute {
        var began: Int64
        var count: Int
    }

    package init() {}

    private let minutes = Mutex<[String: Minute]>([:])

    /// Counts an attempt.
    /// - Parameter now: milliseconds of a clock that never goes back.
    /// - Returns: false where it is one too many.
    package func allows(_ address: String, limit: Int, now: Int64) -> Bool {
        minutes.withLock { minutes in
            if minutes.count >= LoginLimiter.capacity, minutes[address] == nil {
                minutes = minutes.filter { now - $0.value.began < 60_000 }
                if minutes.count >= LoginLimiter.capacity { minutes.removeAll(keepingCapacity: true) }
            }
            var minute = minutes[address] ?? Minute(began: now, count: 0)
            if now - minute.began >= 60_000 { minute = Minute(began: now, count: 0) }
            minute.count += 1
            minutes[address] = minute
            return minute.count <= limit
        }
    }

    /// Whether an address has none left; counts nothing.
    package func isSpent(_ address: String, limit: Int, now: Int64) -> Bool {
        minutes.withLock { minutes in
            guard let minute = minutes[address], now - minute.began < 60_000 else { return false }
            return minute.count >= limit
        }
    }
}
