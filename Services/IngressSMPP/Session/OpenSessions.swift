import NIOCore
import Synchronization

/// The connections of one connector, so that they can be ended in order.
final class OpenSessions: Sendable {
    /// How long clients may take to answer our unbind.
    private static let patience = Duration.seconds(6)

    private struct Entry: Sendable {
        var handler: NIOLoopBound<ESMEHandler>
        var channel: any Channel
    }

    /// Connections that are bound to nothing (yet) may be as many again as sessions, and some more.
    private static let spare = 100

    private struct State: Sendable {
        var entries: [ObjectIdentifier: Entry] = [:]
        var isOver = false
    }

    private let state = Mutex(State())
    private let maxConnections: Int

    /// - Parameter limit: INSTANCES.
    init(limit: Int) { maxConnections = limit * 2 + OpenSessions.spare }

    var hasRoom: Bool { state.withLock { $0.entries.count < maxConnections && !$0.isOver } }

    /// Called on the channel's event loop.
    func add(_ handler: NIOLoopBound<ESMEHandler>, _ channel: any Channel) {
        let key = ObjectIdentifier(channel)
        let isOver = state.withLock { state in
            if !state.isOver { state.entries[key] = Entry(handler: handler, channel: channel) }
            return state.isOver
        }
        // Accepted when the listener was about to close: nobody would end it, and the client is better off with the next one.
        guard !isOver else { return channel.close(promise: nil) }
        channel.closeFuture.whenComplete { [self] _ in _ = state.withLock { $0.entries.removeValue(forKey: key) } }
    }

    /// Unbinds every session and waits until they are gone, or patience ends.
    func shutdown() async {
        let open = state.withLock { state in
            state.isOver = true
            return Array(state.entries.values)
        }
        for entry in open {
            entry.channel.eventLoop.execute { entry.handler.value.shutdown() }
        }
        let deadline = ContinuousClock.now + OpenSessions.patience
        while !(state.withLock { $0.entries.isEmpty }), ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(20)) }
        for entry in state.withLock({ Array($0.entries.values) }) { entry.channel.close(promise: nil) }
    }
}
