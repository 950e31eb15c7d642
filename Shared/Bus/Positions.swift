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
    static let timeout: Int32 = 5_000

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

    /// How many records each group has not finished of its topic, as `QueueLengths` has it, asked once.
    public func lags(of queues: [GroupTopic]) throws(BusError) -> [GroupTopic: Int64] {
        try QueueLengths(self).lengths(of: queues)
    }

    /// What each group has not finished, as offsets by partition, by group and topic; empty for a topic that is not there. Offsets count
    /// the marks of transactions too, so a span is never less than its records.
    func spans(of queues: [GroupTopic]) throws(BusError) -> [GroupTopic: [TopicPartition: Range<Int64>]] {
        let counts = try topics(timeoutMilliseconds: Admin.timeout)
        var wanted: [String: [TopicPartition]] = [:]
        for queue in Set(queues) {
            wanted[queue.group, default: []] += (0..<(counts[queue.topic] ?? 0)).map {
                TopicPartition(topic: queue.topic, partition: Int32($0))
            }
        }
        wanted = wanted.filter { !$0.value.isEmpty }
        var spans = Dictionary(queues.map { ($0, [TopicPartition: Range<Int64>]()) }, uniquingKeysWith: { first, _ in first })
        guard !wanted.isEmpty else { return spans }
        let partitions = Array(Set(wanted.values.joined()))
        let ends = try positions(of: partitions, at: Admin.latest)
        let committed = try committed(wanted)
        let isNew = committed.values.contains { $0.values.contains { $0 < 0 } }
        let starts = isNew ? try positions(of: partitions, at: Admin.earliest) : [:]
        for (group, offsets) in committed {
            for (partition, offset) in offsets {
                let from = offset < 0 ? max(0, starts[partition] ?? 0) : offset
                spans[GroupTopic(group: group, topic: partition.topic), default: [:]][partition] = from..<max(from, ends[partition] ?? 0)
            }
        }
        return spans
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
        var open: [TopicPartition: Range<Int64>] = [:]
        for (partition, end) in ends {
            let offset = max(0, committed[partition] ?? 0)
            if end - offset > QueueLengths.countedSpan { return false }
            if end > offset { open[partition] = offset..<end }
        }
        return try countRecords(in: open).values.allSatisfy { $0 == 0 }
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
}
