import Configuration
import Egress

/// Whether the provider can be reached, and when to try again where it cannot. Pure.
///
/// HTTP has no session whose end would tell: a request that finds no connection does. Then one request at a time tries, ever more
/// seldom; the first that is answered opens the window again.
struct Reach {
    private enum State {
        case untried, up, down
    }

    private var state = State.untried
    private var backoff: ConnectBackoff
    /// No request leaves before.
    private(set) var retryAt: Int64 = 0
    /// Why it cannot be reached.
    private(set) var trouble = ""

    init(_ options: OutgoingOptions) { backoff = ConnectBackoff(options) }

    var isUp: Bool { state == .up }
    var isDown: Bool { state == .down }

    /// How many requests may be under way.
    func room(window: Int, now: Int64) -> Int {
        switch state {
        case .up: window
        case .untried: 1
        case .down: now >= retryAt ? 1 : 0
        }
    }

    /// A request was answered, whatever the answer says.
    /// - Returns: whether that is news.
    mutating func answered() -> Bool {
        guard state != .up else { return false }
        state = .up
        retryAt = 0
        trouble = ""
        backoff.succeeded()
        return true
    }

    /// A request found no connection, or lost it. Those that were under way together count as one.
    /// - Parameter chance: 0 to 1.
    mutating func failed(_ why: String, now: Int64, chance: Double) {
        trouble = why
        guard state != .down || now >= retryAt else { return }
        state = .down
        retryAt = now + backoff.ended(.unreachable, chance: chance)
    }

    /// An operator wants it tried at once.
    mutating func hurry() {
        if state == .down { retryAt = 0 }
        backoff.succeeded()
    }
}
