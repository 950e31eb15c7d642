import NIOCore

extension BrokerCore {
    /// Kafka's offset.metadata.max.bytes.
    static let largestMetadata = 4096

    struct CommitTopic {
        var name: String
        var partitions: [(index: Int32, offset: CommittedOffset)]
    }

    /// Sorts what may be committed from what may not.
    private func sift(_ topics: [CommitTopic], _ standing: KafkaError) -> (
        accepted: [TopicPartition: CommittedOffset], answers: [(String, [(Int32, KafkaError)])]
    ) {
        var accepted: [TopicPartition: CommittedOffset] = [:]
        let answers = topics.map { topic in
            (
                topic.name,
                topic.partitions.map { partition -> (Int32, KafkaError) in
                    var error = standing
                    if error == .none, state.partition(topic.name, partition.index) == nil { error = .unknownTopicOrPartition }
                    if error == .none, (partition.offset.metadata?.utf8.count ?? 0) > Self.largestMetadata {
                        error = .offsetMetadataTooLarge
                    }
                    if error == .none { accepted[TopicPartition(topic: topic.name, partition: partition.index)] = partition.offset }
                    return (partition.index, error)
                }
            )
        }
        return (accepted, answers)
    }

    private func answerCommit(_ answers: [(String, [(Int32, KafkaError)])], _ reply: PendingReply, throttle: Bool) {
        var writer = reply.writer()
        if throttle { writer.int32(0) }
        writer.array(answers) { writer, topic in
            writer.string(topic.0)
            writer.array(topic.1) { writer, partition in
                writer.int32(partition.0)
                writer.error(partition.1)
                writer.tags()
            }
            writer.tags()
        }
        writer.tags()
        answer(reply, writer)
    }

    func handleOffsetCommit(_ reader: inout KafkaReader, _ reply: PendingReply, now: Int64) throws(WireError) {
        let version = reply.version
        let groupID = try reader.string()
        let generation = try reader.int32()
        let memberID = try reader.string()
        let instanceID = version >= 7 ? try reader.nullableString() : nil
        if (2...4).contains(version) { _ = try reader.int64() }
        let topics = try Self.commitTopics(&reader, leaderEpoch: version >= 6, now: now)
        try finish(&reader)
        var standing = KafkaError.none
        if groupID.isEmpty {
            standing = .invalidGroupID
        } else if state.groups[groupID] == nil {
            standing = generation < 0 ? .none : .illegalGeneration
        } else {
            standing =
                state.groups[groupID]?.machine.checkCommit(
                    memberID: memberID, instanceID: instanceID, generation: generation, transactional: false, now: monotonic) ?? .none
        }
        var (accepted, answers) = sift(topics, standing)
        if !accepted.isEmpty, !record(.offsetsCommitted(group: groupID, offsets: accepted), now: now) {
            answers = sift(topics, .coordinatorNotAvailable).answers
            accepted = [:]
        }
        answerCommit(answers, reply, throttle: version >= 3)
    }

    private static func commitTopics(_ reader: inout KafkaReader, leaderEpoch: Bool, now: Int64) throws(WireError) -> [CommitTopic] {
        try reader.array { (r: inout KafkaReader) throws(WireError) in
            let name = try r.string()
            let partitions = try r.array { (r: inout KafkaReader) throws(WireError) in
                let index = try r.int32()
                let offset = try r.int64()
                let epoch = leaderEpoch ? try r.int32() : -1
                let metadata = try r.nullableString()
                try r.tags()
                return (index: index, offset: CommittedOffset(offset: offset, leaderEpoch: epoch, metadata: metadata, time: now))
            }
            try r.tags()
            return CommitTopic(name: name, partitions: partitions)
        }
    }

    func handleTxnOffsetCommit(_ reader: inout KafkaReader, _ reply: PendingReply, now: Int64) throws(WireError) {
        let version = reply.version
        let transactionalID = try reader.string()
        let groupID = try reader.string()
        let producerID = try reader.int64()
        let epoch = try reader.int16()
        var (generation, memberID, instanceID): (Int32, String, String?) = (-1, "", nil)
        if version >= 3 {
            generation = try reader.int32()
            memberID = try reader.string()
            instanceID = try reader.nullableString()
        }
        let topics = try Self.commitTopics(&reader, leaderEpoch: version >= 2, now: now)
        try finish(&reader)
        var standing = KafkaError.none
        if let transaction = state.transactions[transactionalID] {
            standing = transaction.check(producerID: producerID, epoch: epoch)
            if standing == .producerFenced { standing = .invalidProducerEpoch }
            if standing == .none, transaction.state != .ongoing || !transaction.groups.contains(groupID) { standing = .invalidTxnState }
        } else {
            standing = .invalidProducerIDMapping
        }
        if standing == .none {
            if state.groups[groupID] != nil {
                standing =
                    state.groups[groupID]?.machine.checkCommit(
                        memberID: memberID, instanceID: instanceID, generation: generation, transactional: true, now: monotonic) ?? .none
            } else if generation >= 0 {
                standing = .illegalGeneration
            }
        }
        var (accepted, answers) = sift(topics, standing)
        if !accepted.isEmpty, !record(.transactionOffsets(producerID: producerID, group: groupID, offsets: accepted), now: now) {
            answers = sift(topics, .coordinatorNotAvailable).answers
            accepted = [:]
        }
        answerCommit(answers, reply, throttle: true)
    }

    func handleOffsetFetch(_ reader: inout KafkaReader, _ reply: PendingReply) throws(WireError) {
        let version = reply.version
        var groups: [(id: String, topics: [(String, [Int32])]?)] = []
        if version >= 8 {
            groups = try reader.array { (r: inout KafkaReader) throws(WireError) in
                let group = (id: try r.string(), topics: try Self.offsetTopics(&r))
                try r.tags()
                return group
            }
        } else {
            groups = [(try reader.string(), try Self.offsetTopics(&reader))]
        }
        let stable = version >= 7 ? try reader.bool() : false
        try finish(&reader)
        var writer = reply.writer(capacity: 512)
        if version >= 3 { writer.int32(0) }
        if version >= 8 {
            writer.array(groups) { writer, group in
                writer.string(group.id)
                writeOffsets(&writer, group.id, group.topics, stable: stable, version)
                writer.error(.none)
                writer.tags()
            }
        } else if let group = groups.first {
            writeOffsets(&writer, group.id, group.topics, stable: stable, version)
            if version >= 2 { writer.error(.none) }
        }
        writer.tags()
        answer(reply, writer)
    }

    private static func offsetTopics(_ reader: inout KafkaReader) throws(WireError) -> [(String, [Int32])]? {
        try reader.nullableArray { (r: inout KafkaReader) throws(WireError) in
            let topic = (try r.string(), try r.array { (r: inout KafkaReader) throws(WireError) in try r.int32() })
            try r.tags()
            return topic
        }
    }

    private func writeOffsets(
        _ writer: inout KafkaWriter, _ groupID: String, _ wanted: [(String, [Int32])]?, stable: Bool, _ version: Int16
    ) {
        let group = state.groups[groupID]
        let all = Dictionary(grouping: group?.offsets.keys.map { $0 } ?? [], by: \.topic)
            .map { ($0.key, $0.value.map(\.partition).sorted()) }.sorted { $0.0 < $1.0 }
        writer.array(wanted ?? all) { writer, topic in
            writer.string(topic.0)
            writer.array(topic.1) { writer, index in
                let partition = TopicPartition(topic: topic.0, partition: index)
                // Until the transaction ends nobody may start from what it will replace (KIP-447).
                let unstable = stable && group?.pendingOffsets.values.contains { $0[partition] != nil } == true
                let offset = unstable ? nil : group?.offsets[partition]
                writer.int32(index)
                writer.int64(offset?.offset ?? -1)
                if version >= 5 { writer.int32(offset?.leaderEpoch ?? -1) }
                writer.nullableString(offset == nil ? "" : offset?.metadata ?? "")
                writer.error(unstable ? .unstableOffsetCommit : .none)
                writer.tags()
            }
            writer.tags()
        }
    }
}
