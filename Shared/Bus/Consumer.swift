import CRdKafka

/// How a consumer reads.
public struct ConsumerSettings: Sendable {
    public enum Assignor: String, Sendable {
        /// Moves only what must move, without stopping the rest.
        case cooperativeSticky = "cooperative-sticky"
        /// Partition n of every topic goes to the same member: what a join of two topics needs.
        case range
    }

    public var group: String
    public var topics: [String]
    /// Stable name of this member (KIP-345): a restarted process takes its predecessor's partitions back at once.
    public var instance: String?
    public var assignor: Assignor = .cooperativeSticky
    public var sessionTimeoutMilliseconds = 10_000
    /// Bytes that may wait in this process, for all partitions together.
    public var maxPrefetchedBytes = 16 << 20

    public init(group: String, topics: [String], instance: String? = nil) {
        self.group = group
        self.topics = topics
        self.instance = instance
    }
}

/// A member of a consumer group that reads committed records only and commits nothing by itself. For one thread.
final class Consumer {
    private let handle: KafkaHandle
    private let queue: OpaquePointer
    private let standing: Standing
    var client: OpaquePointer { handle.raw }

    /// What the rebalance callback knows of us.
    private final class Standing {
        var hasAssignment = false
        /// Why we do not know where to begin. Nothing may be read then: this consumer has ended.
        var failure: BusError?
    }

    /// - Parameters:
    ///   - onAssigned: partitions that were given to us, with their committed offsets (-1001 = none) and notes; on the polling thread.
    ///   - onRevoked: called before they are let go: the last chance to commit.
    init(
        _ configuration: BusConfiguration, settings: ConsumerSettings, onAssigned: @escaping ([CommittedOffset]) -> Void = { _ in },
        onRevoked: @escaping ([TopicPartition]) -> Void = { _ in }
    ) throws(BusError) {
        var properties: [(String, String)] = [
            ("group.id", settings.group), ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "earliest"), ("isolation.level", "read_committed"),
            ("partition.assignment.strategy", settings.assignor.rawValue), ("session.timeout.ms", "\(settings.sessionTimeoutMilliseconds)"),
            ("heartbeat.interval.ms", "\(max(500, settings.sessionTimeoutMilliseconds / 5))"), ("fetch.wait.max.ms", "250"),
            ("fetch.min.bytes", "1"), ("fetch.error.backoff.ms", "20"), ("queued.min.messages", "5000"),
            ("queued.max.messages.kbytes", "\(settings.maxPrefetchedBytes >> 10)"), ("topic.metadata.refresh.interval.ms", "10000"),
            ("allow.auto.create.topics", "false"),
        ]
        if let instance = settings.instance { properties.append(("group.instance.id", instance)) }
        let standing = Standing()
        self.standing = standing
        handle = try KafkaHandle(
            .consumer, configuration: configuration, settings: properties,
            rebalance: { assigned, partitions, client in
                if assigned { standing.hasAssignment = true }
                let failure = Consumer.rebalance(
                    assigned: assigned, partitions, client, assignor: settings.assignor, onAssigned: onAssigned, onRevoked: onRevoked)
                if let failure { standing.failure = failure }
            })
        // Everything comes through the one consumer queue, so that `poll` serves it all.
        let redirected = rd_kafka_poll_set_consumer(handle.raw)
        guard redirected == RD_KAFKA_RESP_ERR_NO_ERROR else { throw BusError(redirected, doing: "consumer queue") }
        queue = rd_kafka_queue_get_consumer(handle.raw)
        let subscription = TopicPartitionList(settings.topics.map { TopicPartition(topic: $0, partition: RD_KAFKA_PARTITION_UA) })
        let subscribed = rd_kafka_subscribe(handle.raw, subscription.raw)
        guard subscribed == RD_KAFKA_RESP_ERR_NO_ERROR else { throw BusError(subscribed, doing: "subscribe") }
    }

    deinit { rd_kafka_queue_destroy(queue) }

    /// A way to end a `poll` that waits, from any thread.
    var waker: ConsumerWaker { ConsumerWaker(handle: handle, queue: rd_kafka_queue_get_consumer(handle.raw)) }

    /// At most `max` records: waits for the first, then takes what is there already.
    /// - Throws: only what ends this consumer; passing troubles are librdkafka's to mend.
    func poll(max: Int, timeoutMilliseconds: Int32) throws(BusError) -> [Record] {
        var records: [Record] = []
        try poll(max: max, timeoutMilliseconds: timeoutMilliseconds) { records.append($0) }
        return records
    }

    /// The same, record by record: a revocation may come between two of them, and `onRevoked` can then withdraw what was given.
    func poll(max: Int, timeoutMilliseconds: Int32, onRecord: (Record) -> Void) throws(BusError) {
        var wait = timeoutMilliseconds
        var count = 0
        defer { if count > 0 { BusMetrics.consumed.add(count) } }
        while count < max {
            let polled = rd_kafka_consumer_poll(handle.raw, wait)
            defer { if let polled { rd_kafka_message_destroy(polled) } }
            if let failure = standing.failure { throw failure }
            guard let message = polled else { break }
            let code = message.pointee.err
            if code == RD_KAFKA_RESP_ERR_NO_ERROR {
                var record = Record(message.pointee)
                record.timestamp = Swift.max(0, rd_kafka_message_timestamp(message, nil))
                onRecord(record)
                count += 1
                wait = 0
            } else if code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED
                || code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID
            {
                var error = BusError(code, doing: "consume")
                error.isFatal = true
                throw error
            } else {
                break  // unknown topic (yet), broker away: tried again by the next poll
            }
        }
    }

    /// Stops or resumes fetching for all that is assigned. What was fetched before is fetched again afterwards.
    func setPaused(_ paused: Bool) {
        var assigned: OpaquePointerList?
        guard rd_kafka_assignment(handle.raw, &assigned) == RD_KAFKA_RESP_ERR_NO_ERROR, let assigned else { return }
        let list = TopicPartitionList(owning: assigned)
        _ = paused ? rd_kafka_pause_partitions(handle.raw, list.raw) : rd_kafka_resume_partitions(handle.raw, list.raw)
    }

    /// The same for some partitions.
    func setPaused(_ paused: Bool, _ partitions: [TopicPartition]) {
        let list = TopicPartitionList(partitions)
        _ = paused ? rd_kafka_pause_partitions(handle.raw, list.raw) : rd_kafka_resume_partitions(handle.raw, list.raw)
    }

    /// Where a partition ends as of the last answer to a fetch; nil where none has come yet. Asks nobody.
    func end(of partition: TopicPartition) -> Int64? {
        var (low, high) = (Int64(0), Int64(0))
        let code = rd_kafka_get_watermark_offsets(handle.raw, partition.topic, partition.partition, &low, &high)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? high : nil
    }

    /// The group has given our partitions away without asking: it took us for dead.
    var hasLostAssignment: Bool { rd_kafka_assignment_lost(handle.raw) != 0 }

    /// Leaves the group in order (a static member stays a member until its session times out).
    func close() {
        // librdkafka before 2.1 aborts the process ("Assertion `assignor_state' failed") where a client is destroyed between
        // its group's first JoinGroup and SyncGroup, with the cooperative assignor. So the first assignment is awaited; a client
        // that does not get it although it has joined is closed and never destroyed.
        let deadline = ContinuousClock.now + .seconds(2)
        while isJoining, ContinuousClock.now < deadline {
            if let message = rd_kafka_consumer_poll(handle.raw, 50) { rd_kafka_message_destroy(message) }
        }
        if isJoining { _ = Unmanaged.passRetained(handle) }
        rd_kafka_consumer_close(handle.raw)
    }

    /// Whether the group knows us and has given us no assignment yet, not even an empty one.
    private var isJoining: Bool {
        guard !standing.hasAssignment, let memberID = rd_kafka_memberid(handle.raw) else { return false }
        defer { rd_kafka_mem_free(handle.raw, memberID) }
        return memberID.pointee != 0
    }

    /// Returns why a new assignment's committed offsets could not be read. It is then taken, as the protocol wants, but must not be
    /// consumed.
    ///
    /// Every partition begins at an offset that is named here, never at librdkafka's "stored" one. There are two ways in which
    /// that ends at the earliest record although there is a committed offset, both in rdkafka_assignment.c (2.0.2 to 2.15): an answer to
    /// OffsetFetch is taken for a partition that went and came again since it was asked for, and one that says
    /// UNSTABLE_OFFSET_COMMIT is taken for "no offset" where the assignment changed meanwhile.
    private static func rebalance(
        assigned: Bool, _ partitions: OpaquePointerList, _ client: OpaquePointer, assignor: ConsumerSettings.Assignor,
        onAssigned: ([CommittedOffset]) -> Void, onRevoked: ([TopicPartition]) -> Void
    ) -> BusError? {
        // No answer comes any more from a client that is closing; then the assignor that it was made with tells.
        let spoken = rd_kafka_rebalance_protocol(client).map { String(cString: $0) }
        let cooperative = spoken.map { $0 == "COOPERATIVE" } ?? (assignor == .cooperativeSticky)
        if assigned {
            var failure: BusError?
            if partitions.pointee.cnt > 0 {
                // Read before the first record comes, so that notes (what is done above the offset) are known in time.
                failure = readCommitted(partitions, client)
                if failure == nil { onAssigned(TopicPartitionList.offsets(of: partitions)) }
                for index in 0..<Int(partitions.pointee.cnt) where partitions.pointee.elems[index].offset < 0 {
                    partitions.pointee.elems[index].offset = Int64(RD_KAFKA_OFFSET_BEGINNING)
                }
            }
            if cooperative {
                _ = BusError(owning: rd_kafka_incremental_assign(client, partitions), doing: "assign")
            } else {
                _ = rd_kafka_assign(client, partitions)
            }
            return failure
        }
        onRevoked(TopicPartitionList.offsets(of: partitions).map(\.partition))
        if cooperative {
            _ = BusError(owning: rd_kafka_incremental_unassign(client, partitions), doing: "unassign")
        } else {
            _ = rd_kafka_assign(client, nil)
        }
        return nil
    }

    /// Fills in the committed offsets, -1001 where there is none.
    private static func readCommitted(_ partitions: OpaquePointerList, _ client: OpaquePointer) -> BusError? {
        let code = rd_kafka_committed(client, partitions, 15_000)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return BusError(code, doing: "read the committed offsets") }
        for index in 0..<Int(partitions.pointee.cnt) {
            let fault = partitions.pointee.elems[index].err
            guard fault == RD_KAFKA_RESP_ERR_NO_ERROR else { return BusError(fault, doing: "read a committed offset") }
        }
        return nil
    }
}

/// Ends a waiting `poll`. Holds its own reference to the queue and keeps the client alive.
///
/// `@unchecked Sendable`: "rd_kafka_queue_yield" may be called from any thread (rdkafka.h), and the pointer never changes.
final class ConsumerWaker: @unchecked Sendable {
    private let handle: KafkaHandle
    private let queue: OpaquePointer

    init(handle: KafkaHandle, queue: OpaquePointer) {
        self.handle = handle
        self.queue = queue
    }

    func wake() { rd_kafka_queue_yield(queue) }

    deinit { rd_kafka_queue_destroy(queue) }
}

extension Record {
    init(_ message: rd_kafka_message_t) {
        self.init(
            topic: message.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? "", partition: message.partition, offset: message.offset,
            key: message.key.map { Array(UnsafeRawBufferPointer(start: $0, count: message.key_len)) } ?? [],
            value: message.payload.map { Array(UnsafeRawBufferPointer(start: $0, count: message.len)) } ?? [])
    }
}
