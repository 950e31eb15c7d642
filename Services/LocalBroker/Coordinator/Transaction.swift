import NIOCore

/// What the coordinator knows of one `transactional.id`. The step from open to ended is one journal entry, so the
/// prepare states of Kafka's protocol between brokers do not exist here.
/// Source: KIP-98; KIP-360 (epoch bump by the client), KIP-447 (group metadata).
struct TransactionSnapshot: Equatable, Sendable {
    enum State: UInt8, Sendable { case empty = 0, ongoing, committed, aborted }

    var id: String
    var producerID: Int64
    var epoch: Int16
    /// The identity before the last bump: a client that did not hear of the bump asks again with it.
    var previousProducerID: Int64 = -1
    var previousEpoch: Int16 = -1
    var timeoutMilliseconds: Int32
    var state = State.empty
    var partitions: Set<PartitionID> = []
    var groups: Set<String> = []
    var started: Int64 = 0
    var changed: Int64

    /// Epochs end one short of the largest, as in Kafka: the last one is left for fencing.
    var epochIsExhausted: Bool { epoch >= Int16.max - 1 }

    /// Whether a request of the producer with this identity may act.
    func check(producerID: Int64, epoch: Int16) -> KafkaError {
        guard producerID == self.producerID else { return .invalidProducerIDMapping }
        return epoch == self.epoch ? .none : .producerFenced
    }

    enum End: Equatable {
        case perform
        case alreadyDone
        case reject(KafkaError)
    }

    func end(commit: Bool, producerID: Int64, epoch: Int16) -> End {
        let standing = check(producerID: producerID, epoch: epoch)
        guard standing == .none else { return .reject(standing) }
        switch (state, commit) {
        case (.ongoing, _): return .perform
        // A repeat of a request whose answer was lost.
        case (.committed, true), (.aborted, false): return .alreadyDone
        case (.committed, false), (.aborted, true), (.empty, _): return .reject(.invalidTxnState)
        }
    }

    enum Start: Equatable {
        /// A new identity: another epoch, or (when epochs have run out) another producer id too.
        case bump
        case repeated
        case reject(KafkaError)
    }

    /// A client (re)initialises. `claimed` is the identity it believes to have, nil for none.
    func initialize(claimed: (producerID: Int64, epoch: Int16)?) -> Start {
        guard let claimed else { return .bump }
        if claimed.producerID == producerID, claimed.epoch == epoch { return .bump }
        if claimed.producerID == previousProducerID, claimed.epoch == previousEpoch { return .repeated }
        return .reject(.producerFenced)
    }

    func encode(into buffer: inout ByteBuffer) {
        buffer.putText(id)
        buffer.writeInteger(producerID)
        buffer.writeInteger(epoch)
        buffer.writeInteger(previousProducerID)
        buffer.writeInteger(previousEpoch)
        buffer.writeInteger(timeoutMilliseconds)
        buffer.writeInteger(state.rawValue)
        buffer.putList(partitions.sorted()) { $0.putPartition($1) }
        buffer.putList(groups.sorted()) { $0.putText($1) }
        buffer.writeInteger(started)
        buffer.writeInteger(changed)
    }
}

extension TransactionSnapshot {
    init(decoding body: inout ByteBuffer) throws(JournalFormatError) {
        id = try body.takeText()
        producerID = try body.take()
        epoch = try body.take()
        previousProducerID = try body.take()
        previousEpoch = try body.take()
        timeoutMilliseconds = try body.take()
        guard let state = State(rawValue: try body.take()) else { throw JournalFormatError(what: "an unknown transaction state") }
        self.state = state
        partitions = Set(try body.takeList { (b: inout ByteBuffer) throws(JournalFormatError) in try b.takePartition() })
        groups = Set(try body.takeList { (b: inout ByteBuffer) throws(JournalFormatError) in try b.takeText() })
        started = try body.take()
        changed = try body.take()
    }
}
