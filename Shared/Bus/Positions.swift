import CRdKafka

/// A topic as one consumer group reads it.
public struct GroupTopic: Hashable, Sendable {
    public var group: String
    public var topic: String

    public init(group: String, topic: String) {
        self.group = group
        self.topic = topic
    }
}

extension Admin {
    /// ListOffsets' words for a partition's bounds, in place of a time (Kafka protocol, ListOffsetsRequest).
    private static let latest: Int64 = -1
    private static let earliest: Int64 = -2
    private static let timeout: Int32 = 5_000
    /// Up to so many offsets of a partition are read to count the records among them.
    private static let countedSpan: Int64 = 200

    /// For each partition the first record that was written at `milliseconds` (since 1970) or later; its end where there is none.
    /// - Throws: also where there is no such topic.
    public func offsets(topic: String, at milliseconds: Int64) throws(BusError) -> [Int32: Int64] {
        guard let count = try topics(timeoutMilliseconds: Admin.timeout)[topic] else {
            throw BusError(code: .unknownTopicOrPartition, "there is no topic \(topic)")
        }
        let partitions = (0..<count).map { TopicPartition(topic: topic, partition: Int32($0)) }
        var found = try positions(of: partitions, at: max(0, milliseconds))
        let atEnd = found.filter { $0.value < 0 }.map(\.key)
        if !atEnd.isEmpty { found.merge(try positions(of: atEnd, at: Admin.latest)) { $1 } }
        return Dictionary(uniqueKeysWithValues: found.map { ($0.key.partition, max(0, $0.value)) })
    }

    /// How many records each group has not finished of its topic; 0 for a topic that is not there.
    ///
    /// Offsets count a transaction's own mark too, so where few are left the records are read and counted; of many the number is a
    /// little too high. What a windowed stage has done above its oldest open record still counts.
    /// - Parameter counting: false saves the reading: then the number is a little too high everywhere.
    public func lags(of queues: [GroupTopic], counting: Bool = true) throws(BusError) -> [GroupTopic: Int64] {
        let counts = try topics(timeoutMilliseconds: Admin.timeout)
        var wanted: [String: [TopicPartition]] = [:]
        for queue in Set(queues) {
            wanted[queue.group, default: []] += (0..<(counts[queue.topic] ?? 0)).map {
                TopicPartition(topic: queue.topic, partition: Int32($0))
            }
        }
        wanted = wanted.filter { !$0.value.isEmpty }
        var lags = Dictionary(queues.map { ($0, Int64(0)) }, uniquingKeysWith: { first, _ in first })
        guard !wanted.isEmpty else { return lags }
        let partitions = Array(Set(wanted.values.joined()))
        let ends = try positions(of: partitions, at: Admin.latest)
        let committed = try committed(wanted)
        let isNew = committed.values.contains { $0.values.contains { $0 < 0 } }
        let starts = isNew ? try positions(of: partitions, at: Admin.earliest) : [:]
        for (group, offsets) in committed {
            var few: [CommittedOffset] = []
            for (partition, offset) in offsets {
                let from = offset < 0 ? max(0, starts[partition] ?? 0) : offset
                let span = max(0, (ends[partition] ?? 0) - from)
                if span > Admin.countedSpan || !counting {
                    lags[GroupTopic(group: group, topic: partition.topic), default: 0] += span
                } else if span > 0 {
                    few.append(CommittedOffset(partition: partition, offset: from))
                }
            }
            for (topic, count) in try countRecords(from: few, to: ends) {
                lags[GroupTopic(group: group, topic: topic), default: 0] += count
            }
        }
        return lags
    }

    /// Where the topics end now, partition by partition.
    public func ends(of topics: [String]) throws(BusError) -> [TopicPartition: Int64] {
        let counts = try self.topics(timeoutMilliseconds: Admin.timeout)
        let partitions = topics.flatMap { topic in (0..<(counts[topic] ?? 0)).map { TopicPartition(topic: topic, partition: Int32($0)) } }
        return partitions.isEmpty ? [:] : try positions(of: partitions, at: Admin.latest)
    }

    /// Whether `group` has finished every record before `ends`. Reads what it has not, up to 200 offsets of a partition, for offsets
    /// count a transaction's own mark too.
    public func hasFinished(_ group: String, before ends: [TopicPartition: Int64]) throws(BusError) -> Bool {
        let committed = try committed([group: Array(ends.keys)])[group] ?? [:]
        var few: [CommittedOffset] = []
        for (partition, end) in ends {
            let offset = max(0, committed[partition] ?? 0)
            if end - offset > Admin.countedSpan { return false }
            if end > offset { few.append(CommittedOffset(partition: partition, offset: offset)) }
        }
        return try countRecords(from: few, to: ends).values.allSatisfy { $0 == 0 }
    }

    /// - Parameter time: milliseconds since 1970, or one of ListOffsets' words. A partition without such a record has -1.
    private func positions(of partitions: [TopicPartition], at time: Int64) throws(BusError) -> [TopicPartition: Int64] {
        let list = TopicPartitionList(partitions.map { CommittedOffset(partition: $0, offset: time) })
        let code = rd_kafka_offsets_for_times(handle.raw, list.raw, Admin.timeout)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw BusError(code, doing: "offsets by time") }
        for index in 0..<Int(list.raw.pointee.cnt) where list.raw.pointee.elems[index].err != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw BusError(list.raw.pointee.elems[index].err, doing: "offsets by time")
        }
        return Dictionary(list.offsets.map { ($0.partition, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// What each group has committed; negative where it has not.
    private func committed(_ wanted: [String: [TopicPartition]]) throws(BusError) -> [String: [TopicPartition: Int64]] {
        guard let queue = rd_kafka_queue_new(handle.raw) else { return [:] }
        defer { rd_kafka_queue_destroy(queue) }
        for (group, partitions) in wanted {
            let list = TopicPartitionList(partitions)
            // librdkafka copies the list, and takes one group per call.
            var request = rd_kafka_ListConsumerGroupOffsets_new(group, list.raw)
            rd_kafka_ListConsumerGroupOffsets(handle.raw, &request, 1, nil, queue)
            rd_kafka_ListConsumerGroupOffsets_destroy(request)
        }
        var committed: [String: [TopicPartition: Int64]] = [:]
        for _ in wanted {
            guard let event = rd_kafka_queue_poll(queue, Admin.timeout) else {
                throw BusError(code: .timedOut, "positions of groups: no answer", isRetriable: true)
            }
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw BusError(rd_kafka_event_error(event), doing: "positions of groups")
            }
            var count = 0
            guard let result = rd_kafka_event_ListConsumerGroupOffsets_result(event),
                let groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count)
            else { continue }
            for index in 0..<count {
                guard let group = groups[index], let name = rd_kafka_group_result_name(group) else { continue }
                if let error = rd_kafka_group_result_error(group) {
                    throw BusError(rd_kafka_error_code(error), doing: "positions of \(String(cString: name))")
                }
                guard let list = rd_kafka_group_result_partitions(group) else { continue }
                let offsets = TopicPartitionList.offsets(of: UnsafeMutablePointer(mutating: list))
                committed[String(cString: name)] = Dictionary(
                    offsets.map { ($0.partition, $0.offset) }, uniquingKeysWith: { first, _ in first })
            }
        }
        return committed
    }

    /// Committed records by topic, read from `from` up to `ends`.
    private func countRecords(from: [CommittedOffset], to ends: [TopicPartition: Int64]) throws(BusError) -> [String: Int64] {
        guard !from.isEmpty else { return [:] }
        let reader = try KafkaHandle(
            .consumer, configuration: configuration,
            settings: [
                ("group.id", "signalbox-count"), ("enable.auto.commit", "false"), ("enable.partition.eof", "true"),
                ("isolation.level", "read_committed"), ("fetch.wait.max.ms", "50"),
            ])
        let list = TopicPartitionList(from)
        let assigned = rd_kafka_assign(reader.raw, list.raw)
        guard assigned == RD_KAFKA_RESP_ERR_NO_ERROR else { throw BusError(assigned, doing: "read to count") }
        defer { _ = rd_kafka_assign(reader.raw, nil) }
        var counts: [String: Int64] = [:]
        var open = Set(from.map(\.partition))
        // Records may go on coming faster than we read: past the end that was asked for nothing counts.
        while !open.isEmpty {
            guard let message = rd_kafka_consumer_poll(reader.raw, Admin.timeout) else {
                throw BusError(code: .timedOut, "read to count: no answer", isRetriable: true)
            }
            defer { rd_kafka_message_destroy(message) }
            guard let rkt = message.pointee.rkt else { continue }
            let partition = TopicPartition(topic: String(cString: rd_kafka_topic_name(rkt)), partition: message.pointee.partition)
            switch message.pointee.err {
            case RD_KAFKA_RESP_ERR_NO_ERROR:
                if message.pointee.offset < ends[partition] ?? 0, open.contains(partition) {
                    counts[partition.topic, default: 0] += 1
                } else {
                    open.remove(partition)
                }
            default: open.remove(partition)
            }
        }
        return counts
    }
}
