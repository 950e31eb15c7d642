import NIOCore

/// A topic: its partitions and what was set for it.
final class Topic {
    let name: String
    let incarnation: UInt32
    var partitions: [PartitionLog]
    var settings: [String: String] {
        didSet { limits = TopicLimits(settings) }
    }
    private(set) var limits: TopicLimits

    init(name: String, incarnation: UInt32, partitions: [PartitionLog], settings: [String: String]) {
        self.name = name
        self.incarnation = incarnation
        self.partitions = partitions
        self.settings = settings
        self.limits = TopicLimits(settings)
    }
}

/// A group: who is in it, and what it committed.
struct GroupEntry<Waiter> {
    var machine: Group<Waiter>
    var offsets: [TopicPartition: CommittedOffset] = [:]
    /// Offsets that commit with their producer's transaction.
    var pendingOffsets: [Int64: [TopicPartition: CommittedOffset]] = [:]
}

/// Everything the broker knows, as the fold of journal entries. Confined to the broker's own thread.
///
/// `record` is the only way to change it while it runs; `apply` is what replay uses.
final class BrokerState {
    let directory: String
    let segmentBytes: Int
    let initialRebalanceDelay: Int64

    private(set) var topics: [String: Topic] = [:]
    private var incarnations: [UInt32: Topic] = [:]
    var nextIncarnation: UInt32 = 1
    private(set) var nextProducerID: Int64 = 1000
    private(set) var transactions: [String: TransactionSnapshot] = [:]
    private(set) var transactionOfProducer: [Int64: String] = [:]
    var groups: [String: GroupEntry<PendingReply>] = [:]
    /// Of the next journal entry.
    var nextSequence: UInt64 = 1
    /// What the disk gets next.
    var round = Round(number: 0)
    private var spareMemory = ByteBuffer()
    private(set) var touched: [PartitionLog] = []
    /// Topics whose partitions ended a transaction or vanished need no look-up by name: this says how many partitions exist.
    var partitionCount: Int { topics.values.reduce(0) { $0 + $1.partitions.count } }

    init(directory: String, segmentBytes: Int, initialRebalanceDelay: Int64) {
        self.directory = directory
        self.segmentBytes = segmentBytes
        self.initialRebalanceDelay = initialRebalanceDelay
    }

    func partition(_ id: PartitionID) -> PartitionLog? {
        guard let topic = incarnations[id.incarnation], id.partition >= 0, Int(id.partition) < topic.partitions.count else { return nil }
        return topic.partitions[Int(id.partition)]
    }

    func partition(_ topic: String, _ index: Int32) -> PartitionLog? {
        guard let topic = topics[topic], index >= 0, Int(index) < topic.partitions.count else { return nil }
        return topic.partitions[Int(index)]
    }

    func directory(of topic: String, _ incarnation: UInt32) -> String { "\(directory)/topics/\(topic).\(incarnation)" }

    // MARK: Recording

    /// Takes the round that was filled, with the places up to which each partition is durable once it is written.
    func takeRound() -> (round: Round, ends: [(PartitionLog, LogPosition)]) {
        let full = round
        let ends = touched.map { ($0, $0.endPosition) }
        round = Round(number: full.number + 1, journal: spareMemory)
        spareMemory = ByteBuffer()
        touched.removeAll(keepingCapacity: true)
        return (full, ends)
    }

    /// Keeps the memory of a round that is done for one to come, unless it is large.
    func reuse(_ memory: ByteBuffer) {
        guard memory.capacity <= 1 << 20 else { return }
        spareMemory = memory
        spareMemory.clear()
    }

    /// Applies an entry and puts it into the journal.
    /// - Throws: `FileError` when a file cannot be created; then nothing has changed.
    func record(_ entry: JournalEntry, now: Int64) throws(FileError) {
        try apply(entry, now: now)
        JournalFrame.append(kind: entry.kind, sequence: nextSequence, to: &round.journal) { entry.encode(into: &$0) }
        nextSequence += 1
    }

    /// Puts a producer's batch into the journal and the partition. Returns its base offset.
    func recordBatch(_ header: RecordBatchHeader, _ records: ByteBuffer, to log: PartitionLog, now: Int64) throws(FileError) -> Int64 {
        try log.prepare(octets: header.totalSize, segmentBytes: segmentBytes(of: log), now: now)
        let start = round.journal.writerIndex
        round.journal.writeInteger(UInt64(0))
        round.journal.writeInteger(nextSequence)
        round.journal.writeInteger(JournalEntry.Kind.records.rawValue)
        round.journal.putPartition(log.id)
        let at = round.journal.writerIndex
        let baseOffset = log.logEnd
        round.journal.writeImmutableBuffer(records)
        round.journal.setInteger(baseOffset, at: at)
        round.journal.setInteger(Int32(0), at: at + 12)
        JournalFrame.close(at: start, in: &round.journal)
        nextSequence += 1
        touch(log)
        log.append(header, at: at, in: &round, now: now)
        return baseOffset
    }

    private func segmentBytes(of log: PartitionLog) -> Int { topics[log.topic]?.limits.segmentBytes ?? segmentBytes }

    private func touch(_ log: PartitionLog) {
        guard log.touchedIn != round.number else { return }
        log.touchedIn = round.number
        touched.append(log)
    }

    // MARK: Replaying

    /// A batch out of the journal. Its base offset says where it belongs; one that is already there is passed over.
    func replayBatch(_ body: ByteBuffer, now: Int64) throws {
        var body = body
        let id = try body.takePartition()
        guard let header = RecordBatchHeader(body, at: body.readerIndex), header.totalSize == body.readableBytes else {
            throw JournalFormatError(what: "a journalled batch is malformed")
        }
        guard let log = partition(id), header.baseOffset >= log.logEnd else { return }
        guard header.baseOffset == log.logEnd else {
            throw JournalFormatError(
                what: "partition \(log.topic)-\(id.partition) ends at \(log.logEnd), the journal continues at \(header.baseOffset)")
        }
        try log.prepare(octets: header.totalSize, segmentBytes: segmentBytes(of: log), now: now)
        let at = round.journal.writerIndex
        round.journal.writeImmutableBuffer(body)
        touch(log)
        log.append(header, at: at, in: &round, now: now)
    }

    // MARK: Applying

    func apply(_ entry: JournalEntry, now: Int64) throws(FileError) {
        switch entry {
        case .topicCreated(let name, let incarnation, let count, let settings):
            var partitions: [PartitionLog] = []
            for index in 0..<count { partitions.append(try newPartition(name, incarnation, index, now: now)) }
            install(Topic(name: name, incarnation: incarnation, partitions: partitions, settings: settings))
        case .partitionsAdded(let name, let total):
            guard let topic = topics[name] else { return }
            var added: [PartitionLog] = []
            for index in Int32(topic.partitions.count)..<max(total, Int32(topic.partitions.count)) {
                added.append(try newPartition(name, topic.incarnation, index, now: now))
            }
            topic.partitions += added
        case .topicDeleted(let name): deleteTopic(name)
        case .topicConfigured(let name, let settings): topics[name]?.settings = settings
        case .logStart(let id, let offset):
            guard let log = partition(id) else { return }
            for files in log.advanceStart(to: offset) { round.removals += [files.log.path, files.index.path] }
        case .producerIDs(let next): nextProducerID = max(nextProducerID, next)
        case .transactionInitialized(let id, let producerID, let epoch, let timeout, let time):
            initialize(id, producerID, epoch, timeout, time)
        case .transactionPartitions(let id, let partitions, let time):
            begin(id, time)
            transactions[id]?.partitions.formUnion(partitions)
        case .transactionGroup(let id, let group, let time):
            begin(id, time)
            transactions[id]?.groups.insert(group)
        case .transactionOffsets(let producerID, let group, let offsets):
            touchGroup(group)
            groups[group]?.pendingOffsets[producerID, default: [:]].merge(offsets) { $1 }
        case .transactionEnded(let id, let commit, let epoch, let time): try end(id, commit: commit, epoch: epoch, time: time)
        case .transactionForgotten(let id):
            if let gone = transactions.removeValue(forKey: id) { transactionOfProducer[gone.producerID] = nil }
        case .offsetsCommitted(let group, let offsets):
            touchGroup(group)
            groups[group]?.offsets.merge(offsets) { $1 }
        case .groupChanged(let snapshot):
            // Live, the machine is ahead of what it wrote down; only replay takes it from there.
            if groups[snapshot.groupID] == nil || replaying {
                touchGroup(snapshot.groupID)
                groups[snapshot.groupID]?.machine = Group(restoring: snapshot, initialDelay: initialRebalanceDelay, now: sessionsStart)
            }
        case .groupDeleted(let group): groups[group] = nil
        case .transaction(let snapshot):
            transactions[snapshot.id] = snapshot
            transactionOfProducer[snapshot.producerID] = snapshot.id
        case .partition: break  // installed by recovery, which knows the files
        }
    }

    /// Whether entries come from the journal instead of from clients.
    var replaying = false
    /// When the sessions of restored group members begin, by the clock that only goes forward.
    var sessionsStart: Int64 = 0

    func install(_ topic: Topic) {
        topics[topic.name] = topic
        incarnations[topic.incarnation] = topic
        nextIncarnation = max(nextIncarnation, topic.incarnation + 1)
    }

    func touchGroup(_ id: String) {
        if groups[id] == nil { groups[id] = GroupEntry(machine: Group(id: id, initialDelay: initialRebalanceDelay)) }
    }

    private func newPartition(_ topic: String, _ incarnation: UInt32, _ index: Int32, now: Int64) throws(FileError) -> PartitionLog {
        try PartitionLog(
            id: PartitionID(incarnation: incarnation, partition: index), topic: topic,
            directory: "\(directory(of: topic, incarnation))/\(index)", now: now)
    }

    private func deleteTopic(_ name: String) {
        guard let topic = topics.removeValue(forKey: name) else { return }
        incarnations[topic.incarnation] = nil
        round.removals.append(directory(of: name, topic.incarnation))
        for group in groups.keys {
            let kept = groups[group]?.offsets.filter { $0.key.topic != name }
            groups[group]?.offsets = kept ?? [:]
        }
    }

    private func initialize(_ id: String, _ producerID: Int64, _ epoch: Int16, _ timeout: Int32, _ time: Int64) {
        var transaction = TransactionSnapshot(
            id: id, producerID: producerID, epoch: epoch, timeoutMilliseconds: timeout, changed: time)
        if let old = transactions[id] {
            transaction.previousProducerID = old.producerID
            transaction.previousEpoch = old.epoch
            transactionOfProducer[old.producerID] = nil
        }
        transactions[id] = transaction
        transactionOfProducer[producerID] = id
    }

    private func begin(_ id: String, _ time: Int64) {
        guard transactions[id]?.state != .ongoing else { return }
        transactions[id]?.state = .ongoing
        transactions[id]?.started = time
        transactions[id]?.changed = time
    }

    /// Ends a transaction everywhere at once: a marker in each of its partitions, its offsets into its groups.
    private func end(_ id: String, commit: Bool, epoch: Int16, time: Int64) throws(FileError) {
        guard var transaction = transactions[id] else { return }
        let logs = transaction.partitions.compactMap { partition($0) }
        // Room first: once the first marker is in, nothing may fail.
        for log in logs { try log.prepare(octets: ControlBatch.size, segmentBytes: segmentBytes(of: log), now: time) }
        for log in logs {
            touch(log)
            log.appendMarker(
                ControlBatch(producerID: transaction.producerID, producerEpoch: epoch, commit: commit, timestamp: time), in: &round)
        }
        for group in transaction.groups {
            guard let offsets = groups[group]?.pendingOffsets.removeValue(forKey: transaction.producerID), commit else { continue }
            groups[group]?.offsets.merge(offsets) { $1 }
        }
        if epoch != transaction.epoch {
            transaction.previousProducerID = -1
            transaction.previousEpoch = -1
        }
        transaction.epoch = epoch
        transaction.state = commit ? .committed : .aborted
        transaction.partitions.removeAll()
        transaction.groups.removeAll()
        transaction.changed = time
        transactions[id] = transaction
    }
}
