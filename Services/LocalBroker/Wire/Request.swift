import NIOCore

/// The header of every request. Source: Kafka protocol guide, "Request Header".
struct RequestHeader: Equatable, Sendable {
    var apiKey: Int16
    var apiVersion: Int16
    var correlationID: Int32
    var clientID: String?

    /// Reads the header off a frame (without its length). The body is what stays in `frame`.
    init(decoding frame: inout ByteBuffer) throws(WireError) {
        guard let apiKey = frame.readInteger(as: Int16.self), let apiVersion = frame.readInteger(as: Int16.self),
            let correlationID = frame.readInteger(as: Int32.self)
        else { throw .truncated }
        self.apiKey = apiKey
        self.apiVersion = apiVersion
        self.correlationID = correlationID
        // The client id keeps its old encoding even in the flexible header, so that ApiVersions can always be understood.
        var reader = KafkaReader(frame, flexible: false)
        self.clientID = try reader.nullableString()
        frame = reader.buffer
        guard let api = APIKey(rawValue: apiKey), api.versions.supported.contains(apiVersion), api.isFlexible(apiVersion) else { return }
        var tagged = KafkaReader(frame, flexible: true)
        try tagged.tags()
        frame = tagged.buffer
    }
}

/// One partition's records in a produce request, already checked.
struct ProducePartition: Sendable {
    var index: Int32
    var verdict: RecordBatchVerdict
    var records: ByteBuffer?
}

/// Produce, versions 3 to 9.
struct ProduceRequest: Sendable {
    struct Topic: Sendable {
        var name: String
        var partitions: [ProducePartition]
    }

    var transactionalID: String?
    var acks: Int16
    var topics: [Topic]

    init(decoding reader: inout KafkaReader) throws(WireError) {
        transactionalID = try reader.nullableString()
        acks = try reader.int16()
        _ = try reader.int32()  // timeout: nothing here waits for other brokers
        topics = try reader.array { (r: inout KafkaReader) throws(WireError) in
            let name = try r.string()
            let partitions = try r.array { (r: inout KafkaReader) throws(WireError) in
                let index = try r.int32()
                let records = try r.records()
                try r.tags()
                return ProducePartition(index: index, verdict: RecordBatchVerdict(checking: records), records: records)
            }
            try r.tags()
            return Topic(name: name, partitions: partitions)
        }
        try reader.tags()
    }
}

/// Fetch, versions 4 to 12.
struct FetchRequest: Sendable {
    struct Partition: Sendable {
        var index: Int32
        var leaderEpoch: Int32
        var offset: Int64
        var maxBytes: Int32
    }

    struct Topic: Sendable {
        var name: String
        var partitions: [Partition]
    }

    var maxWaitMilliseconds: Int32
    var minBytes: Int32
    var maxBytes: Int32
    var readCommitted: Bool
    var sessionID: Int32
    var topics: [Topic]

    init(decoding reader: inout KafkaReader, version: Int16) throws(WireError) {
        _ = try reader.int32()  // replica id
        maxWaitMilliseconds = try reader.int32()
        minBytes = try reader.int32()
        maxBytes = try reader.int32()
        readCommitted = try reader.int8() == 1
        sessionID = 0
        if version >= 7 {
            sessionID = try reader.int32()
            _ = try reader.int32()  // session epoch
        }
        topics = try reader.array { (r: inout KafkaReader) throws(WireError) in
            let name = try r.string()
            let partitions = try r.array { (r: inout KafkaReader) throws(WireError) in
                let index = try r.int32()
                let leaderEpoch = version >= 9 ? try r.int32() : -1
                let offset = try r.int64()
                if version >= 12 { _ = try r.int32() }  // last fetched epoch
                if version >= 5 { _ = try r.int64() }  // the follower's log start
                let maxBytes = try r.int32()
                try r.tags()
                return Partition(index: index, leaderEpoch: leaderEpoch, offset: offset, maxBytes: maxBytes)
            }
            try r.tags()
            return Topic(name: name, partitions: partitions)
        }
        if version >= 7 {
            _ = try reader.array { (r: inout KafkaReader) throws(WireError) in
                _ = try r.string()
                _ = try r.array { (r: inout KafkaReader) throws(WireError) in try r.int32() }
                try r.tags()
            }
        }
        if version >= 11 { _ = try reader.string() }
        try reader.tags()
    }
}
