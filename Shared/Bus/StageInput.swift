/// What a stage is to work on next, and what of it waits. On the stage's thread, as the consumer's callbacks are.
final class StageInput {
    /// Records of a partition that is paused. Its fetch position is behind them.
    private struct Held {
        var records: [Record]
        var recall: ContinuousClock.Instant
    }

    private(set) var batch: [Record] = []
    private var held: [TopicPartition: Held] = [:]
    private var alignment: TopicAlignment?
    /// Paused, because its records are held or in the batch, or because it is ahead of another topic.
    private var paused: Set<TopicPartition> = []
    /// Set while partitions may be paused and resumed.
    weak var consumer: Consumer?

    init(alignment: TopicAlignment? = nil) { self.alignment = alignment }

    func append(_ record: Record) {
        alignment?.read(record)
        batch.append(record)
    }

    /// Begins the batch with what was postponed until now: whole partitions, and no more of them once there are `max` records.
    func recall(max: Int, now: ContinuousClock.Instant = .now) {
        for (partition, waiting) in held where waiting.recall <= now && batch.count < max {
            batch += waiting.records
            held[partition] = nil
        }
    }

    /// How long until something postponed is due; `nil` where nothing is.
    var nextRecallMilliseconds: Int32? {
        guard let next = held.values.map(\.recall).min() else { return nil }
        let wait = (next - ContinuousClock.now).components
        // Rounded up: a poll that ends a little too early would only have to be repeated.
        return Int32(clamping: Swift.max(0, wait.seconds * 1_000 + wait.attoseconds / 1_000_000_000_000_000 + 1))
    }

    /// The batch is committed. What was not taken of it is kept, and its partitions are paused.
    func finish(_ postponed: [TopicPartition: Postponement], now: ContinuousClock.Instant = .now) {
        for record in batch where !postponed.isEmpty {
            let partition = TopicPartition(topic: record.topic, partition: record.partition)
            guard let postponement = postponed[partition], record.offset >= postponement.offset else { continue }
            held[partition, default: Held(records: [], recall: now + postponement.wait)].records.append(record)
        }
        batch.removeAll(keepingCapacity: true)
        pause()
    }

    /// A poll waited in vain.
    func nothingCame() {
        guard alignment?.waiting.isEmpty == false else { return }
        alignment?.nothingCame { consumer?.end(of: $0) }
        pause()
    }

    private func pause() {
        alignment?.decide { consumer?.end(of: $0) }
        let wanted = Set(held.keys).union(alignment?.waiting ?? [])
        let resumed = paused.subtracting(wanted)
        let fresh = wanted.subtracting(paused)
        if !resumed.isEmpty { consumer?.setPaused(false, Array(resumed)) }
        if !fresh.isEmpty { consumer?.setPaused(true, Array(fresh)) }
        paused = wanted
    }

    /// Somebody else works on these from now on: what we have of them and did not commit is theirs.
    func revoked(_ partitions: [TopicPartition]) {
        let gone = Set(partitions)
        alignment?.revoked(partitions)
        batch.removeAll { gone.contains(TopicPartition(topic: $0.topic, partition: $0.partition)) }
        let resumed = paused.intersection(gone)
        // A pause would outlast the assignment, should the partition come back.
        if !resumed.isEmpty { consumer?.setPaused(false, Array(resumed)) }
        paused.subtract(gone)
        for partition in gone { held[partition] = nil }
    }
}

/// The offset after the last record of each partition in `batch` that was taken.
func nextOffsets(after batch: [Record], postponed: [TopicPartition: Postponement] = [:]) -> [CommittedOffset] {
    var next: [TopicPartition: Int64] = [:]
    for record in batch {
        let partition = TopicPartition(topic: record.topic, partition: record.partition)
        if let postponement = postponed[partition], record.offset >= postponement.offset { continue }
        next[partition] = record.offset + 1
    }
    return next.map { CommittedOffset(partition: $0.key, offset: $0.value) }
}
