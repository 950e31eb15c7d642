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

    private let entries = Mutex<[ObjectIdentifier: Entry]>([:])
    private let maxConnections: Int

    /// - Parameter limit: INSTANCES.
    init(limit: Int) { maxConnections = limit * 2 + OpenSessions.spare }

    var hasRoom: Bool { entries.withLock { $0.count < maxConnections } }

    /// Called on the channel's event loop.
    func add(_ handler: NIOLoopBound<ESMEHandler>, _ channel: any Channel) {
        let key = ObjectIdentifier(channel)
        entries.withLock { $0[key] = Entry(handler: handler, channel: channel) }
        channel.closeFuture.whenComplete { [self] _ in _ = entries.withLock { $0.removeValue(forKey: key) } }
    }

    /// Unbinds every session and waits until they are gone, or patience ends.
    func shutdown() async {
        for entry in entries.withLock({ Array($0.values) }) {
            entry.channel.eventLoop.execute { entry.handler.value.shutdown() }
        }
        let deadline = ContinuousClock.now + OpenSessions.patience
        while !(entries.withLock { $0.isEmpty }), ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(20)) }
        for entry in entries.withLock({ Array($0.values) }) { entry.channel.close(promise: nil) }
    }
}
