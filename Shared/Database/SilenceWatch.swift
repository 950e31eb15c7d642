import Foundation
import Synchronization

/// Ends the connections whose server has been silent for too long in the middle of a call.
///
/// libpq's calls wait without a limit. TCP notices a server that is gone (`Connection.init`), but not one behind a proxy or a balancer
/// that goes on acknowledging for it, nor one that is frozen. One thread for the whole process looks once a second and shuts the sockets
/// of overdue calls down; such a call then returns with a connection error, which is retriable.
///
/// How long is too long depends on what is asked: much, where a slow disk must not end it. So a server that has been silent for two
/// seconds is asked about it on another connection (`SilenceProbe`): one that says that it has nothing to do for the call has not heard
/// it, or was not heard, and the call ends at once.
///
/// The way that such a call went is most likely gone for the idle connections of that time, too, each of which would find out for itself
/// only when it is next used, and its user would wait as long again. So they are shut down with it, and opened anew.
final class SilenceWatch: Sendable {
    static let shared = SilenceWatch()

    /// After which silence the server is asked.
    static let doubtAfter = Duration.seconds(2)

    /// A call that has had no answer for a while.
    struct Suspect: Sendable, Equatable {
        var mark: Int
        var backend: Backend
        var url: String
        var server: String
        var since: ContinuousClock.Instant
    }

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
        /// Who serves it, and how to ask for it; nil where that cannot be asked.
        var backend: Backend?
        var url = ""
        /// It is for us to go on: we are writing rows.
        var isOurTurn = false
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
            // Two threads: a question may take seconds.
            everySecond("db silence") { [self] in { [self] in giveUpOverdue() } }
            everySecond("db probe") { [self] in
                var probe = SilenceProbe(watch: self)
                return { probe.ask() }
            }
        }
        return mark
    }

    /// - Parameter begin: makes what is to be done each second, on its own thread.
    private func everySecond(_ name: String, _ begin: @escaping @Sendable () -> () -> Void) {
        let thread = Thread {
            let look = begin()
            while true {
                Thread.sleep(forTimeInterval: 1)
                look()
            }
        }
        thread.name = name
        thread.start()
    }

    /// From now on the server can be asked what it does for this connection.
    func identify(_ mark: Int, backend: Backend, url: String) {
        state.withLock { state in
            state.entries[mark]?.backend = backend
            state.entries[mark]?.url = url
        }
    }

    func begin(_ mark: Int, limit: Duration) {
        let now = ContinuousClock.now
        state.withLock { state in
            state.entries[mark]?.deadline = now + limit
            state.entries[mark]?.since = now
            state.entries[mark]?.isOurTurn = false
        }
    }

    /// In the middle of a call: the server waits for us.
    func setOurTurn(_ mark: Int) { state.withLock { $0.entries[mark]?.isOurTurn = true } }

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

    // MARK: What the server does not know of

    /// Calls without an answer that are worth asking about.
    func suspects() -> [Suspect] {
        let before = ContinuousClock.now - SilenceWatch.doubtAfter
        return state.withLock { state in
            state.entries.compactMap { mark, entry in
                guard entry.deadline != nil, !entry.isOurTurn, entry.since < before, let backend = entry.backend else { return nil }
                return Suspect(mark: mark, backend: backend, url: entry.url, server: entry.server, since: entry.since)
            }
        }
    }

    /// Ends calls that the server does not know of, where they are still the same, and the idle connections of their time.
    /// - Returns: who served all these; there may be transactions open, whose locks our next connections would wait for.
    func giveUp(_ suspects: [Suspect]) -> [Backend] {
        state.withLock { state in
            giveUp(&state) { mark, entry in entry.deadline != nil && suspects.contains { $0.mark == mark && $0.since == entry.since } }
        }
    }

    // MARK: What lasts too long

    private func giveUpOverdue() {
        let now = ContinuousClock.now
        _ = state.withLock { state in giveUp(&state) { _, entry in entry.deadline.map { $0 < now } ?? false } }
    }

    /// Under the lock, so that no descriptor is closed meanwhile. A shutdown does not wait.
    private func giveUp(_ state: inout sending State, where isLost: (Int, Entry) -> Bool) -> [Backend] {
        var gone: [Backend] = []
        /// By server: the last moment from which on one of its calls had no answer.
        var silentSince: [String: ContinuousClock.Instant] = [:]
        for (mark, entry) in state.entries where isLost(mark, entry) {
            shutdown(entry.descriptor, Int32(SHUT_RDWR))
            state.entries[mark]?.deadline = nil
            silentSince[entry.server] = max(silentSince[entry.server] ?? entry.since, entry.since)
            if let backend = entry.backend { gone.append(backend) }
        }
        for entry in state.entries.values where entry.deadline == nil && !silentSince.isEmpty {
            guard let moment = silentSince[entry.server], entry.since < moment else { continue }
            shutdown(entry.descriptor, Int32(SHUT_RDWR))
            if let backend = entry.backend { gone.append(backend) }
        }
        return gone
    }
}
