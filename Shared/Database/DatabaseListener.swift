import Foundation
public import Logging
import Synchronization

/// Notifications of some channels as a stream, on a connection and a thread of its own.
///
/// After every (re)connection one notification with an empty channel comes first: something may have been
/// missed, so the receiver reads everything anew. The stream holds at most `bufferedNotifications`; a slow
/// receiver loses the oldest, which for "read it anew" signals loses nothing.
public final class DatabaseListener: Sendable {
    public let notifications: AsyncStream<DatabaseNotification>

    private static let bufferedNotifications = 256
    /// After this without a notification the server is asked for a sign of life, and gets as long for it.
    private static let silenceMilliseconds = 20_000
    private let state: StopSignal

    /// - Parameter channels: to listen to, without quotes.
    public init(url: String, applicationName: String, channels: [String], logger: Logger? = nil) {
        let (stream, continuation) = AsyncStream.makeStream(
            of: DatabaseNotification.self, bufferingPolicy: .bufferingNewest(Self.bufferedNotifications))
        notifications = stream
        let state = StopSignal()
        self.state = state
        continuation.onTermination = { _ in state.stop() }
        let thread = Thread {
            Self.loop(url, applicationName, channels, state, continuation, logger)
            continuation.finish()
        }
        thread.name = "db listener"
        thread.start()
    }

    deinit {
        state.stop()
    }

    /// Ends the stream and closes the connection.
    public func stop() {
        state.stop()
    }

    private static func loop(
        _ url: String, _ applicationName: String, _ channels: [String], _ state: StopSignal,
        _ continuation: AsyncStream<DatabaseNotification>.Continuation, _ logger: Logger?
    ) {
        var pauseMilliseconds = 100
        while !state.isStopped {
            do {
                let connection = try Connection(url: url, applicationName: applicationName, silenceMilliseconds: silenceMilliseconds)
                for channel in channels { try connection.listen(channel) }
                pauseMilliseconds = 100
                continuation.yield(DatabaseNotification(channel: "", payload: ""))
                while !state.isStopped {
                    let found = try connection.notifications(timeoutMilliseconds: silenceMilliseconds, wake: state.readEnd)
                    for notification in found { continuation.yield(notification) }
                    // A way that is gone without a word would bring nothing either.
                    if found.isEmpty, !state.isStopped { try connection.query("SELECT 1") }
                }
            } catch {
                logger?.warning("Notifications interrupted", metadata: ["error": "\(error)"])
                state.wait(milliseconds: pauseMilliseconds)
                pauseMilliseconds = min(pauseMilliseconds * 2, 5_000)
            }
        }
    }
}

/// A flag that also makes a file descriptor readable, so that a thread in poll(2) notices.
private final class StopSignal: Sendable {
    private let stopped = Atomic<Bool>(false)
    let readEnd: Int32
    private let writeEnd: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        // Without descriptors left the thread stops at its next timeout instead of at once.
        if pipe(&ends) != 0 { ends = [-1, -1] }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        if readEnd >= 0 { close(readEnd) }
        if writeEnd >= 0 { close(writeEnd) }
    }

    var isStopped: Bool { stopped.load(ordering: .acquiring) }

    func stop() {
        guard !stopped.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var byte: UInt8 = 1
        _ = write(writeEnd, &byte, 1)
    }

    func wait(milliseconds: Int) {
        var descriptor = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        _ = poll(&descriptor, 1, Int32(clamping: milliseconds))
    }
}
