import Bus
import Ingress
import NIOCore
import NIOPosix
import ServiceKit
import Store
import Synchronization

/// Hands messages to the bus and waits until the bus has them: one wait for each request, whatever the number of its messages.
final class Acceptance: Sendable {
    /// A message ready to go.
    struct Item: Sendable {
        var record: OutgoingRecord
        /// What is to be taken from the account first.
        var reservation: ReservationStore.Request?
    }

    enum Outcome: Sendable, Equatable {
        case kept
        case queueFull
        case notKept
        case balanceTooLow
    }

    /// Messages of one request: a ticket is the request's number and the message's place.
    static let maxItems = 1_024

    private struct Group {
        var open: Int
        var outcomes: [Outcome]
        var waiter: CheckedContinuation<[Outcome], Never>?
    }

    private struct State {
        var groups: [UInt32: Group] = [:]
        var next: UInt32 = 0
    }

    private final class Board: Sendable {
        let state = Mutex(State())
    }

    let intake: Intake
    private let board: Board
    private let number: UInt32

    init(_ intake: Intake) {
        let board = Board()
        self.board = board
        self.intake = intake
        number = intake.join(
            Intake.Listener(eventLoop: MultiThreadedEventLoopGroup.singleton.next()) { settled in Acceptance.settle(settled, board) })
    }

    /// - Parameter items: up to `maxItems`.
    /// - Returns: what became of each, in their order.
    func accept(_ items: [Item]) async -> [Outcome] {
        guard !items.isEmpty else { return [] }
        let group = board.state.withLock { state in
            repeat { state.next = (state.next &+ 1) & 0x3F_FFFF } while state.groups[state.next] != nil
            state.groups[state.next] = Group(open: items.count, outcomes: Array(repeating: .kept, count: items.count))
            return state.next
        }
        var failed: [(Int, Outcome)] = []
        for (index, item) in items.enumerated() {
            do throws(BusError) {
                try intake.publish(item.record, session: number, ticket: group << 10 | UInt32(index), reservation: item.reservation)
            } catch {
                failed.append((index, error.code == .queueFull ? .queueFull : .notKept))
            }
        }
        return await withCheckedContinuation { waiter in
            let outcomes: [Outcome]? = board.state.withLock { state in
                for (index, outcome) in failed { state.groups[group]?.outcomes[index] = outcome }
                state.groups[group]?.open -= failed.count
                guard state.groups[group]?.open == 0 else {
                    state.groups[group]?.waiter = waiter
                    return nil
                }
                return state.groups.removeValue(forKey: group)?.outcomes
            }
            if let outcomes { waiter.resume(returning: outcomes) }
        }
    }

    /// For records that nobody waits for.
    func publish(_ record: OutgoingRecord) throws(BusError) { try intake.publish(record) }

    private static func settle(_ settled: [Intake.Settled], _ board: Board) {
        let done: [(CheckedContinuation<[Outcome], Never>, [Outcome])] = board.state.withLock { state in
            var done: [(CheckedContinuation<[Outcome], Never>, [Outcome])] = []
            for item in settled {
                let (number, index) = (item.ticket >> 10, Int(item.ticket & 0x3FF))
                switch item.failure {
                case nil: break
                case .notKept: state.groups[number]?.outcomes[index] = .notKept
                case .balanceTooLow: state.groups[number]?.outcomes[index] = .balanceTooLow
                }
                state.groups[number]?.open -= 1
                guard let group = state.groups[number], group.open == 0, let waiter = group.waiter else { continue }
                state.groups[number] = nil
                done.append((waiter, group.outcomes))
            }
            return done
        }
        for (waiter, outcomes) in done { waiter.resume(returning: outcomes) }
    }
}
