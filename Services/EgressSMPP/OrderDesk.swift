import ServiceKit
import Synchronization

/// Senders' orders on their way to the connectors of this instance.
struct OrderDesk: Sendable {
    /// The connectors that run.
    final class Feeds: Sendable {
        private let feeds = Mutex<[String: QueueFeed]>([:])

        func set(_ feed: QueueFeed?, _ name: String) { feeds.withLock { $0[name] = feed } }

        /// Asks all of them; that it is too late weighs more than that it is held.
        func consider(_ msgids: [Int64]) async -> [Int64: QueueOrderVote] {
            var votes: [Int64: QueueOrderVote] = [:]
            for feed in feeds.withLock({ Array($0.values) }) {
                votes.merge(await feed.consider(msgids)) { $0 == .late ? $0 : $1 }
            }
            return votes
        }
    }

    let book: QueueOrderBook
    let feeds: Feeds

    func add(_ feed: QueueFeed, _ name: String) { feeds.set(feed, name) }
    func remove(_ name: String) { feeds.set(nil, name) }
}
