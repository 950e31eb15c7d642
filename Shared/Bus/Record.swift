/// A record that was read. The bytes are copied out of librdkafka's buffers once.
public struct Record: Sendable {
    public var topic: String
    public var partition: Int32
    public var offset: Int64
    public var key: [UInt8]
    public var value: [UInt8]
    /// When it was written, in milliseconds since 1970; 0 where that is not known.
    public var timestamp: Int64

    public init(topic: String, partition: Int32, offset: Int64, key: [UInt8], value: [UInt8], timestamp: Int64 = 0) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.key = key
        self.value = value
        self.timestamp = timestamp
    }

    /// `topic/partition/offset`: names one record for ever.
    public var position: String { "\(topic)/\(partition)/\(offset)" }
}

/// A record to write. The partition follows from the key (murmur2, as the Java client has it) unless it is given.
public struct OutgoingRecord: Sendable {
    public var topic: String
    public var partition: Int32?
    public var key: [UInt8]
    public var value: [UInt8]

    public init(topic: String, partition: Int32? = nil, key: [UInt8], value: [UInt8]) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
    }

    public init(topic: String, key: String, value: [UInt8]) {
        self.init(topic: topic, key: Array(key.utf8), value: value)
    }
}

/// A partition of a topic.
public struct TopicPartition: Hashable, Sendable {
    public var topic: String
    public var partition: Int32

    public init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }
}
