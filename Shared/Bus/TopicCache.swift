import CRdKafka

/// The `rd_kafka_topic_t` of each topic that one client has used. `rd_kafka_produce` wants the object, and making it by name
/// for each record would cost a lock and a search. Not shared between threads.
struct TopicCache: ~Copyable {
    private var topics: [String: OpaquePointer] = [:]

    mutating func topic(_ name: String, of client: borrowing KafkaHandle) throws(BusError) -> OpaquePointer {
        if let topic = topics[name] { return topic }
        guard let topic = rd_kafka_topic_new(client.raw, name, nil) else {
            throw BusError(rd_kafka_last_error(), doing: "topic \(name)")
        }
        topics[name] = topic
        return topic
    }

    /// Must run before the client is destroyed ("rd_kafka_topic_destroy" for each reference, INTRODUCTION.md "Termination").
    mutating func removeAll() {
        for topic in topics.values { rd_kafka_topic_destroy(topic) }
        topics.removeAll()
    }
}

/// Hands one record to the client's queue. The bytes are copied by librdkafka.
func enqueue(
    topic: OpaquePointer, partition: Int32?, key: [UInt8], value: [UInt8], token: UInt
) throws(BusError) {
    let failed = value.withUnsafeBytes { value in
        key.withUnsafeBytes { key in
            rd_kafka_produce(
                topic, partition ?? RD_KAFKA_PARTITION_UA, Int32(RD_KAFKA_MSG_F_COPY), UnsafeMutableRawPointer(mutating: value.baseAddress),
                value.count, key.baseAddress, key.count, UnsafeMutableRawPointer(bitPattern: token))
        }
    }
    guard failed == 0 else {
        let code = rd_kafka_last_error()
        var error = BusError(code, doing: "produce to \(String(cString: rd_kafka_topic_name(topic)))")
        error.isRetriable = code == RD_KAFKA_RESP_ERR__QUEUE_FULL
        error.isFatal = code == RD_KAFKA_RESP_ERR__FATAL
        throw error
    }
}
