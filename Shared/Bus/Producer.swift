import CRdKafka
import Dispatch
import Foundation
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
///
/// Records gather here and not in librdkafka: its threads wait in whole milliseconds and spin through the rest of a linger, which cost more
/// than all else that they do. They get a burst every few milliseconds and send it at once.
///
/// And they get the next burst when the last one is settled: an idempotent producer has at most five requests on their way, each of one
/// partition, and for as long as there is a sixth librdkafka's thread asks without a pause whether it may go. What gathers meanwhile makes
/// the next burst the larger, and the broker syncs once for all of it.
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

    /// Milliseconds that a burst waits for the one before it.
    private static let mostPatience = 500

    private struct Waiting {
        var record: OutgoingRecord
        var token: UInt
    }

    private let handle: KafkaHandle
    private let settings: Settings
    private let onDeliveries: @Sendable ([Delivery]) -> Void
    private let waiting = Mutex<[Waiting]>([])
    /// Signalled when the first record comes to wait, and at the end.
    private let news = DispatchSemaphore(value: 0)
    /// Sent and not settled.
    private let open = Atomic<Int>(0)
    /// Of these, what librdkafka has.
    private let passedOn = Atomic<Int>(0)
    /// Signalled when librdkafka has none left and the sender waits for that.
    private let idle = DispatchSemaphore(value: 0)
    private let awaitsIdle = Atomic<Bool>(false)
    private let stopping = Atomic<Bool>(false)
    private let stopped = DispatchSemaphore(value: 0)

    /// - Parameter onDeliveries: called with everything that was settled since the last call, on one of the producer's two threads.
    public init(
        _ configuration: BusConfiguration, settings: Settings = Settings(), onDeliveries: @escaping @Sendable ([Delivery]) -> Void
    ) throws(BusError) {
        self.settings = settings
        self.onDeliveries = onDeliveries
        handle = try KafkaHandle(
            .producer, configuration: configuration,
            settings: [
                ("enable.idempotence", "true"), ("acks", "all"), ("linger.ms", "0"),
                ("queue.buffering.max.messages", "\(settings.maxQueuedRecords)"), ("queue.buffering.max.kbytes", "262144"),
                ("delivery.timeout.ms", "\(settings.deliveryTimeoutMilliseconds)"), ("partitioner", "murmur2_random"),
                ("batch.size", "1000000"), ("compression.codec", "none"),
            ], events: RD_KAFKA_EVENT_DR)
        startThread("bus-producer") { [self] in pollDeliveries() }
        startThread("bus-sender") { [self] in passOn() }
    }

    /// Queues one record; its fate comes to `onDeliveries` under `token`. The records of one caller stay in order.
    /// - Throws: `.queueFull` (retriable: the broker is slow or away).
    public func send(_ record: OutgoingRecord, token: UInt) throws(BusError) {
        guard open.load(ordering: .relaxed) < settings.maxQueuedRecords else {
            throw BusError(code: .queueFull, "\(settings.maxQueuedRecords) records wait for the broker", isRetriable: true)
        }
        open.add(1, ordering: .relaxed)
        let isFirst = waiting.withLock { waiting in
            waiting.append(Waiting(record: record, token: token))
            return waiting.count == 1
        }
        if isFirst { news.signal() }
    }

    /// Records that are not settled yet.
    public var outstanding: Int { open.load(ordering: .relaxed) }

    /// Waits until all that was sent is settled (at most `timeoutMilliseconds`), then ends the threads. Blocks: not for event loops.
    public func close(timeoutMilliseconds: Int32 = 10_000) {
        var left = timeoutMilliseconds
        while outstanding > 0, left > 0 {
            // With events on, flush only hurries; the poll thread serves the answers. What still gathers here follows in a moment.
            _ = rd_kafka_flush(handle.raw, 10)
            Thread.sleep(forTimeInterval: 0.001)
            left -= 10
        }
        guard !stopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        news.signal()
        stopped.wait()
        stopped.wait()
    }

    /// From what has gathered to librdkafka, in bursts.
    private func passOn() {
        var topics = TopicCache()
        var hasMore = false
        while !stopping.load(ordering: .acquiring) {
            if !hasMore {
                news.wait()
                if settings.lingerMilliseconds > 0 { Thread.sleep(forTimeInterval: settings.lingerMilliseconds / 1_000) }
            }
            awaitIdle()
            let burst = waiting.withLock { waiting in
                // Of one topic: so that there are as few partitions in it as can be.
                let topic = waiting.first?.record.topic
                var rest: [Waiting] = []
                if waiting.contains(where: { $0.record.topic != topic }) {
                    rest = waiting.filter { $0.record.topic != topic }
                    waiting.removeAll { $0.record.topic != topic }
                }
                defer { waiting = rest }
                hasMore = !rest.isEmpty
                return waiting
            }
            passedOn.add(burst.count, ordering: .sequentiallyConsistent)
            var failures: [Delivery] = []
            for one in burst {
                do throws(BusError) {
                    let topic = try topics.topic(one.record.topic, of: handle)
                    try enqueue(
                        topic: topic, partition: one.record.partition, key: one.record.key, value: one.record.value, token: one.token)
                } catch {
                    failures.append(Delivery(token: one.token, error: error))
                }
            }
            if !failures.isEmpty { settle(failures) }
        }
        topics.removeAll()
        stopped.signal()
    }

    /// Until librdkafka has settled all that it was given; or, where the broker takes its time, for a while: then each record's own time
    /// runs, and librdkafka knows best.
    private func awaitIdle() {
        let end = DispatchTime.now() + .milliseconds(Producer.mostPatience)
        while !stopping.load(ordering: .acquiring) {
            // Set before the count is looked at: who brings it to 0 afterwards sees it.
            awaitsIdle.store(true, ordering: .sequentiallyConsistent)
            guard passedOn.load(ordering: .sequentiallyConsistent) > 0, idle.wait(timeout: end) == .success else { return }
        }
    }

    private func settle(_ deliveries: [Delivery]) {
        open.subtract(deliveries.count, ordering: .relaxed)
        if passedOn.subtract(deliveries.count, ordering: .sequentiallyConsistent).newValue == 0,
            awaitsIdle.exchange(false, ordering: .sequentiallyConsistent)
        {
            idle.signal()
        }
        let failed = deliveries.count { $0.error != nil }
        BusMetrics.produced.add(deliveries.count)
        BusMetrics.acknowledged.add(deliveries.count - failed)
        if failed > 0 { BusMetrics.failed.add(failed) }
        onDeliveries(deliveries)
    }

    private func pollDeliveries() {
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
            if !deliveries.isEmpty { settle(deliveries) }
        }
        rd_kafka_queue_destroy(queue)
        stopped.signal()
    }
}
