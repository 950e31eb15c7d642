import CRdKafka
import Dispatch
import Synchronization

/// What became of one record that was sent.
public struct Delivery: Sendable {
    /// As given to `send`.
    public var token: UInt
    /// `nil`: the broker has it, with `acks=all`.
    public var error: BusError?
}

/// An idempotent producer whose acknowledgements come back in batches, on the producer's own thread.
///
/// There is no continuation and no task per record: a caller gives each record a token, and gets arrays of tokens back.
/// Its queue is bounded; at the bound `send` throws `.queueFull` and the caller refuses its client.
public final class Producer: Sendable {
    /// How a producer batches and how long it tries.
    public struct Settings: Sendable {
        /// How long a record may wait for company.
        public var lingerMilliseconds: Double = 2
        /// Records that may wait for the broker. Beyond it, `send` refuses.
        public var maxQueuedRecords = 20_000
        /// After this a record is reported as failed.
        public var deliveryTimeoutMilliseconds = 30_000
        public init() {}
    }

    private let handle: KafkaHandle
    private let topics: Mutex<TopicCache>
    private let stopping = Atomic<Bool>(false)
    private let stopped = DispatchSemaphore(value: 0)

    /// - Parameter onDeliveries: called on the producer's thread with everything that was settled since the last call.
    public init(
        _ configuration: BusConfiguration, settings: Settings = Settings(), onDeliveries: @escaping @Sendable ([Delivery]) -> Void
    ) throws(BusError) {
        let handle = try KafkaHandle(
            .producer, configuration: configuration,
            settings: [
                ("enable.idempotence", "true"), ("acks", "all"), ("linger.ms", "\(settings.lingerMilliseconds)"),
                ("queue.buffering.max.messages", "\(settings.maxQueuedRecords)"), ("queue.buffering.max.kbytes", "262144"),
                ("delivery.timeout.ms", "\(settings.deliveryTimeoutMilliseconds)"), ("partitioner", "murmur2_random"),
                ("batch.size", "1000000"), ("compression.codec", "none"),
            ], events: RD_KAFKA_EVENT_DR)
        self.handle = handle
        self.topics = Mutex(TopicCache())
        startThread("bus-producer") { [self] in pollDeliveries(onDeliveries) }
    }

    /// Queues one record; its fate comes to `onDeliveries` under `token`.
    /// - Throws: `.queueFull` (retriable: the broker is slow or away), or what else made it impossible.
    public func send(_ record: OutgoingRecord, token: UInt) throws(BusError) {
        // The cache's lock also keeps the records of one caller in order; it is held for well under a microsecond.
        try topics.withLock { (cache) throws(BusError) in
            let topic = try cache.topic(record.topic, of: handle)
            try enqueue(topic: topic, partition: record.partition, key: record.key, value: record.value, token: token)
        }
    }

    /// Records that are not settled yet.
    public var outstanding: Int { Int(rd_kafka_outq_len(handle.raw)) }

    /// Waits until all that was sent is settled (at most `timeoutMilliseconds`), then ends the thread. Blocks: not for event loops.
    public func close(timeoutMilliseconds: Int32 = 10_000) {
        var left = timeoutMilliseconds
        while rd_kafka_outq_len(handle.raw) > 0, left > 0 {
            _ = rd_kafka_flush(handle.raw, 50)  // with events on, flush only hurries; the poll thread serves the answers
            left -= 50
        }
        guard !stopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        stopped.wait()
        topics.withLock { $0.removeAll() }
    }

    private func pollDeliveries(_ onDeliveries: @Sendable ([Delivery]) -> Void) {
        guard let queue = rd_kafka_queue_get_main(handle.raw) else { return }
        var messages = [UnsafePointer<rd_kafka_message_t>?](repeating: nil, count: 10_000)
        while !stopping.load(ordering: .acquiring) {
            guard let event = rd_kafka_queue_poll(queue, 100) else { continue }
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR else { continue }
            let count = rd_kafka_event_message_count(event)
            if messages.count < count { messages = Array(repeating: nil, count: count) }
            let filled = messages.withUnsafeMutableBufferPointer { rd_kafka_event_message_array(event, $0.baseAddress, $0.count) }
            var deliveries: [Delivery] = []
            deliveries.reserveCapacity(filled)
            for index in 0..<filled {
                guard let message = messages[index] else { continue }
                let code = message.pointee.err
                deliveries.append(
                    Delivery(
                        token: UInt(bitPattern: message.pointee._private),
                        error: code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : BusError(code, doing: "delivery")))
            }
            if !deliveries.isEmpty {
                let failed = deliveries.count { $0.error != nil }
                BusMetrics.produced.add(deliveries.count)
                BusMetrics.acknowledged.add(deliveries.count - failed)
                if failed > 0 { BusMetrics.failed.add(failed) }
                onDeliveries(deliveries)
            }
        }
        rd_kafka_queue_destroy(queue)
        stopped.signal()
    }
}
