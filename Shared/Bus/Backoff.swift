import Foundation

/// Waits of 50 ms that double up to 2 s, on a thread of one's own.
struct Backoff {
    private static let first = 0.05
    private static let longest = 2.0
    private var next = Backoff.first

    var isRaised: Bool { next > Backoff.first }

    mutating func reset() { next = Backoff.first }

    /// Waits in small steps, so that a stop is seen within a tenth of a second.
    mutating func wait(unless stopped: () -> Bool) {
        var left = next
        while left > 0, !stopped() {
            Thread.sleep(forTimeInterval: min(left, 0.1))
            left -= 0.1
        }
        next = min(next * 2, Backoff.longest)
    }
}
