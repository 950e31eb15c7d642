import Foundation
import Synchronization

/// Ends the connections whose server has been silent for too long in the middle of a call.
///
/// libpq's calls wait without a limit. TCP notices a server that is gone (`Connection.init`), but not one behind a proxy or a balancer
/// that goes on acknowledging for it, nor one that is frozen. One thread for the whole process looks once a second and shuts the sockets
/// of overdue calls down; such a call then returns with a connection error, which is retriable.
///
/// The way that such a call went is most likely gone for the idle connections of that time, too, each of which would find out for itself
/// only when it is next used, and its user would wait as long again. So they are shut down with it, and opened anew.
final class SilenceWatch: Sendable {
    static let shared = SilenceWatch()

    private struct Entry {
        /// A descriptor of our own for the connection's socket: libpq may close its own while we look, and the number may go to
        /// somebody else.
        var descriptor: Int32
        /// What it is connected to.
        var server: String
        /// nil: no call is under way.
        var deadline: ContinuousClock.Instant?
        /// When the call began, or, where none is under way, when the server was last heard.
        var since: ContinuousClock.Instant
    }

    private struct State {
        var entries: [Int: Entry] = [:]
        var next = 1
        var isRunning = false
    }

    private let state = Mutex(State())

    /// - Parameter server: the same for connections that go the same way.
    /// - Returns: the mark for `begin`, `end` and `remove`; nil where there is no socket to watch, or no descriptor left.
    func add(socket: Int32, server: String) -> Int? {
        let descriptor = socket >= 0 ? fcntl(socket, F_DUPFD_CLOEXEC, 0) : -1
        guard descriptor >= 0 else { return nil }
        let (mark, isFirst) = state.withLock { state in
            let mark = state.next
            state.next += 1
            state.entries[mark] = Entry(descriptor: descriptor, server: server, since: .now)
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
        let now = ContinuousClock.now
        state.withLock { state in
            state.entries[mark]?.deadline = now + limit
            state.entries[mark]?.since = now
        }
    }

    func end(_ mark: Int) {
        let now = ContinuousClock.now
        state.withLock { state in
            state.entries[mark]?.deadline = nil
            state.entries[mark]?.since = now
        }
    }

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
                /// By server: the last moment from which on one of its calls had no answer.
                var silentSince: [String: ContinuousClock.Instant] = [:]
                for (mark, entry) in state.entries {
                    guard let deadline = entry.deadline, deadline < now else { continue }
                    shutdown(entry.descriptor, Int32(SHUT_RDWR))
                    state.entries[mark]?.deadline = nil
                    silentSince[entry.server] = max(silentSince[entry.server] ?? entry.since, entry.since)
                }
                guard !silentSince.isEmpty else { return }
                for entry in state.entries.values where entry.deadline == nil {
                    if let moment = silentSince[entry.server], entry.since < moment { shutdown(entry.descriptor, Int32(SHUT_RDWR)) }
                }
            }
        }
    }
}
