import Logging
import NIOCore

extension BrokerCore {
    static func isLegal(topic: String) -> Bool {
        (1...249).contains(topic.utf8.count) && topic != "." && topic != ".."
            && topic.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// - Parameter partitions: -1 for the default.
    func createTopic(
        _ name: String, partitions: Int, settings: [String: String], validateOnly: Bool = false, now: Int64
    ) -> (KafkaError, String?) {
        let count = partitions == -1 ? configuration.defaultPartitions : partitions
        guard Self.isLegal(topic: name) else { return (.invalidTopic, "a topic name has 1 to 249 of a-z A-Z 0-9 . _ -") }
        guard state.topics[name] == nil else { return (.topicAlreadyExists, "topic \(name) exists") }
        guard count >= 1, state.partitionCount + count <= configuration.maxPartitions else {
            return (.invalidPartitions, "a topic has at least one partition, and the broker at most \(configuration.maxPartitions)")
        }
        for (key, value) in settings { if let fault = TopicLimits.fault(in: key, value) { return (.invalidConfig, fault) } }
        if validateOnly { return (.none, nil) }
        let entry = JournalEntry.topicCreated(
            name: name, incarnation: state.nextIncarnation, partitions: Int32(count), settings: settings)
        return record(entry, now: now) ? (.none, nil) : (.kafkaStorageError, "the topic's files cannot be created")
    }

    func handleCreateTopics(_ reader: inout KafkaReader, _ reply: PendingReply, now: Int64) throws(WireError) {
        struct Wish {
            var name: String
            var partitions: Int32
            var replication: Int16
            var assignments: Int
            var settings: [String: String]
        }
        let version = reply.version
        let wishes = try reader.array { (r: inout KafkaReader) throws(WireError) in
            var wish = Wish(name: try r.string(), partitions: try r.int32(), replication: try r.int16(), assignments: 0, settings: [:])
            wish.assignments = try r.array { (r: inout KafkaReader) throws(WireError) in
                _ = try r.int32()
                _ = try r.array { (r: inout KafkaReader) throws(WireError) in try r.int32() }
                try r.tags()
            }.count
            for (name, value) in try r.array({ (r: inout KafkaReader) throws(WireError) in
                let setting = (try r.string(), try r.nullableString())
                try r.tags()
                return setting
            }) where value != nil { wish.settings[name] = value }
            try r.tags()
            return wish
        }
        _ = try reader.int32()
        let validateOnly = version >= 1 ? try reader.bool() : false
        try finish(&reader)
        var writer = reply.writer(capacity: 512)
        if version >= 2 { writer.int32(0) }
        writer.array(wishes) { writer, wish in
            let count = wish.assignments > 0 ? wish.assignments : Int(wish.partitions)
            var outcome: (KafkaError, String?)
            if wish.replication > 1 {
                outcome = (.invalidReplicationFactor, "this broker is alone: the replication factor can only be 1")
            } else {
                outcome = createTopic(wish.name, partitions: count, settings: wish.settings, validateOnly: validateOnly, now: now)
            }
            writer.string(wish.name)
            writer.error(outcome.0)
            if version >= 1 { writer.nullableString(outcome.1) }
            if version >= 5 {
                let made = outcome.0 == .none
                writer.int32(made ? Int32(state.topics[wish.name]?.partitions.count ?? count) : -1)
                writer.int16(made ? 1 : -1)
                writer.array(made ? TopicLimits.names : []) { writer, name in
                    writer.string(name)
                    writer.nullableString(TopicLimits(wish.settings).value(of: name, defaultSegmentBytes: configuration.segmentBytes))
                    writer.bool(false)
                    writer.int8(wish.settings[name] == nil ? 5 : 1)
                    writer.bool(false)
                    writer.tags()
                }
            }
            writer.tags()
        }
        writer.tags()
        answer(reply, writer)
    }

    func handleDeleteTopics(_ reader: inout KafkaReader, _ reply: PendingReply, now: Int64) throws(WireError) {
        let version = reply.version
        let names = try reader.array { (r: inout KafkaReader) throws(WireError) in try r.string() }
        _ = try reader.int32()
        try finish(&reader)
        var writer = reply.writer()
        if version >= 1 { writer.int32(0) }
        writer.array(names) { writer, name in
            var error = KafkaError.unknownTopicOrPartition
            if let topic = state.topics[name] {
                error = record(.topicDeleted(name: name), now: now) ? .none : .kafkaStorageError
                wakeFetches(ofTopic: topic)
            }
            writer.string(name)
            writer.error(error)
            if version >= 5 { writer.nullableString(nil) }
            writer.tags()
        }
        writer.tags()
        answer(reply, writer)
    }

    func handleCreatePartitions(_ reader: inout KafkaReader, _ reply: PendingReply, now: Int64) throws(WireError) {
        let wishes = try reader.array { (r: inout KafkaReader) throws(WireError) in
            let wish = (try r.string(), try r.int32())
            _ = try r.nullableArray { (r: inout KafkaReader) throws(WireError) in
                _ = try r.array { (r: inout KafkaReader) throws(WireError) in try r.int32() }
                try r.tags()
            }
            try r.tags()
            return wish
        }
        _ = try reader.int32()
        let validateOnly = try reader.bool()
        try finish(&reader)
        var writer = reply.writer()
        writer.int32(0)
        writer.array(wishes) { writer, wish in
            var outcome: (KafkaError, String?) = (.none, nil)
            if let topic = state.topics[wish.0] {
                let more = Int(wish.1) - topic.partitions.count
                if more <= 0 {
                    outcome = (.invalidPartitions, "topic \(wish.0) has \(topic.partitions.count) partitions; the number can only grow")
                } else if state.partitionCount + more > configuration.maxPartitions {
                    outcome = (.invalidPartitions, "the broker holds at most \(configuration.maxPartitions) partitions")
                } else if !validateOnly, !record(.partitionsAdded(name: wish.0, total: wish.1), now: now) {
                    outcome = (.kafkaStorageError, "the partitions' files cannot be created")
                }
            } else {
                outcome = (.unknownTopicOrPartition, nil)
            }
            writer.string(wish.0)
            writer.error(outcome.0)
            writer.nullableString(outcome.1)
            writer.tags()
        }
        writer.tags()
        answer(reply, writer)
    }

    func handleDeleteRecords(_ reader: inout KafkaReader, _ reply: PendingReply, now: Int64) throws(WireError) {
        let topics = try reader.array { (r: inout KafkaReader) throws(WireError) in
            let name = try r.string()
            let partitions = try r.array { (r: inout KafkaReader) throws(WireError) in
                let partition = (try r.int32(), try r.int64())
                try r.tags()
                return partition
            }
            try r.tags()
            return (name, partitions)
        }
        _ = try reader.int32()
        try finish(&reader)
        var writer = reply.writer()
        writer.int32(0)
        writer.array(topics) { writer, topic in
            writer.string(topic.0)
            writer.array(topic.1) { writer, wish in
                var (error, low): (KafkaError, Int64) = (.unknownTopicOrPartition, -1)
                if let log = state.partition(topic.0, wish.0) {
                    let target = wish.1 == -1 ? log.highWatermark.offset : wish.1
                    if target < 0 || target > log.highWatermark.offset {
                        error = .offsetOutOfRange
                    } else if target > log.logStart, !record(.logStart(log.id, offset: target), now: now) {
                        error = .kafkaStorageError
                    } else {
                        (error, low) = (.none, log.logStart)
                    }
                }
                writer.int32(wish.0)
                writer.int64(low)
                writer.error(error)
                writer.tags()
            }
            writer.tags()
        }
        writer.tags()
        answer(reply, writer)
    }

    /// Removes segments that are too old or too many. The active one goes too when all of it is too old: a new one begins first.
    func enforceRetention(now: Int64) {
        for topic in state.topics.values {
            let limits = topic.limits
            for log in topic.partitions {
                var keep = log.logStart
                var total = log.segments.reduce(0) { $0 + $1.size }
                for (index, segment) in log.segments.enumerated() {
                    let isActive = index == log.activeIndex
                    let end = isActive ? log.logEnd : log.segments[index + 1].baseOffset
                    guard end <= log.lastStable.offset, segment.size > 0 else { break }
                    let newest = segment.maxTimestamp >= 0 ? segment.maxTimestamp : segment.created
                    let tooOld = limits.retentionMilliseconds >= 0 && newest < now - limits.retentionMilliseconds
                    let tooMuch = limits.retentionBytes >= 0 && total - segment.size >= limits.retentionBytes && !isActive
                    guard tooOld || tooMuch else { break }
                    total -= segment.size
                    keep = end
                }
                do throws(FileError) {
                    let active = log.segments[log.activeIndex]
                    let stale = active.size > 0 && active.created < now - limits.segmentMilliseconds
                    if active.size > 0, keep >= log.logEnd || stale { try log.roll(now: now) }
                    if keep > log.logStart { try state.record(.logStart(log.id, offset: keep), now: now) }
                } catch {
                    logger.error("retention cannot go on", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
