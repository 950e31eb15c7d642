import Logging
import NIOCore

extension BrokerCore {
    /// Every request but produce and fetch.
    func handleOther(_ request: Request, _ body: ByteBuffer, now: Int64) throws(WireError) {
        let reply = request.reply
        var reader = KafkaReader(body, flexible: reply.api.isFlexible(reply.version))
        switch reply.api {
        case .produce, .fetch, .apiVersions: throw .unsupported(apiKey: reply.api.rawValue, version: reply.version)
        case .metadata: try handleMetadata(&reader, reply, now: now)
        case .listOffsets: try handleListOffsets(&reader, reply)
        case .offsetForLeaderEpoch: try handleOffsetForLeaderEpoch(&reader, reply)
        case .findCoordinator: try handleFindCoordinator(&reader, reply)
        case .describeCluster: try handleDescribeCluster(&reader, reply)
        case .saslHandshake: try handleSASLHandshake(&reader, reply)
        case .joinGroup: try handleJoinGroup(&reader, request)
        case .syncGroup: try handleSyncGroup(&reader, reply)
        case .heartbeat: try handleHeartbeat(&reader, reply)
        case .leaveGroup: try handleLeaveGroup(&reader, reply)
        case .describeGroups: try handleDescribeGroups(&reader, reply)
        case .listGroups: try handleListGroups(&reader, reply)
        case .deleteGroups: try handleDeleteGroups(&reader, reply, now: now)
        case .offsetCommit: try handleOffsetCommit(&reader, reply, now: now)
        case .offsetFetch: try handleOffsetFetch(&reader, reply)
        case .initProducerID: try handleInitProducerID(&reader, reply, now: now)
        case .addPartitionsToTxn: try handleAddPartitionsToTxn(&reader, reply, now: now)
        case .addOffsetsToTxn: try handleAddOffsetsToTxn(&reader, reply, now: now)
        case .txnOffsetCommit: try handleTxnOffsetCommit(&reader, reply, now: now)
        case .endTxn: try handleEndTxn(&reader, reply, now: now)
        case .createTopics: try handleCreateTopics(&reader, reply, now: now)
        case .deleteTopics: try handleDeleteTopics(&reader, reply, now: now)
        case .createPartitions: try handleCreatePartitions(&reader, reply, now: now)
        case .deleteRecords: try handleDeleteRecords(&reader, reply, now: now)
        case .describeConfigs: try handleDescribeConfigs(&reader, reply)
        case .alterConfigs: try handleAlterConfigs(&reader, reply, incremental: false, now: now)
        case .incrementalAlterConfigs: try handleAlterConfigs(&reader, reply, incremental: true, now: now)
        }
    }

    /// The body was read. Octets left over are passed over, as Kafka does: librdkafka leaves some behind when it asks for the
    /// metadata of all topics in version 9 (room for a count that it does not shrink).
    func finish(_ reader: inout KafkaReader) throws(WireError) {
        try reader.tags()
    }

    /// Records an entry; false (and a log line) when the disk does not let us.
    func record(_ entry: JournalEntry, now: Int64) -> Bool {
        do throws(FileError) {
            try state.record(entry, now: now)
            return true
        } catch {
            logger.error("a change cannot be recorded", metadata: ["error": "\(error)"])
            return false
        }
    }
}
