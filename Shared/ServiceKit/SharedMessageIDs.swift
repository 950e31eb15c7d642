import Synchronization

/// The ids of one process, for its several threads. Taken per report or per read cycle, not on the hot path of each message.
public final class SharedMessageIDs: Sendable {
    private let ids: Mutex<MessageIDs>

    public init(_ ids: MessageIDs) { self.ids = Mutex(ids) }

    public func next(now: Int64) -> Int64 { ids.withLock { $0.next(now: now) } }
}
