import Logging
import NIOCore

extension BrokerCore {
    /// Kafka's transaction.max.timeout.ms.
    static let longestTransaction: Int32 = 900_000

    func handleInitProducerID(_ reader: inout KafkaReader, _ reply: PendingReply, now: Int64) throws(WireError) {
        let version = reply.version
        let transactionalID = try reader.nullableString()
        let timeout = try reader.int32()
        var claimed: (producerID: Int64, epoch: Int16)?
        if version >= 3 {
            let identity = (try reader.int64(), try reader.int16())
            if identity.0 >= 0 { claimed = identity }
        }
        try finish(&reader)
        let (error, producerID, epoch) = initialize(transactionalID, timeout, claimed, version, now: now)
        var writer = reply.writer()
        writer.int32(0)
        writer.error(error)
        writer.int64(producerID)
        writer.int16(epoch)
        writer.tags()
        answer(reply, writer)
    }

    private func initialize(
        _ transactionalID: String?, _ timeout: Int32, _ claimed: (producerID: Int64, epoch: Int16)?, _ version: Int16, now: Int64
    ) -> (KafkaError, Int64, Int16) {
        let failure: (KafkaError, Int64, Int16) = (.coordinatorNotAvailable, -1, -1)
        let fresh = state.nextProducerID
        guard let transactionalID else {
            return record(.producerIDs(next: fresh + 1), now: now) ? (.none, fresh, 0) : failure
        }
        guard !transactionalID.isEmpty else { return (.invalidRequest, -1, -1) }
        guard timeout > 0, timeout <= Self.longestTransaction else { return (.invalidTransactionTimeout, -1, -1) }
        var identity: (producerID: Int64, epoch: Int16) = (fresh, 0)
        if let known = state.transactions[transactionalID] {
            switch known.initialize(claimed: claimed) {
            case .reject: return (version >= 4 ? .producerFenced : .invalidProducerEpoch, -1, -1)
            case .repeated: return (.none, known.producerID, known.epoch)
            case .bump: break
            }
            if known.state == .ongoing {
                // Whoever had it open is a zombie now: its transaction ends here, and its epoch with it.
                let epoch = known.epochIsExhausted ? known.epoch : known.epoch + 1
                let end = JournalEntry.transactionEnded(id: transactionalID, commit: false, epoch: epoch, time: now)
                guard record(end, now: now) else { return failure }
            }
            if let current = state.transactions[transactionalID], !current.epochIsExhausted {
                identity = (current.producerID, current.epoch + 1)
            }
        }
        if identity.producerID == fresh { guard record(.producerIDs(next: fresh + 1), now: now) else { return failure } }
        let entry = JournalEntry.transactionInitialized(
            id: transactionalID, producerID: identity.producerID, epoch: identity.epoch, timeoutMilliseconds: timeout, time: now)
        return record(entry, now: now) ? (.none, identity.producerID, identity.epoch) : failure
    }

    /// The standing of a producer that asks something of its transaction, in the words of the request's version.
    private func standing(_ transactionalID: String, _ producerID: Int64, _ epoch: Int16, _ version: Int16) -> KafkaError {
        guard let transaction = state.transactions[transactionalID] else { return .invalidProducerIDMapping }
        let error = transaction.check(producerID: producerID, epoch: epoch)
        // PRODUCER_FENCED exists since version 2 of these requests (KIP-588).
        return error == .producerFenced && version < 2 ? .invalidProducerEpoch : error
    }

    func handleAddPartitionsToTxn(_ reader: inout KafkaReader, _ reply: PendingReply, now: Int64) throws(WireError) {
        let transactionalID = try reader.string()
        let producerID = try reader.int64()
        let epoch = try reader.int16()
        let topics = try reader.array { (r: inout KafkaReader) throws(WireError) in
            let topic = (try r.string(), try r.array { (r: inout KafkaReader) throws(WireError) in try r.int32() })
            try r.tags()
            return topic
        }
        try finish(&reader)
        var error = standing(transactionalID, producerID, epoch, reply.version)
        var found: [PartitionID] = []
        var missing: Set<TopicPartition> = []
        for (topic, indexes) in topics {
            for index in indexes {
                if let log = state.partition(topic, index) {
                    found.append(log.id)
                } else {
                    missing.insert(TopicPartition(topic: topic, partition: index))
                }
            }
        }
        let known = state.transactions[transactionalID]
        let isNew = known?.state != .ongoing || !found.allSatisfy { known?.partitions.contains($0) == true }
        if error == .none, missing.isEmpty, isNew,
            !record(.transactionPartitions(id: transactionalID, partitions: found, time: now), now: now)
        {
            error = .coordinatorNotAvailable
        }
        var writer = reply.writer()
        writer.int32(0)
        writer.array(topics) { writer, topic in
            writer.string(topic.0)
            writer.array(topic.1) { writer, index in
                writer.int32(index)
                if error != .none {
                    writer.error(error)
                } else if missing.contains(TopicPartition(topic: topic.0, partition: index)) {
                    writer.error(.unknownTopicOrPartition)
                } else {
                    writer.error(missing.isEmpty ? .none : .operationNotAttempted)
                }
                writer.tags()
            }
            writer.tags()
        }
        writer.tags()
        // A batch to a partition that was not added is refused, so the produce request's own wait is enough.
        answerEarly(reply, writer)
    }

    func handleAddOffsetsToTxn(_ reader: inout KafkaReader, _ reply: PendingReply, now: Int64) throws(WireError) {
        let transactionalID = try reader.string()
        let producerID = try reader.int64()
        let epoch = try reader.int16()
        let groupID = try reader.string()
        try finish(&reader)
        var error = standing(transactionalID, producerID, epoch, reply.version)
        let known = state.transactions[transactionalID]
        if error == .none, known?.state != .ongoing || known?.groups.contains(groupID) != true,
            !record(.transactionGroup(id: transactionalID, group: groupID, time: now), now: now)
        {
            error = .coordinatorNotAvailable
        }
        // Offsets for a group that was not added are refused, and TxnOffsetCommit waits.
        answerEarly(reply, errorAnswer(error, reply))
    }

    func handleEndTxn(_ reader: inout KafkaReader, _ reply: PendingReply, now: Int64) throws(WireError) {
        let transactionalID = try reader.string()
        let producerID = try reader.int64()
        let epoch = try reader.int16()
        let commit = try reader.bool()
        try finish(&reader)
        guard let transaction = state.transactions[transactionalID] else { return answerError(.invalidProducerIDMapping, reply) }
        switch transaction.end(commit: commit, producerID: producerID, epoch: epoch) {
        case .alreadyDone: answerError(.none, reply)
        case .reject(let error): answerError(error == .producerFenced && reply.version < 2 ? .invalidProducerEpoch : error, reply)
        case .perform:
            let end = JournalEntry.transactionEnded(id: transactionalID, commit: commit, epoch: epoch, time: now)
            answerError(record(end, now: now) ? .none : .coordinatorNotAvailable, reply)
        }
    }

    private func answerError(_ error: KafkaError, _ reply: PendingReply) { answer(reply, errorAnswer(error, reply)) }

    private func errorAnswer(_ error: KafkaError, _ reply: PendingReply) -> KafkaWriter {
        var writer = reply.writer()
        writer.int32(0)
        writer.error(error)
        writer.tags()
        return writer
    }

    /// Kafka's transactional.id.expiration.ms.
    static let forgottenAfter: Int64 = 7 * 24 * 3600 * 1000

    /// Forgets transactional ids that nobody has used for a week.
    func forgetIdleTransactions(now: Int64) {
        for (id, transaction) in state.transactions
        where transaction.state != .ongoing && transaction.changed < now - Self.forgottenAfter {
            _ = record(.transactionForgotten(id: id), now: now)
        }
    }

    /// A transaction that the last tick found open.
    struct OpenTransaction {
        /// Which of its id's transactions it is: `TransactionSnapshot.started`.
        var started: Int64
        /// When a tick found it first, by the clock that only goes forward.
        var since: Int64
    }

    /// Aborts what has been open for too long, with a new epoch, so that its producer learns of it. The wall clock may step; so how long
    /// is counted by the other one, from the first tick that saw the transaction, and anew after a restart.
    func expireTransactions() {
        let (monotonic, now) = (monotonic, wallClockMilliseconds())
        var open: [String: OpenTransaction] = [:]
        for (id, transaction) in state.transactions where transaction.state == .ongoing {
            var seen = OpenTransaction(started: transaction.started, since: monotonic)
            if let before = openTransactions[id], before.started == seen.started { seen.since = before.since }
            open[id] = seen
            guard seen.since + Int64(transaction.timeoutMilliseconds) < monotonic else { continue }
            logger.notice("a transaction took too long and is aborted", metadata: ["transaction": "\(id)"])
            let epoch = transaction.epochIsExhausted ? transaction.epoch : transaction.epoch + 1
            _ = record(.transactionEnded(id: id, commit: false, epoch: epoch, time: now), now: now)
        }
        openTransactions = open
    }
}
