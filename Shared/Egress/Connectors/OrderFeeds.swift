public import ServiceKit
import Synchronization

/// The connectors of this instance that run, for senders' orders to be told to.
public final class OrderFeeds: Sendable {
    private let feeds = Mutex<[String: any ConnectorFeed]>([:])

    public init() {}

    public func set(_ feed: (any ConnectorFeed)?, _ name: String) { feeds.withLock { $0[name] = feed } }

    /// Asks all of them; that it is too late weighs more than that it is held.
    public func consider(_ msgids: [Int64]) async -> [Int64: QueueOrderVote] {
        var votes: [Int64: QueueOrderVote] = [:]
        for feed in feeds.withLock({ Array($0.values) }) {
            votes.merge(await feed.consider(msgids)) { $0 == .late ? $0 : $1 }
        }
        return votes
    }
}
