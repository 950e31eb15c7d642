import CRdKafka

/// A topic as it is to be.
public struct TopicSpecification: Sendable, Hashable {
    public var name: String
    public var partitions: Int
    public var replication: Int
    public var settings: [String: String]

    public init(name: String, partitions: Int, replication: Int = 1, settings: [String: String] = [:]) {
        self.name = name
        self.partitions = partitions
        self.replication = replication
        self.settings = settings
    }
}

/// Looks after topics and reads positions. Its calls block: run them on a thread that may.
public final class Admin: Sendable {
    let handle: KafkaHandle
    let configuration: BusConfiguration

    public init(_ configuration: BusConfiguration) throws(BusError) {
        self.configuration = configuration
        handle = try KafkaHandle(.producer, configuration: configuration, settings: [])
    }

    /// Topic names with their number of partitions.
    public func topics(timeoutMilliseconds: Int32 = 5_000) throws(BusError) -> [String: Int] {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(handle.raw, 1, nil, &metadata, timeoutMilliseconds)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else {
            var error = BusError(code, doing: "the broker at \(configuration.bootstrap)")
            error.isRetriable = true
            throw error
        }
        defer { rd_kafka_metadata_destroy(metadata) }
        var topics: [String: Int] = [:]
        for index in 0..<Int(metadata.pointee.topic_cnt) {
            let topic = metadata.pointee.topics[index]
            topics[String(cString: topic.topic)] = Int(topic.partition_cnt)
        }
        return topics
    }

    /// Creates what is not there yet. One that exists already is left as it is.
    public func create(_ specifications: [TopicSpecification], timeoutMilliseconds: Int32 = 15_000) throws(BusError) {
        let existing = try topics(timeoutMilliseconds: timeoutMilliseconds)
        let missing = specifications.filter { existing[$0.name] == nil }
        guard !missing.isEmpty else { return }
        var news: [OpaquePointer?] = []
        defer { for new in news { rd_kafka_NewTopic_destroy(new) } }
        for specification in missing {
            var reason = [CChar](repeating: 0, count: 256)
            guard
                let new = rd_kafka_NewTopic_new(
                    specification.name, Int32(specification.partitions), Int32(specification.replication), &reason, reason.count)
            else { throw BusError(code: .invalidConfiguration, "topic \(specification.name): \(text(of: reason))") }
            for (name, value) in specification.settings { rd_kafka_NewTopic_set_config(new, name, value) }
            news.append(new)
        }
        guard let queue = rd_kafka_queue_new(handle.raw) else { return }
        defer { rd_kafka_queue_destroy(queue) }
        rd_kafka_CreateTopics(handle.raw, &news, news.count, nil, queue)
        guard let event = rd_kafka_queue_poll(queue, timeoutMilliseconds) else {
            throw BusError(code: .timedOut, "create topics: no answer", isRetriable: true)
        }
        defer { rd_kafka_event_destroy(event) }
        guard rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw BusError(rd_kafka_event_error(event), doing: "create topics")
        }
        guard let result = rd_kafka_event_CreateTopics_result(event) else { return }
        var count = 0
        guard let results = rd_kafka_CreateTopics_result_topics(result, &count) else { return }
        for index in 0..<count {
            let code = rd_kafka_topic_result_error(results[index])
            // Two processes may create the same topic at once; one of them is told so.
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS else {
                throw BusError(code, doing: "create topic \(String(cString: rd_kafka_topic_result_name(results[index])))")
            }
        }
    }
}
