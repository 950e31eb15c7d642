import NIOCore
import Synchronization

/// What all connections together may have under way, so that many clients with large requests cost no more memory than few.
///
/// A connection asks before it reads on, and is woken when there is room again; one whose request has arrived in part may always
/// go on, or nobody could. Octets of such parts are counted apart: they are bounded by disconnecting who goes beyond.
final class RequestBudget: Sendable {
    /// A connection that wants to read on.
    struct Waiter: Sendable {
        var loop: any EventLoop
        var handler: NIOLoopBound<ConnectionHandler>
    }

    private struct Contents {
        var inflight = 0
        var partial = 0
        var waiting: [Waiter] = []
    }

    /// Room for each that is woken: a usual large request.
    private static let perWaiter = 1 << 20
    private let contents = Mutex(Contents())
    private let inflightLimit: Int
    private let partialLimit: Int

    init(inflight: Int, partial: Int) {
        inflightLimit = inflight
        partialLimit = partial
    }

    /// Half received requests count too, for they are about to be whole; but those that never end take only half of the room.
    private func used(_ contents: borrowing Contents) -> Int { contents.inflight + min(contents.partial, inflightLimit / 2) }

    /// Whether there is room. If not, `waiter` is woken once there is; it must not ask again before.
    func hasRoom(orWake waiter: @autoclosure () -> Waiter) -> Bool {
        contents.withLock { contents in
            guard used(contents) >= inflightLimit else { return true }
            contents.waiting.append(waiter())
            return false
        }
    }

    /// Counts a request that was handed over.
    func take(_ octets: Int) { contents.withLock { $0.inflight += octets } }

    /// Counts one that was answered. Returns whom to wake, each on its own loop.
    func give(_ octets: Int) -> [Waiter] {
        contents.withLock { contents in
            contents.inflight -= octets
            guard used(contents) < inflightLimit, !contents.waiting.isEmpty else { return [] }
            // Not all at once, or all would go beyond together. While something is under way, another turn comes with its answer.
            let room = max(1, (inflightLimit - used(contents)) / Self.perWaiter)
            let count = contents.inflight == 0 ? contents.waiting.count : min(room, contents.waiting.count)
            defer { contents.waiting.removeFirst(count) }
            return Array(contents.waiting.prefix(count))
        }
    }

    /// Counts what more (or less) of unfinished requests has arrived. False where it is too much.
    func changePartial(by octets: Int) -> Bool {
        contents.withLock { contents in
            contents.partial += octets
            return octets <= 0 || contents.partial <= partialLimit
        }
    }
}
