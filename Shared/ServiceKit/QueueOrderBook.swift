public import Store
import Synchronization

/// The orders that stand, or are being decided, in memory: what a process that sends what is queued looks at before it sends.
public final class QueueOrderBook: Sendable {
    /// What is ordered of one message.
    public struct Standing: Sendable, Equatable {
        /// Being decided: the message is to be held back meanwhile.
        public var asked: QueueOrder?
        public var isCancelled = false
        /// A serialized `ShortMessage` with what replaces the original's, and the order that says so.
        public var replacement: QueueOrder?

        public init() {}
    }

    private struct State {
        var standings: [Int64: Standing] = [:]
        /// Ids of the orders that are being decided, by message.
        var asked: [Int64: Int64] = [:]
    }

    private let state = Mutex(State())
    private let count = Atomic<Int>(0)

    public init() {}

    /// As a rule it is, and then nothing else is to be looked at.
    public var isEmpty: Bool { count.load(ordering: .acquiring) == 0 }

    /// Of those messages that something is ordered of.
    public func standings(of msgids: some Sequence<Int64>) -> [Int64: Standing] {
        state.withLock { state in
            var found: [Int64: Standing] = [:]
            for msgid in msgids { if let standing = state.standings[msgid] { found[msgid] = standing } }
            return found
        }
    }

    /// Takes changes in, in their order.
    /// - Returns: the messages that they are about.
    public func apply(_ orders: [QueueOrder]) -> Set<Int64> {
        state.withLock { state in
            for order in orders {
                var standing = state.standings[order.msgid] ?? Standing()
                if standing.asked?.id == order.id {
                    standing.asked = nil
                    state.asked[order.msgid] = nil
                }
                switch order.state {
                case .asked:
                    standing.asked = order
                    state.asked[order.msgid] = order.id
                case .granted where order.kind == .cancel: standing.isCancelled = true
                case .granted: standing.replacement = order
                case .refused: break
                case .ended:
                    standing.isCancelled = false
                    standing.replacement = nil
                }
                state.standings[order.msgid] = standing == Standing() ? nil : standing
            }
            count.store(state.standings.count, ordering: .releasing)
            return Set(orders.map(\.msgid))
        }
    }

    /// Messages that an order is being decided of, with its id.
    public var asked: [Int64: Int64] { state.withLock { $0.asked } }
}
