import ServiceKit
import Synchronization

/// The allowed rate of one account, or of one connector, on this instance: its sessions live on several event loops and share it.
package final class RateGate: Sendable {
    private struct State {
        var limit: Int
        /// This instance's part of the limit: its part of the sessions.
        var share = 1.0
        var bucket: TokenBucket
        /// When a message came last, whether it was let through or not.
        var askedAt: Int64
    }

    private let state: Mutex<State>

    /// - Parameter limit: messages a second, over all instances.
    package init(limit: Int) {
        let now = monotonicMilliseconds()
        state = Mutex(State(limit: limit, bucket: TokenBucket(perSecond: Double(limit), now: now), askedAt: now))
    }

    package func take(_ count: Int, now: Int64) -> Bool {
        state.withLock { state in
            state.askedAt = now
            return state.bucket.take(count, now: now)
        }
    }
    package func giveBack(_ count: Int) { state.withLock { $0.bucket.giveBack(count) } }
    package func wait(now: Int64) -> Int64 { state.withLock { $0.bucket.wait(now: now) } }

    /// Milliseconds since the last message, or since the gate came into being.
    package func idle(now: Int64) -> Int64 { now - state.withLock { $0.askedAt } }

    package func set(limit: Int? = nil, share: Double? = nil) {
        let now = monotonicMilliseconds()
        state.withLock { state in
            let wanted = (limit ?? state.limit, share ?? state.share)
            guard wanted != (state.limit, state.share) else { return }
            (state.limit, state.share) = wanted
            state.bucket.setRate(max(0.01, Double(state.limit) * state.share), now: now)
        }
    }
}

/// The gates that a message passes: its account's and its connector's, where they have one.
package struct RateGates {
    package var account: RateGate?
    package var connector: RateGate?

    package init(account: RateGate? = nil, connector: RateGate? = nil) {
        self.account = account
        self.connector = connector
    }

    package var areOpen: Bool { account == nil && connector == nil }

    /// All or nothing.
    package func take(_ count: Int, now: Int64) -> Bool {
        if let account, !account.take(count, now: now) { return false }
        if let connector, !connector.take(count, now: now) {
            account?.giveBack(count)
            return false
        }
        return true
    }

    /// Milliseconds until it is worth another try.
    package func wait(now: Int64) -> Int64 { max(account?.wait(now: now) ?? 0, connector?.wait(now: now) ?? 0) }
}
