import CRdKafka

/// How many messages wait in queues, asked again and again. For one thread at a time.
///
/// A broker tells offsets, and in those each transaction leaves a mark that is no message. So records are counted: all of a short
/// queue, and of a long one those at its beginning, whose share of the offsets is then taken for the whole. An idle queue has no
/// messages, whatever marks it ends with; what was counted once is remembered for as long as nothing moves.
public final class QueueLengths {
    /// Up to so many offsets of a partition are read; the messages among more are estimated from these.
    static let countedSpan: Int64 = 200

    private struct Place: Hashable {
        var group: String
        var partition: TopicPartition
    }

    private let admin: Admin
    private var known: [Place: (span: Range<Int64>, records: Int64)] = [:]

    public init(_ admin: Admin) { self.admin = admin }

    public convenience init(_ configuration: BusConfiguration) throws(BusError) { self.init(try Admin(configuration)) }

    /// How many records each group has not finished of its topic; 0 for a topic that is not there. What a windowed stage has done
    /// above its oldest open record still counts.
    /// - Parameter isWorthCounting: is told the offsets of each queue, which are never fewer than its messages, and says whether
    ///   their messages are of interest. Where they are not, the offsets are the answer, and nothing is read.
    public func lengths(
        of queues: [GroupTopic], isWorthCounting: ([GroupTopic: Int64]) -> Set<GroupTopic>
    ) throws(BusError) -> [GroupTopic: Int64] {
        let spans = try admin.spans(of: queues)
        var lengths = spans.mapValues { $0.values.reduce(Int64(0)) { $0 + Int64($1.count) } }
        let wanted = isWorthCounting(lengths)
        var fresh: [Place: (span: Range<Int64>, records: Int64)] = [:]
        var unread: [String: [TopicPartition: Range<Int64>]] = [:]
        for queue in wanted {
            for (partition, span) in spans[queue] ?? [:] {
                let place = Place(group: queue.group, partition: partition)
                if span.isEmpty {
                    fresh[place] = (span, 0)
                } else if let earlier = known[place], earlier.span == span {
                    fresh[place] = earlier
                } else {
                    unread[queue.group, default: [:]][partition] = span
                }
            }
        }
        for (group, spans) in unread {
            let heads = spans.mapValues { $0.lowerBound..<min($0.upperBound, $0.lowerBound + Self.countedSpan) }
            let counted = try admin.countRecords(in: heads)
            for (partition, span) in spans {
                guard let head = heads[partition] else { continue }
                let records = counted[partition] ?? 0
                fresh[Place(group: group, partition: partition)] = (
                    span, head.count == span.count ? records : Self.estimate(records: records, among: head.count, of: span.count)
                )
            }
        }
        known = fresh
        for queue in wanted {
            lengths[queue] = (spans[queue] ?? [:]).keys.reduce(Int64(0)) {
                $0 + (fresh[Place(group: queue.group, partition: $1)]?.records ?? 0)
            }
        }
        return lengths
    }

    /// All of them, counted.
    public func lengths(of queues: [GroupTopic]) throws(BusError) -> [GroupTopic: Int64] {
        try lengths(of: queues) { Set($0.keys) }
    }

    /// The messages among `offsets` offsets, where there were `records` in the first `sample` of them. At least one: what is not
    /// looked at is not nothing.
    static func estimate(records: Int64, among sample: Int, of offsets: Int) -> Int64 {
        max(1, Int64((Double(records) * Double(offsets) / Double(max(1, sample))).rounded()))
    }
}

extension Admin {
    /// Committed records by partition in ranges of offsets.
    func countRecords(in ranges: [TopicPartition: Range<Int64>]) throws(BusError) -> [TopicPartition: Int64] {
        guard !ranges.isEmpty else { return [:] }
        let reader = try KafkaHandle(
            .consumer, configuration: configuration,
            settings: [
                ("group.id", "signalbox-count"), ("enable.auto.commit", "false"), ("enable.partition.eof", "true"),
                ("isolation.level", "read_committed"), ("fetch.wait.max.ms", "50"),
                // What retention has taken away meanwhile counts no more.
                ("auto.offset.reset", "earliest"),
                // Little is wanted of each partition, however much lies there.
                ("fetch.message.max.bytes", "131072"), ("queued.min.messages", "1"), ("queued.max.messages.kbytes", "1024"),
            ])
        let list = TopicPartitionList(ranges.map { CommittedOffset(partition: $0.key, offset: $0.value.lowerBound) })
        let assigned = rd_kafka_assign(reader.raw, list.raw)
        guard assigned == RD_KAFKA_RESP_ERR_NO_ERROR else { throw BusError(assigned, doing: "read to count") }
        defer { _ = rd_kafka_assign(reader.raw, nil) }
        var counts: [TopicPartition: Int64] = [:]
        var open = Set(ranges.keys)
        // What goes on coming of a partition that is counted would keep the others waiting.
        func finish(_ partition: TopicPartition) {
            guard open.remove(partition) != nil else { return }
            let list = TopicPartitionList([partition])
            _ = withExtendedLifetime(list) { rd_kafka_pause_partitions(reader.raw, list.raw) }
        }
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
                if message.pointee.offset < ranges[partition]?.upperBound ?? 0, open.contains(partition) {
                    counts[partition, default: 0] += 1
                } else {
                    finish(partition)
                }
            default: finish(partition)
            }
        }
        return counts
    }
}
