import CRdKafka

/// Writes records and consumer offsets in one Kafka transaction. For one thread.
///
/// The transactional id must stay the same over restarts of the same instance: then a new process ends its predecessor's open
/// transaction at once instead of holding up every reader until it times out.
final class TransactionalProducer {
    private let handle: KafkaHandle
    private var topics = TopicCache()
    /// Records of the open transaction.
    private var sent = 0

    /// Blocks until the broker has fenced any predecessor (at most `timeoutMilliseconds`).
    init(_ configuration: BusConfiguration, transactionalID: String, timeoutMilliseconds: Int32 = 30_000) throws(BusError) {
        // No linger: librdkafka spins through the part of it below a millisecond. The records of a transaction gather anyway while their
        // partitions are being added to it.
        handle = try KafkaHandle(
            .producer, configuration: configuration,
            settings: [
                ("transactional.id", transactionalID), ("acks", "all"), ("linger.ms", "0"), ("partitioner", "murmur2_random"),
                ("transaction.timeout.ms", "60000"), ("batch.size", "1000000"), ("queue.buffering.max.messages", "200000"),
                ("queue.buffering.max.kbytes", "262144"),
            ])
        if let error = BusError(owning: rd_kafka_init_transactions(handle.raw, timeoutMilliseconds), doing: "init transactions") {
            throw error
        }
    }

    deinit { topics.removeAll() }

    func begin() throws(BusError) {
        if let error = BusError(owning: rd_kafka_begin_transaction(handle.raw), doing: "begin transaction") { throw error }
    }

    func send(_ record: OutgoingRecord) throws(BusError) {
        let topic = try topics.topic(record.topic, of: handle)
        while true {
            do {
                try enqueue(topic: topic, partition: record.partition, key: record.key, value: record.value, token: 0)
                sent += 1
                return
            } catch {
                // The queue holds a whole transaction of any size we make; where the broker is slow, wait for room.
                // A transaction that lasts too long is aborted by the broker, which ends this loop with an error.
                guard error.code == .queueFull else { throw error }
                _ = rd_kafka_poll(handle.raw, 10)
            }
        }
    }

    /// Commits the consumer's positions with the transaction (KIP-447: the group's metadata fences zombies).
    func sendOffsets(_ offsets: [CommittedOffset], of consumer: Consumer) throws(BusError) {
        guard !offsets.isEmpty else { return }
        let list = TopicPartitionList(offsets)
        guard let metadata = rd_kafka_consumer_group_metadata(consumer.client) else {
            throw BusError(code: .invalidConfiguration, "the consumer has no group")
        }
        defer { rd_kafka_consumer_group_metadata_destroy(metadata) }
        if let error = BusError(
            owning: rd_kafka_send_offsets_to_transaction(handle.raw, list.raw, metadata, 30_000), doing: "send offsets")
        {
            throw error
        }
    }

    func commit() throws(BusError) {
        while let error = BusError(owning: rd_kafka_commit_transaction(handle.raw, 30_000), doing: "commit transaction") {
            // "Retriable: the application may call it again" (rdkafka.h); anything else decides.
            guard error.isRetriable, !error.needsAbort, !error.isFatal else { throw error }
        }
        BusMetrics.produced.add(sent)
        BusMetrics.acknowledged.add(sent)
        BusMetrics.committed.add()
        sent = 0
    }

    func abort() throws(BusError) {
        BusMetrics.produced.add(sent)
        BusMetrics.failed.add(sent)
        BusMetrics.aborted.add()
        sent = 0
        if let error = BusError(owning: rd_kafka_abort_transaction(handle.raw, 10_000), doing: "abort transaction") { throw error }
    }
}
