import NIOCore
import NIOPosix

/// A fetch that waits for data.
struct WaitingFetch {
    var request: FetchRequest
    var reply: PendingReply
    var timer: Scheduled<Void>
    var partitions: [PartitionID]
}

/// One partition's part of a fetch answer, before its records are read.
struct FetchPart: Sendable {
    var index: Int32
    var error: KafkaError = .none
    var highWatermark: Int64 = -1
    var lastStable: Int64 = -1
    var logStart: Int64 = -1
    var aborted: ArraySlice<AbortedTransaction>?
    var read: ReadPlan?
}

extension BrokerCore {
    /// Of one answer, whatever the client allows: bounds what a slow reader can make us hold.
    static let largestFetch = 16 << 20

    func handleFetch(_ request: FetchRequest, _ reply: PendingReply) {
        if request.sessionID != 0 {
            var writer = reply.writer()
            writer.int32(0)
            writer.error(.fetchSessionIDNotFound)
            writer.int32(0)
            writer.arrayCount(0)
            writer.tags()
            deliver([Reply(to: reply, content: .frame(writer.finish()))])
            return
        }
        if request.maxWaitMilliseconds > 0, !isSatisfied(request) {
            wait(request, reply)
        } else {
            answerFetch(request, reply)
        }
    }

    /// Whether there is enough to answer at once: `minBytes`, or an error that the client should hear.
    private func isSatisfied(_ request: FetchRequest) -> Bool {
        var available: Int64 = 0
        var asked = false
        for topic in request.topics {
            for partition in topic.partitions {
                asked = true
                guard let log = state.partition(topic.name, partition.index), partition.leaderEpoch <= 0 else { return true }
                let limit = request.readCommitted ? log.lastStable : log.highWatermark
                guard partition.offset >= log.logStart, partition.offset <= log.logEnd else { return true }
                guard partition.offset < limit.offset else { continue }
                if let place = log.recentPlace(of: partition.offset), place.segmentBase == limit.segmentBase {
                    available += max(1, min(limit.position - place.position, Int64(partition.maxBytes)))
                } else {
                    available += Int64(max(1, partition.maxBytes))
                }
            }
        }
        return !asked && request.minBytes <= 0 || available >= Int64(max(1, request.minBytes))
    }

    private func wait(_ request: FetchRequest, _ reply: PendingReply) {
        nextFetch += 1
        let number = nextFetch
        var partitions: [PartitionID] = []
        for topic in request.topics {
            for partition in topic.partitions {
                guard let log = state.partition(topic.name, partition.index) else { continue }
                log.waiters.append(number)
                partitions.append(log.id)
            }
        }
        let me = bound(self)
        let timer = loop.scheduleTask(in: .milliseconds(Int64(min(request.maxWaitMilliseconds, 300_000)))) { me.value.endFetch(number) }
        fetches[number] = WaitingFetch(request: request, reply: reply, timer: timer, partitions: partitions)
    }

    private func endFetch(_ number: Int) {
        guard let waiting = removeFetch(number) else { return }
        answerFetch(waiting.request, waiting.reply)
    }

    private func removeFetch(_ number: Int) -> WaitingFetch? {
        guard let waiting = fetches.removeValue(forKey: number) else { return nil }
        waiting.timer.cancel()
        for id in waiting.partitions { state.partition(id)?.waiters.removeAll { $0 == number } }
        return waiting
    }

    /// A partition grew, or more of it became stable.
    func wakeFetches(of log: PartitionLog) {
        for number in log.waiters {
            guard let waiting = fetches[number], isSatisfied(waiting.request) else { continue }
            endFetch(number)
        }
    }

    func wakeFetches(ofTopic topic: Topic) {
        for log in topic.partitions { for number in log.waiters { endFetch(number) } }
    }

    func connectionClosed(_ id: Int) {
        for (number, waiting) in fetches where waiting.reply.connection.id == id { _ = removeFetch(number) }
    }

    private func answerFetch(_ request: FetchRequest, _ reply: PendingReply) {
        var topics: [(String, [FetchPart])] = []
        for topic in request.topics {
            topics.append((topic.name, topic.partitions.map { part(for: $0, topic: topic.name, request) }))
        }
        let budget = min(Int(max(0, request.maxBytes)), Self.largestFetch)
        let ioLoop = ioLoops[reply.connection.loopIndex]
        let logger = self.logger
        let content = topics
        if !topics.contains(where: { $0.1.contains { $0.read != nil } }) {
            BrokerCore.send([Reply(to: reply, content: .frame(FetchAnswer.encode(content, reply, budget: 0, logger)))], on: ioLoop)
            return
        }
        readerPool.submit { _ in
            let frame = FetchAnswer.encode(content, reply, budget: budget, logger)
            BrokerCore.send([Reply(to: reply, content: .frame(frame))], on: ioLoop)
        }
    }

    private func part(for partition: FetchRequest.Partition, topic: String, _ request: FetchRequest) -> FetchPart {
        guard let log = state.partition(topic, partition.index) else {
            return FetchPart(index: partition.index, error: .unknownTopicOrPartition)
        }
        let stable = log.lastStable
        var part = FetchPart(
            index: partition.index, highWatermark: log.highWatermark.offset, lastStable: stable.offset, logStart: log.logStart)
        if partition.leaderEpoch > 0 {
            part.error = .unknownLeaderEpoch
            return part
        }
        // Between the high watermark and the end lies what is on its way to the disk: not out of range, just not there yet.
        guard partition.offset >= log.logStart, partition.offset <= log.logEnd else {
            part.error = .offsetOutOfRange
            return part
        }
        let limit = request.readCommitted ? stable : log.highWatermark
        if request.readCommitted { part.aborted = [] }
        guard partition.offset < limit.offset else { return part }
        if request.readCommitted { part.aborted = log.abortedTransactions(from: partition.offset) }
        let segment = log.segments[log.segmentIndex(holding: partition.offset)]
        part.read = ReadPlan(
            files: segment.files, offset: partition.offset, exactPosition: log.recentPlace(of: partition.offset)?.position,
            indexSize: segment.indexSize, endPosition: limit.segmentBase == segment.baseOffset ? limit.position : segment.size,
            maxBytes: Int(max(0, partition.maxBytes)))
        return part
    }
}
