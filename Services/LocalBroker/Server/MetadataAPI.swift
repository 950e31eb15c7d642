import NIOCore

extension BrokerCore {
    func handleMetadata(_ reader: inout KafkaReader, _ reply: PendingReply, now: Int64) throws(WireError) {
        let version = reply.version
        let names = try reader.nullableArray { (r: inout KafkaReader) throws(WireError) in
            let name = try r.string()
            try r.tags()
            return name
        }
        var create = configuration.autoCreateTopics
        if version >= 4 { create = try reader.bool() && create }
        if version >= 8 {
            _ = try reader.bool()
            _ = try reader.bool()
        }
        try finish(&reader)
        // In version 0 an empty list means all topics, since then null does.
        let all = names == nil || (version == 0 && names?.isEmpty == true)
        let wanted = all ? state.topics.keys.sorted() : names ?? []
        var writer = reply.writer(capacity: 1024)
        if version >= 3 { writer.int32(0) }
        writer.arrayCount(1)
        writeNode(&writer, rack: version >= 1)
        writer.tags()
        if version >= 2 { writer.nullableString(clusterID) }
        if version >= 1 { writer.int32(Self.nodeID) }
        writer.array(wanted) { writer, name in
            var error = KafkaError.none
            if state.topics[name] == nil, !all {
                error =
                    create
                    ? createTopic(name, partitions: configuration.defaultPartitions, settings: [:], now: now).0 : .unknownTopicOrPartition
            }
            writeTopic(&writer, name, error, version)
        }
        if (8...10).contains(version) { writer.int32(Int32.min) }
        writer.tags()
        answer(reply, writer)
    }

    private func writeNode(_ writer: inout KafkaWriter, rack: Bool) {
        writer.int32(Self.nodeID)
        writer.string(advertised.host)
        writer.int32(advertised.port)
        if rack { writer.nullableString(nil) }
    }

    private func writeTopic(_ writer: inout KafkaWriter, _ name: String, _ error: KafkaError, _ version: Int16) {
        writer.error(error)
        writer.string(name)
        if version >= 1 { writer.bool(false) }
        writer.array(state.topics[name]?.partitions ?? []) { writer, log in
            writer.error(.none)
            writer.int32(log.id.partition)
            writer.int32(Self.nodeID)
            if version >= 7 { writer.int32(0) }
            writer.arrayCount(1)
            writer.int32(Self.nodeID)
            writer.arrayCount(1)
            writer.int32(Self.nodeID)
            if version >= 5 { writer.arrayCount(0) }
            writer.tags()
        }
        if version >= 8 { writer.int32(Int32.min) }
        writer.tags()
    }

    func handleFindCoordinator(_ reader: inout KafkaReader, _ reply: PendingReply) throws(WireError) {
        let version = reply.version
        var keys: [String] = []
        if version < 4 { keys = [try reader.string()] }
        let type = version >= 1 ? try reader.int8() : 0
        if version >= 4 { keys = try reader.array { (r: inout KafkaReader) throws(WireError) in try r.string() } }
        try finish(&reader)
        let error: KafkaError = (0...1).contains(type) ? .none : .invalidRequest
        var writer = reply.writer()
        if version >= 1 { writer.int32(0) }
        if version >= 4 {
            writer.array(keys) { writer, key in
                writer.string(key)
                writeNode(&writer, rack: false)
                writer.error(error)
                writer.nullableString(nil)
                writer.tags()
            }
        } else {
            writer.error(error)
            if version >= 1 { writer.nullableString(nil) }
            writeNode(&writer, rack: false)
        }
        writer.tags()
        answer(reply, writer)
    }

    func handleDescribeCluster(_ reader: inout KafkaReader, _ reply: PendingReply) throws(WireError) {
        _ = try reader.bool()
        try finish(&reader)
        var writer = reply.writer()
        writer.int32(0)
        writer.error(.none)
        writer.nullableString(nil)
        writer.string(clusterID)
        writer.int32(Self.nodeID)
        writer.arrayCount(1)
        writeNode(&writer, rack: true)
        writer.tags()
        writer.int32(Int32.min)
        writer.tags()
        answer(reply, writer)
    }

    /// There is no authentication here, and a client that asks for it is told so.
    func handleSASLHandshake(_ reader: inout KafkaReader, _ reply: PendingReply) throws(WireError) {
        _ = try reader.string()
        try finish(&reader)
        var writer = reply.writer()
        writer.error(.unsupportedSASLMechanism)
        writer.arrayCount(0)
        answer(reply, writer)
    }
}
