/// What a partition knows of one producer: its epoch and its last batches, so that a repeat is recognised and a gap refused.
/// Source: KIP-98; Kafka's ProducerAppendInfo.
struct ProducerState: Equatable, Sendable {
    struct Batch: Equatable, Sendable {
        var firstSequence: Int32
        var lastSequence: Int32
        var baseOffset: Int64
        var maxTimestamp: Int64
    }

    /// Kafka's clients keep at most five requests in flight, so five batches are enough to recognise every repeat.
    static let remembered = 5

    var epoch: Int16
    var batches: [Batch] = []
    /// Wall clock of the last append, for the expiry of idle producers.
    var lastAppend: Int64 = 0

    enum Verdict: Equatable {
        case append
        case duplicate(Batch)
        case reject(KafkaError)
    }

    static func check(_ state: ProducerState?, _ header: RecordBatchHeader) -> Verdict {
        guard let state else { return .append }
        if header.producerEpoch < state.epoch { return .reject(.invalidProducerEpoch) }
        if header.producerEpoch > state.epoch {
            return header.baseSequence == 0 ? .append : .reject(.outOfOrderSequence)
        }
        if let repeated = state.batches.first(where: {
            $0.firstSequence == header.baseSequence && $0.lastSequence == header.lastSequence
        }) {
            return .duplicate(repeated)
        }
        let last = state.batches.last?.lastSequence ?? -1
        let next: Int32 = last == Int32.max ? 0 : last + 1
        return header.baseSequence == next ? .append : .reject(.outOfOrderSequence)
    }

    mutating func appended(_ header: RecordBatchHeader, baseOffset: Int64, now: Int64) {
        if header.producerEpoch != epoch {
            epoch = header.producerEpoch
            batches.removeAll(keepingCapacity: true)
        }
        lastAppend = now
        if batches.count == Self.remembered { batches.removeFirst() }
        batches.append(
            Batch(
                firstSequence: header.baseSequence, lastSequence: header.lastSequence, baseOffset: baseOffset,
                maxTimestamp: header.maxTimestamp))
    }

    /// A marker of a later epoch fences the producer here: its sequences start again from 0.
    mutating func markerAppended(epoch markerEpoch: Int16, now: Int64) {
        lastAppend = now
        if markerEpoch > epoch {
            epoch = markerEpoch
            batches.removeAll(keepingCapacity: true)
        }
    }
}
