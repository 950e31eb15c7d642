import Logging
import NIOCore
import NIOPosix

extension BrokerCore {
    private struct OffsetQuestion: Sendable {
        var index: Int32
        var error: KafkaError = .none
        var timestamp: Int64 = -1
        var offset: Int64 = -1
        /// Segments that may hold the answer, oldest first, each with its end.
        var candidates: [(files: SegmentFiles, indexSize: Int64, end: Int64)] = []
        var wanted: Int64 = 0
        var logStart: Int64 = 0
    }

    /// ListOffsets: -2 earliest, -1 latest (the last stable offset for `read_committed`), otherwise the first record at or
    /// after a time.
    func handleListOffsets(_ reader: inout KafkaReader, _ reply: PendingReply) throws(WireError) {
        let version = reply.version
        _ = try reader.int32()
        let committed = version >= 2 ? try reader.int8() == 1 : false
        let topics = try reader.array { (r: inout KafkaReader) throws(WireError) in
            let name = try r.string()
            let partitions = try r.array { (r: inout KafkaReader) throws(WireError) in
                let index = try r.int32()
                let epoch = version >= 4 ? try r.int32() : -1
                let timestamp = try r.int64()
                try r.tags()
                return (index, epoch, timestamp)
            }
            try r.tags()
            return (name, partitions)
        }
        try finish(&reader)
        let questions = topics.map { name, partitions in
            (name, partitions.map { question(name, index: $0.0, epoch: $0.1, timestamp: $0.2, committed: committed) })
        }
        if questions.allSatisfy({ $0.1.allSatisfy(\.candidates.isEmpty) }) {
            answer(reply, Self.encodeOffsets(questions, reply))
            return
        }
        let (ioLoop, logger) = (ioLoops[reply.connection.loopIndex], self.logger)
        readerPool.submit { _ in
            let answered = questions.map { name, partitions in
                (
                    name,
                    partitions.map { question in
                        var question = question
                        for candidate in question.candidates {
                            do throws(FileError) {
                                guard
                                    let hit = try LogReader.find(
                                        timestamp: question.wanted, in: candidate.files, indexSize: candidate.indexSize,
                                        endPosition: candidate.end)
                                else { continue }
                                question.offset = max(hit.offset, question.logStart)
                                question.timestamp = hit.timestamp
                            } catch {
                                logger.error("a segment cannot be searched", metadata: ["error": "\(error)"])
                                question.error = .kafkaStorageError
                            }
                            break
                        }
                        return question
                    }
                )
            }
            BrokerCore.send([Reply(to: reply, content: .frame(Self.encodeOffsets(answered, reply).finish()))], on: ioLoop)
        }
    }

    private func question(_ topic: String, index: Int32, epoch: Int32, timestamp: Int64, committed: Bool) -> OffsetQuestion {
        var question = OffsetQuestion(index: index)
        guard let log = state.partition(topic, index) else {
            question.error = .unknownTopicOrPartition
            return question
        }
        guard epoch <= 0 else {
            question.error = .unknownLeaderEpoch
            return question
        }
        let limit = committed ? log.lastStable : log.highWatermark
        switch timestamp {
        case -1: question.offset = limit.offset
        case -2: question.offset = log.logStart
        case ..<0: question.error = .unsupportedForMessageFormat
        default:
            question.wanted = timestamp
            question.logStart = log.logStart
            for segment in log.segments where segment.maxTimestamp >= timestamp && segment.baseOffset <= limit.segmentBase {
                let end = segment.baseOffset == limit.segmentBase ? limit.position : segment.size
                question.candidates.append((segment.files, segment.indexSize, end))
                if question.candidates.count == 2 { break }
            }
        }
        return question
    }

    private static func encodeOffsets(_ topics: [(String, [OffsetQuestion])], _ reply: PendingReply) -> KafkaWriter {
        var writer = reply.writer()
        if reply.version >= 2 { writer.int32(0) }
        writer.array(topics) { writer, topic in
            writer.string(topic.0)
            writer.array(topic.1) { writer, question in
                writer.int32(question.index)
                writer.error(question.error)
                writer.int64(question.timestamp)
                writer.int64(question.offset)
                if reply.version >= 4 { writer.int32(question.offset < 0 ? -1 : 0) }
                writer.tags()
            }
            writer.tags()
        }
        writer.tags()
        return writer
    }

    /// There is one leader epoch, 0, for ever: it ends where the log ends.
    func handleOffsetForLeaderEpoch(_ reader: inout KafkaReader, _ reply: PendingReply) throws(WireError) {
        let version = reply.version
        if version >= 3 { _ = try reader.int32() }
        let topics = try reader.array { (r: inout KafkaReader) throws(WireError) in
            let name = try r.string()
            let partitions = try r.array { (r: inout KafkaReader) throws(WireError) in
                let index = try r.int32()
                let current = version >= 2 ? try r.int32() : -1
                let epoch = try r.int32()
                try r.tags()
                return (index, current, epoch)
            }
            try r.tags()
            return (name, partitions)
        }
        try finish(&reader)
        var writer = reply.writer()
        if version >= 2 { writer.int32(0) }
        writer.array(topics) { writer, topic in
            writer.string(topic.0)
            writer.array(topic.1) { writer, partition in
                let log = state.partition(topic.0, partition.0)
                let error: KafkaError = log == nil ? .unknownTopicOrPartition : partition.1 > 0 ? .unknownLeaderEpoch : .none
                let known = error == .none && partition.2 == 0
                writer.error(error)
                writer.int32(partition.0)
                if version >= 1 { writer.int32(known ? 0 : -1) }
                writer.int64(known ? log?.highWatermark.offset ?? -1 : -1)
                writer.tags()
            }
            writer.tags()
        }
        writer.tags()
        answer(reply, writer)
    }
}
