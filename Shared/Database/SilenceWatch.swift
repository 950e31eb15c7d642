import Foundation
import Synchronization

/// Ends the connections whose server has been silent for too long in the middle of a call.
///
/// libpq's calls wait without a limit. TCP notices a server that is gone (`Connection.init`), but not one behind a proxy or a balancer
/// that goes on acknowledging for it, nor one that is frozen. One thread for the whole process looks once a second and shuts the sockets
/// of overdue calls down; such a call then returns with a connection error, which is retriable.
final class SilenceWatch: Sendable {
    static let shared = SilenceWatch()

    private struct Entry {
        /// A descriptor of our own for the connection's socket: libpq may close its own while we look, and the number may go to
        /// somebody else.
        var descriptor: Int32
        /// nil: no call is under way.
        var deadline: ContinuousClock.Instant?
    }

    private struct State {
        var entries: [Int: Entry] = [:]
        var next = 1
        var isRunning = false
    }

    private let state = Mutex(State())

    /// - Returns: the mark for `begin`, `end` and `remove`; nil where there is no socket to watch, or no descriptor left.
    func add(socket: Int32) -> Int? {
        let descriptor = socket >= 0 ? fcntl(socket, F_DUPFD_CLOEXEC, 0) : -1
        guard descriptor >= 0 else { return nil }
        let (mark, isFirst) = state.withLock { state in
            let mark = state.next
            state.next += 1
            state.entries[mark] = Entry(descriptor: descriptor)
            defer { state.isRunning = true }
            return (mark, !state.isRunning)
        }
        if isFirst {
            let thread = Thread { [self] in loop() }
            thread.name = "db silence"
            thread.start()
        }
        return mark
    }

    func begin(_ mark: Int, limit: Duration) {
        let deadline = ContinuousClock.now + limit
        state.withLock { $0.entries[mark]?.deadline = deadline }
    }

    func end(_ mark: Int) { state.withLock { $0.entries[mark]?.deadline = nil } }

    func remove(_ mark: Int) {
        let entry = state.withLock { $0.entries.removeValue(forKey: mark) }
        if let entry { close(entry.descriptor) }
    }

    private func loop() {
        while true {
            Thread.sleep(forTimeInterval: 1)
            let now = ContinuousClock.now
            // Under the lock, so that no descriptor is closed meanwhile. A shutdown does not wait.
            state.withLock { state in
                for (mark, entry) in state.entries {
                    guard let deadline = entry.deadline, deadline < now else { continue }
                    shutdown(entry.descriptor, Int32(SHUT_RDWR))
                    state.entries[mark]?.deadline = nil
                }
            }
        }
    }
}
