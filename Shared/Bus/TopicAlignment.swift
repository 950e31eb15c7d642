/// Keeps one topic from being read ahead of another whose records its own refer to. Pure.
///
/// Records with the same key lie in the same partition of both. Where much of the leading topic is unread, nothing says that what a record
/// of the following one refers to has been read; but whatever was written before it has been once the leader has been read up to its
/// time. So a partition of the follower waits while it is ahead of the leader's, and goes on when it is some way behind.
///
/// With little unread nothing waits: to stop and start costs more than the few records that come too early.
struct TopicAlignment {
    /// Offsets of a partition of the leader that may be unread without anybody waiting.
    static let slack: Int64 = 5_000
    /// Milliseconds by which the leader is to be ahead when the follower goes on, so that it does not stop again at once.
    static let lead: Int64 = 1_000

    private struct Reading {
        var time: Int64 = .min
        var next: Int64 = 0
    }

    let leader: String
    let follower: String
    private var leading: [Int32: Reading] = [:]
    private var following: [Int32: Reading] = [:]
    private(set) var waiting: Set<TopicPartition> = []

    init(leader: String, follower: String) {
        self.leader = leader
        self.follower = follower
    }

    /// A record was read, in the order of its partition.
    mutating func read(_ record: Record) {
        if record.topic == leader {
            leading[record.partition] = Reading(time: record.timestamp, next: record.offset + 1)
        } else if record.topic == follower {
            following[record.partition] = Reading(time: record.timestamp, next: record.offset + 1)
        }
    }

    /// Decides anew which partitions wait.
    /// - Parameter end: the offset at which a partition of the leader ends, as far as is known.
    mutating func decide(end: (TopicPartition) -> Int64?) {
        for (partition, place) in following {
            let mine = TopicPartition(topic: follower, partition: partition)
            guard let other = leading[partition], let end = end(TopicPartition(topic: leader, partition: partition)),
                end - other.next > Self.slack
            else {
                waiting.remove(mine)
                continue
            }
            if other.time < place.time {
                waiting.insert(mine)
            } else if other.time - place.time >= Self.lead {
                waiting.remove(mine)
            }
        }
    }

    /// Nothing came although there was time for it: what is unread up to here cannot be read (it was aborted, or is not committed yet).
    mutating func nothingCame(end: (TopicPartition) -> Int64?) {
        for (partition, reading) in leading {
            guard let end = end(TopicPartition(topic: leader, partition: partition)) else { continue }
            leading[partition] = Reading(time: reading.time, next: max(reading.next, end))
        }
        waiting.removeAll()
    }

    /// Somebody else reads these from now on.
    mutating func revoked(_ partitions: [TopicPartition]) {
        for one in partitions {
            if one.topic == leader { leading[one.partition] = nil }
            if one.topic == follower { following[one.partition] = nil }
            waiting.remove(one)
        }
    }
}
