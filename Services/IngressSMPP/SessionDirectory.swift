import Synchronization

/// The sessions of one incoming connector on this instance: who is bound, and how many may be.
final class SessionDirectory: Sendable {
    enum Admission: Equatable {
        case admitted
        /// INSTANCES of the connector are bound.
        case connectorFull
        /// `maxsessions` of the account are bound.
        case accountFull
    }

    private struct State {
        var total = 0
        var byAccount: [String: Int] = [:]
    }

    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: INSTANCES.
    ///   - accountLimit: `maxsessions`; 0 = no limit.
    func admit(_ account: String, limit: Int, accountLimit: Int) -> Admission {
        state.withLock { state in
            guard state.total < limit else { return .connectorFull }
            guard accountLimit <= 0 || state.byAccount[account, default: 0] < accountLimit else { return .accountFull }
            state.total += 1
            state.byAccount[account, default: 0] += 1
            return .admitted
        }
    }

    func leave(_ account: String) {
        state.withLock { state in
            state.total -= 1
            let left = state.byAccount[account, default: 1] - 1
            state.byAccount[account] = left > 0 ? left : nil
        }
    }

    var count: Int { state.withLock { $0.total } }
}
