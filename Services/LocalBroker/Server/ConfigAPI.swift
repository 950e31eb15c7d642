import NIOCore

extension BrokerCore {
    private static let topicResource: Int8 = 2
    private static let brokerResource: Int8 = 4

    func handleDescribeConfigs(_ reader: inout KafkaReader, _ reply: PendingReply) throws(WireError) {
        let version = reply.version
        let resources = try reader.array { (r: inout KafkaReader) throws(WireError) in
            let resource = (
                try r.int8(), try r.string(), try r.nullableArray { (r: inout KafkaReader) throws(WireError) in try r.string() }
            )
            try r.tags()
            return resource
        }
        if version >= 1 { _ = try reader.bool() }
        if version >= 3 { _ = try reader.bool() }
        try finish(&reader)
        var writer = reply.writer(capacity: 1024)
        writer.int32(0)
        writer.array(resources) { writer, resource in
            let (type, name, wanted) = resource
            var error = KafkaError.none
            var values: [(String, String?, isSet: Bool, readOnly: Bool)] = []
            if type == Self.topicResource {
                if let topic = state.topics[name] {
                    values = TopicLimits.names.map {
                        (
                            $0, topic.limits.value(of: $0, defaultSegmentBytes: configuration.segmentBytes),
                            isSet: topic.settings[$0] != nil, readOnly: false
                        )
                    }
                } else {
                    error = .unknownTopicOrPartition
                }
            } else if type == Self.brokerResource {
                values = [
                    ("auto.create.topics.enable", "\(configuration.autoCreateTopics)", isSet: true, readOnly: true),
                    ("num.partitions", "\(configuration.defaultPartitions)", isSet: true, readOnly: true),
                    ("log.segment.bytes", "\(configuration.segmentBytes)", isSet: true, readOnly: true),
                    ("default.replication.factor", "1", isSet: true, readOnly: true),
                    ("socket.request.max.bytes", "\(configuration.maxRequestBytes)", isSet: true, readOnly: true),
                ]
            } else {
                error = .invalidRequest
            }
            values = values.filter { value in wanted == nil || wanted?.contains(value.0) == true }
            writer.error(error)
            writer.nullableString(nil)
            writer.int8(type)
            writer.string(name)
            writer.array(values) { writer, value in
                writer.string(value.0)
                writer.nullableString(value.1)
                writer.bool(value.readOnly)
                if version == 0 { writer.bool(!value.isSet) } else { writer.int8(value.isSet ? (type == Self.topicResource ? 1 : 4) : 5) }
                writer.bool(false)
                if version >= 1 { writer.arrayCount(0) }
                if version >= 3 {
                    writer.int8(0)
                    writer.nullableString(nil)
                }
                writer.tags()
            }
            writer.tags()
        }
        writer.tags()
        answer(reply, writer)
    }

    /// AlterConfigs replaces all settings of a topic; IncrementalAlterConfigs sets (0) or removes (1) single ones.
    func handleAlterConfigs(_ reader: inout KafkaReader, _ reply: PendingReply, incremental: Bool, now: Int64) throws(WireError) {
        let resources = try reader.array { (r: inout KafkaReader) throws(WireError) in
            let (type, name) = (try r.int8(), try r.string())
            let settings = try r.array { (r: inout KafkaReader) throws(WireError) in
                let setting = (try r.string(), incremental ? try r.int8() : 0, try r.nullableString())
                try r.tags()
                return setting
            }
            try r.tags()
            return (type, name, settings)
        }
        let validateOnly = try reader.bool()
        try finish(&reader)
        var writer = reply.writer(capacity: 512)
        writer.int32(0)
        writer.array(resources) { writer, resource in
            let (type, name, changes) = resource
            let outcome = alter(type, name, changes, incremental: incremental, validateOnly: validateOnly, now: now)
            writer.error(outcome.0)
            writer.nullableString(outcome.1)
            writer.int8(type)
            writer.string(name)
            writer.tags()
        }
        writer.tags()
        answer(reply, writer)
    }

    private func alter(
        _ type: Int8, _ name: String, _ changes: [(String, Int8, String?)], incremental: Bool, validateOnly: Bool, now: Int64
    ) -> (KafkaError, String?) {
        guard type == Self.topicResource else { return (.invalidRequest, "only topics can be configured while the broker runs") }
        guard let topic = state.topics[name] else { return (.unknownTopicOrPartition, nil) }
        var settings = incremental ? topic.settings : [:]
        for (key, operation, value) in changes {
            switch (operation, value) {
            case (0, .some(let value)):
                if let fault = TopicLimits.fault(in: key, value) { return (.invalidConfig, fault) }
                settings[key] = value
            case (0, .none), (1, _): settings[key] = nil
            default: return (.invalidConfig, "\(key) is no list: only set and delete apply")
            }
        }
        if validateOnly { return (.none, nil) }
        return record(.topicConfigured(name: name, settings: settings), now: now) ? (.none, nil) : (.kafkaStorageError, nil)
    }
}
