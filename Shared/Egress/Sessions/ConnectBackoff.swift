public import Configuration

/// How long to wait before the next attempt to connect, and to which address. Pure.
public struct ConnectBackoff {
    private static let firstMilliseconds: Int64 = 200
    /// With the quarter on top: whoever can be reached again is found within 10 seconds.
    private static let longestMilliseconds: Int64 = 7_000
    /// Where somebody is there and does not let us in, asking often makes it worse.
    private static let longestRefusedMilliseconds: Int64 = 30_000
    private static let longestStatedMilliseconds: Int64 = 300_000

    /// How an attempt, or what came of it, ended.
    public enum Ending: Sendable {
        /// The session had come about; its end is no failure to connect.
        case lost
        /// Somebody was there and did not let us in.
        case refused
        /// Nobody was there, or nobody said anything.
        case unreachable
    }

    private let first: Int64
    private let longest: Int64
    private let longestRefused: Int64
    private let maxFailures: Int?
    private let sleep: Int64
    private var wait: Int64
    private var failures = 0
    private var address = 0

    public init(_ options: OutgoingOptions) {
        let stated = options.waitBeforeConnectSeconds.map { Int64($0) * 1_000 }
        first = max(stated ?? 0, ConnectBackoff.firstMilliseconds)
        longest = max(first, stated == nil ? ConnectBackoff.longestMilliseconds : ConnectBackoff.longestStatedMilliseconds)
        longestRefused = max(first, stated == nil ? ConnectBackoff.longestRefusedMilliseconds : ConnectBackoff.longestStatedMilliseconds)
        maxFailures = options.maxFailedConnects
        sleep = Int64(options.maxFailedSleepSeconds) * 1_000
        wait = first
    }

    /// Which of `count` addresses is tried now.
    public func address(of count: Int) -> Int { count > 0 ? address % count : 0 }

    /// It was bound: the next attempt begins with the same address, after the shortest wait.
    public mutating func succeeded() {
        wait = first
        failures = 0
    }

    /// - Parameter chance: 0 to 1: up to a quarter more, so that many sessions do not come back at once.
    /// - Returns: milliseconds until the next attempt.
    public mutating func ended(_ ending: Ending, chance: Double) -> Int64 {
        if ending != .lost {
            failures += 1
            address += 1
            if let maxFailures, failures >= maxFailures {
                failures = 0
                wait = first
                return spread(sleep, chance)
            }
        }
        let limit = ending == .refused ? longestRefused : longest
        defer { wait = min(wait * 2, limit) }
        return spread(min(wait, limit), chance)
    }

    private func spread(_ milliseconds: Int64, _ chance: Double) -> Int64 {
        milliseconds + Int64(Double(milliseconds) / 4 * min(1, max(0, chance)))
    }
}
