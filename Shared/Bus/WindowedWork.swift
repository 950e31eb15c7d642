import Synchronization

/// Counts assignments over the whole life of the process, so that no claim of an earlier one is mistaken for a later one.
private let assignmentCounter = Atomic<Int>(0)

/// What one run of a `WindowedStage` keeps, on its thread.
final class WindowedWork {
    private static let maxCommitAttempts = 5

    private struct Assigned {
        var tracker: OffsetTracker
        var assignment: Int
    }

    private var assigned: [TopicPartition: Assigned] = [:]
    private var outputs: [OutgoingRecord] = []
    private(set) var openCount = 0
    /// Set for the time in which a revocation may still commit.
    var consumer: Consumer?
    /// What went wrong inside a callback, to be thrown by the loop.
    var failure: BusError?

    func assigned(_ partitions: [CommittedOffset]) {
        for committed in partitions {
            let number = assignmentCounter.add(1, ordering: .relaxed).newValue
            assigned[committed.partition] = Assigned(
                tracker: OffsetTracker(committed: committed.offset, note: committed.note), assignment: number)
        }
    }

    func revoked(_ partitions: [TopicPartition]) {
        for partition in partitions {
            guard let gone = assigned.removeValue(forKey: partition) else { continue }
            openCount -= gone.tracker.openCount
        }
    }

    /// The records that are ours to do; those that a predecessor finished are passed over.
    func claim(_ records: [Record]) -> [ClaimedRecord] {
        var claimed: [ClaimedRecord] = []
        claimed.reserveCapacity(records.count)
        for record in records {
            let partition = TopicPartition(topic: record.topic, partition: record.partition)
            guard let number = assigned[partition]?.assignment, assigned[partition]?.tracker.claim(record.offset) == true else { continue }
            claimed.append(ClaimedRecord(claim: Claim(partition: partition, offset: record.offset, assignment: number), record: record))
        }
        openCount += claimed.count
        return claimed
    }

    /// Takes completions in. Those of an assignment that is over are dropped: the new owner does the record again.
    func take(_ completions: [Completion]) {
        for completion in completions {
            let claim = completion.claim
            guard assigned[claim.partition]?.assignment == claim.assignment else { continue }
            assigned[claim.partition]?.tracker.complete(claim.offset)
            openCount -= 1
            outputs += completion.outputs
        }
    }

    var hasNews: Bool { !outputs.isEmpty || assigned.values.contains { $0.tracker.isDirty } }

    /// Some partition has an open record so far behind its newest that the note could not hold more.
    var isStretched: Bool { assigned.values.contains { $0.tracker.span >= OffsetTracker.maxSpan - 500 } }

    /// Writes outputs and positions in one transaction. Where it fails they are kept only if the client can go on.
    func commit(_ producer: TransactionalProducer, _ consumer: Consumer) throws(BusError) {
        guard hasNews else { return }
        var offsets: [CommittedOffset] = []
        for (partition, entry) in assigned where entry.tracker.isDirty {
            let position = entry.tracker.position
            offsets.append(CommittedOffset(partition: partition, offset: position.offset, note: position.note))
        }
        var attempts = 0
        while true {
            do throws(BusError) {
                try producer.begin()
                for output in outputs { try producer.send(output) }
                try producer.sendOffsets(offsets, of: consumer)
                try producer.commit()
                break
            } catch {
                // What was answered must not be forgotten, or it would be sent again: abort, and write the same once more.
                attempts += 1
                guard error.needsAbort, !error.isFatal, attempts < WindowedWork.maxCommitAttempts else { throw error }
                try producer.abort()
            }
        }
        outputs.removeAll(keepingCapacity: true)
        for committed in offsets { assigned[committed.partition]?.tracker.committed() }
    }
}
