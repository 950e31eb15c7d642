import Logging
import NIOCore

extension BrokerCore {
    func handleProduce(_ request: ProduceRequest, _ reply: PendingReply, now: Int64) {
        struct Outcome {
            var error: KafkaError
            var baseOffset: Int64 = -1
            var logStart: Int64 = -1
        }
        var writer = reply.writer()
        var failed = false
        writer.array(request.topics) { writer, topic in
            writer.string(topic.name)
            writer.array(topic.partitions) { writer, partition in
                let outcome: Outcome
                switch append(partition, topic: topic.name, request, now: now) {
                case .success(let (log, offset)): outcome = Outcome(error: .none, baseOffset: offset, logStart: log.logStart)
                case .failure(let refusal):
                    outcome = Outcome(error: refusal.code)
                    failed = true
                }
                writer.int32(partition.index)
                writer.error(outcome.error)
                writer.int64(outcome.baseOffset)
                writer.int64(-1)  // log append time: batches keep their own times
                if reply.version >= 5 { writer.int64(outcome.logStart) }
                if reply.version >= 8 {
                    writer.arrayCount(0)
                    writer.nullableString(nil)
                }
                writer.tags()
            }
            writer.tags()
        }
        writer.int32(0)
        writer.tags()
        if request.acks == 0 {
            // Kafka has no answer for acks=0; a refusal shows as a closed connection.
            if failed { deliver([Reply(to: reply, content: .close)]) } else { answerSilence(reply) }
        } else {
            answer(reply, writer)
        }
    }

    private struct Refusal: Error { var code: KafkaError }

    private func append(
        _ partition: ProducePartition, topic name: String, _ request: ProduceRequest, now: Int64
    ) -> Result<(PartitionLog, Int64), Refusal> {
        guard (-1...1).contains(request.acks) else { return .failure(Refusal(code: .invalidRequiredAcks)) }
        guard let topic = state.topics[name], partition.index >= 0, Int(partition.index) < topic.partitions.count else {
            return .failure(Refusal(code: .unknownTopicOrPartition))
        }
        guard case .valid(let header) = partition.verdict, let records = partition.records else {
            if case .invalid(let code) = partition.verdict { return .failure(Refusal(code: code)) }
            return .failure(Refusal(code: .invalidRecord))
        }
        let log = topic.partitions[Int(partition.index)]
        guard header.totalSize <= topic.limits.maxMessageBytes else { return .failure(Refusal(code: .messageTooLarge)) }
        guard !storageFailing else { return .failure(Refusal(code: .kafkaStorageError)) }
        if header.hasProducer {
            let standing = checkTransaction(header, request.transactionalID, log.id)
            guard standing == .none else { return .failure(Refusal(code: standing)) }
            switch ProducerState.check(log.producers[header.producerID], header) {
            case .append: break
            case .duplicate(let original): return .success((log, original.baseOffset))
            case .reject(let code): return .failure(Refusal(code: code))
            }
        }
        do throws(FileError) {
            return .success((log, try state.recordBatch(header, records, to: log, now: now)))
        } catch {
            logger.error("a segment cannot be created", metadata: ["error": "\(error)"])
            return .failure(Refusal(code: .kafkaStorageError))
        }
    }

    /// A transactional batch belongs to an open transaction that knows of this partition; anything else is a zombie's, or a
    /// straggler of a transaction that has ended (the check that KIP-890 gave Kafka).
    private func checkTransaction(_ header: RecordBatchHeader, _ transactionalID: String?, _ id: PartitionID) -> KafkaError {
        guard let owner = state.transactionOfProducer[header.producerID], let transaction = state.transactions[owner] else {
            return header.isTransactional ? .invalidProducerIDMapping : .none
        }
        guard header.isTransactional, transactionalID == owner else { return .invalidTxnState }
        guard header.producerEpoch == transaction.epoch else { return .invalidProducerEpoch }
        guard transaction.state == .ongoing, transaction.partitions.contains(id) else { return .invalidTxnState }
        return .none
    }
}
