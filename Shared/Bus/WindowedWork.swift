/// What a `WindowedStage` keeps, on its thread, over all its runs.
///
/// When the clients have to be made anew (the broker was away for long, a transaction went wrong) what is open stays open and what
/// was done is not forgotten: it waits in `limbo` until its record is read again, and is then not handed out a second time.
final class WindowedWork {
    private static let maxCommitAttempts = 5

    private enum Limbo {
        case open
        case done([OutgoingRecord], weight: Int)
    }

    private struct Assigned {
        var tracker: OffsetTracker
        var assignment: Assignment
    }

    private var assigned: [TopicPartition: Assigned] = [:]
    private var limbo: [TopicPartition: [Int64: Limbo]] = [:]
    /// Claims keep their assignment while the partition stays with this process.
    private var assignments: [TopicPartition: Assignment] = [:]
    /// Done since the last commit.
    private var uncommitted: [Completion] = []
    var uncommittedCount: Int { uncommitted.count }
    private(set) var openCount = 0
    /// Weight of completions that are recorded, or need no record from us any more, since it was last asked for.
    private var recorded = 0
    /// Set for the time in which a revocation may still commit.
    var consumer: Consumer?
    /// What went wrong inside a callback, to be thrown by the loop.
    var failure: BusError?

    /// Something done is still to be recorded, but its record was not read again yet.
    var hasLimbo: Bool { limbo.values.contains { !$0.isEmpty } }

    /// What the journal of a killed predecessor holds.
    func recover(_ entries: [AnswerJournal.Entry]) {
        for entry in entries { limbo[entry.partition, default: [:]][entry.offset] = .done(entry.outputs, weight: 0) }
    }

    /// Drops what waits for partitions that others have.
    func forgetUnassigned() {
        for (partition, offsets) in limbo where assigned[partition] == nil {
            for state in offsets.values { if case .open = state { openCount -= 1 } }
            limbo[partition] = nil
        }
    }

    /// The clients are made anew.
    func beginRun() {
        failure = nil
        for completion in uncommitted {
            limbo[completion.claim.partition, default: [:]][completion.claim.offset] = .done(
                completion.outputs, weight: completion.weight)
        }
        uncommitted.removeAll()
        for (partition, entry) in assigned {
            for offset in entry.tracker.openOffsets { limbo[partition, default: [:]][offset] = .open }
        }
        assigned.removeAll()
        openCount = limbo.values.reduce(0) { sum, offsets in sum + offsets.values.reduce(0) { if case .open = $1 { $0 + 1 } else { $0 } } }
    }

    func assigned(_ partitions: [CommittedOffset]) {
        for committed in partitions {
            let partition = committed.partition
            let assignment = assignments[partition] ?? Assignment()
            assignments[partition] = assignment
            let tracker = OffsetTracker(committed: committed.offset, note: committed.note)
            // What is recorded as done needs no second record: the transaction went through after all, or somebody else did it.
            for (offset, state) in limbo[partition] ?? [:] where tracker.isDone(offset) {
                limbo[partition]?[offset] = nil
                switch state {
                case .open: openCount -= 1
                case .done(_, let weight): recorded += weight
                }
                if limbo[partition]?.isEmpty == true { limbo[partition] = nil }
            }
            assigned[partition] = Assigned(tracker: tracker, assignment: assignment)
        }
    }

    /// The group is about to give the partitions to somebody else: nothing more of them is begun.
    func leaving(_ partitions: [TopicPartition]) {
        for partition in partitions { assignments[partition]?.leave() }
    }

    /// The group gives the partitions to somebody else.
    func revoked(_ partitions: [TopicPartition]) {
        for partition in partitions {
            assignments.removeValue(forKey: partition)?.revoke()
            if let gone = assigned.removeValue(forKey: partition) { openCount -= gone.tracker.openOffsets.count }
            for state in (limbo.removeValue(forKey: partition) ?? [:]).values {
                switch state {
                case .open: openCount -= 1
                case .done(_, let weight): recorded += weight
                }
            }
            for completion in uncommitted where completion.claim.partition == partition { recorded += completion.weight }
            uncommitted.removeAll { $0.claim.partition == partition }
        }
    }

    /// The records that are ours to do; those that a predecessor finished, or that are under way, are passed over.
    func claim(_ records: [Record]) -> [ClaimedRecord] {
        var claimed: [ClaimedRecord] = []
        claimed.reserveCapacity(records.count)
        for record in records {
            let partition = TopicPartition(topic: record.topic, partition: record.partition)
            guard let assignment = assigned[partition]?.assignment, assigned[partition]?.tracker.claim(record.offset) == true else {
                continue
            }
            let claim = Claim(partition: partition, offset: record.offset, assignment: assignment)
            switch limbo[partition]?.removeValue(forKey: record.offset) {
            case nil:
                openCount += 1
                claimed.append(ClaimedRecord(claim: claim, record: record))
            case .open: break  // handed out before, counted already
            case .done(let outputs, let weight):
                assigned[partition]?.tracker.complete(record.offset)
                uncommitted.append(Completion(claim: claim, outputs: outputs, weight: weight))
            }
        }
        return claimed
    }

    /// Takes completions in. Those of a partition that is not ours any more are dropped: the new owner does the record again.
    func take(_ completions: [Completion]) {
        for completion in completions {
            let claim = completion.claim
            if claim.isRevoked {
                recorded += completion.weight
            } else if case .open = limbo[claim.partition]?[claim.offset] {
                limbo[claim.partition]?[claim.offset] = .done(completion.outputs, weight: completion.weight)
                openCount -= 1
            } else if assigned[claim.partition]?.tracker.complete(claim.offset) == true {
                openCount -= 1
                uncommitted.append(completion)
            } else {
                recorded += completion.weight
            }
        }
    }

    /// The weight that was recorded since the last call.
    func takeRecorded() -> Int {
        defer { recorded = 0 }
        return recorded
    }

    var hasNews: Bool { !uncommitted.isEmpty || assigned.values.contains { $0.tracker.isDirty } }

    /// Some partition has an open record so far behind its newest that the note could not hold more.
    var isStretched: Bool { assigned.values.contains { $0.tracker.span >= OffsetTracker.maxSpan - 500 } }

    /// Writes outputs and positions in one transaction.
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
                for completion in uncommitted {
                    for output in completion.outputs { try producer.send(output) }
                }
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
        recorded += uncommitted.reduce(0) { $0 + $1.weight }
        uncommitted.removeAll(keepingCapacity: true)
        for committed in offsets { assigned[committed.partition]?.tracker.committed() }
    }
}
