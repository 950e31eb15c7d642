import NIOCore

/// One partition, as the broker's thread keeps it: where its segments end, how far it is durable, who writes to it.
///
/// It does no I/O of its own but for creating the files of a new segment; octets go out with the round.
final class PartitionLog {
    /// How many octets of batches one index entry stands for.
    static let indexInterval: Int64 = 16 * 1024
    /// The last batches whose exact place is kept in memory, so that a consumer at the tail needs no look-up.
    static let tailLength = 256

    struct TailBatch {
        var baseOffset: Int64
        var position: LogPosition
    }

    /// A transaction whose marker is written, but not yet durable: still undecided for readers.
    struct Ending {
        var first: LogPosition
        var markerOffset: Int64
    }

    let id: PartitionID
    let topic: String
    let directory: String
    var segments: [Segment]
    private(set) var logStart: Int64
    private(set) var logEnd: Int64
    /// Everything below is durable, and nothing above is shown to a consumer.
    private(set) var highWatermark: LogPosition
    var producers: [Int64: ProducerState] = [:]
    private(set) var open: [Int64: LogPosition] = [:]
    private(set) var ending: [Ending] = []
    private(set) var aborted: [AbortedTransaction] = []
    private var tail: [TailBatch] = []
    private var tailStart = 0
    var logSlot = RoundSlot()
    private var indexSlot = RoundSlot()
    /// Long polls that wait for this partition to grow.
    var waiters: [Int] = []
    /// The round in which it last grew.
    var touchedIn: UInt64 = .max

    /// A new partition.
    init(id: PartitionID, topic: String, directory: String, now: Int64) throws(FileError) {
        try Directory.create(directory)
        self.id = id
        self.topic = topic
        self.directory = directory
        self.segments = [Segment(baseOffset: 0, files: try SegmentFiles(directory: directory, baseOffset: 0), created: now)]
        self.logStart = 0
        self.logEnd = 0
        self.highWatermark = LogPosition(offset: 0, segmentBase: 0, position: 0)
    }

    /// A partition as the checkpoint left it. The files must have been brought to these lengths before.
    init(restoring snapshot: PartitionSnapshot, topic: String, directory: String, segments: [Segment]) {
        self.id = snapshot.id
        self.topic = topic
        self.directory = directory
        self.segments = segments
        self.logStart = snapshot.logStart
        self.logEnd = snapshot.logEnd
        self.producers = snapshot.producers
        self.open = snapshot.open
        self.aborted = snapshot.aborted
        self.highWatermark = LogPosition(offset: 0, segmentBase: 0, position: 0)
        self.highWatermark = endPosition
    }

    var snapshot: PartitionSnapshot {
        PartitionSnapshot(
            id: id, logStart: logStart, logEnd: logEnd,
            segments: segments.map {
                .init(
                    baseOffset: $0.baseOffset, size: $0.size, indexSize: $0.indexSize, maxTimestamp: $0.maxTimestamp, created: $0.created,
                    indexedUpTo: $0.indexedUpTo)
            },
            producers: producers, open: open, aborted: aborted)
    }

    var activeIndex: Int { segments.count - 1 }

    /// Where the next batch goes.
    var endPosition: LogPosition {
        LogPosition(offset: logEnd, segmentBase: segments[activeIndex].baseOffset, position: segments[activeIndex].size)
    }

    /// Up to where a `read_committed` consumer may read: the first record of an undecided transaction, or the high watermark.
    var lastStable: LogPosition {
        var stable = highWatermark
        for position in open.values where position.offset < stable.offset { stable = position }
        for end in ending where end.first.offset < stable.offset { stable = end.first }
        return stable
    }

    // MARK: Appending

    /// Starts a new segment when the active one has no room for `octets` more.
    func prepare(octets: Int, segmentBytes: Int, now: Int64) throws(FileError) {
        guard segments[activeIndex].size > 0, segments[activeIndex].size + Int64(octets) > Int64(segmentBytes) else { return }
        try roll(now: now)
    }

    func roll(now: Int64) throws(FileError) {
        segments.append(
            Segment(baseOffset: logEnd, files: try SegmentFiles(directory: directory, baseOffset: logEnd), created: now))
    }

    /// Appends a producer's batch that lies in the round's journal buffer at `offset`, its base offset already `logEnd`.
    func append(_ header: RecordBatchHeader, at offset: Int, in round: inout Round, now: Int64) {
        let place = write(
            WritePiece(inJournal: true, offset: offset, length: header.totalSize), count: Int64(header.lastOffsetDelta) + 1,
            maxTimestamp: header.maxTimestamp, in: &round)
        guard header.hasProducer else { return }
        if header.isTransactional, open[header.producerID] == nil { open[header.producerID] = place }
        producers[header.producerID, default: ProducerState(epoch: header.producerEpoch)].appended(
            header, baseOffset: place.offset, now: now)
    }

    /// Appends the marker that ends a producer's transaction here, and settles the transaction.
    func appendMarker(_ marker: ControlBatch, in round: inout Round) {
        let offset = round.side.writerIndex
        marker.encode(into: &round.side, baseOffset: logEnd)
        let place = write(
            WritePiece(inJournal: false, offset: offset, length: ControlBatch.size), count: 1, maxTimestamp: marker.timestamp, in: &round)
        producers[marker.producerID, default: ProducerState(epoch: marker.producerEpoch)].markerAppended(
            epoch: marker.producerEpoch, now: marker.timestamp)
        guard let first = open.removeValue(forKey: marker.producerID) else { return }
        ending.append(Ending(first: first, markerOffset: place.offset))
        if !marker.commit {
            aborted.append(
                AbortedTransaction(producerID: marker.producerID, firstOffset: first.offset, lastOffset: place.offset))
        }
    }

    private func write(_ piece: WritePiece, count: Int64, maxTimestamp: Int64, in round: inout Round) -> LogPosition {
        let place = endPosition
        let active = activeIndex
        round.add(piece, to: segments[active].files.log, at: place.position, slot: &logSlot)
        segments[active].maxTimestamp = max(segments[active].maxTimestamp, maxTimestamp)
        if place.position == 0 || place.position - segments[active].indexedUpTo >= Self.indexInterval {
            let at = round.side.writerIndex
            IndexEntry(baseOffset: place.offset, position: place.position, maxTimestamp: segments[active].maxTimestamp)
                .encode(into: &round.side)
            round.add(
                WritePiece(inJournal: false, offset: at, length: IndexEntry.size), to: segments[active].files.index,
                at: segments[active].indexSize, slot: &indexSlot)
            segments[active].indexSize += Int64(IndexEntry.size)
            segments[active].indexedUpTo = place.position
        }
        segments[active].size += Int64(piece.length)
        logEnd += count
        if tail.count < Self.tailLength {
            tail.append(TailBatch(baseOffset: place.offset, position: place))
        } else {
            tail[tailStart] = TailBatch(baseOffset: place.offset, position: place)
            tailStart = (tailStart + 1) % Self.tailLength
        }
        return place
    }

    /// Everything up to `position` is durable.
    func advance(to position: LogPosition) {
        guard position.offset > highWatermark.offset else { return }
        highWatermark = position
        if !ending.isEmpty { ending.removeAll { $0.markerOffset < position.offset } }
    }

    // MARK: Shortening

    /// Forgets what is below `offset`. Returns the files that nothing needs any more.
    func advanceStart(to offset: Int64) -> [SegmentFiles] {
        guard offset > logStart else { return [] }
        logStart = min(offset, logEnd)
        var dead: [SegmentFiles] = []
        while segments.count > 1, segments[1].baseOffset <= logStart { dead.append(segments.removeFirst().files) }
        if !aborted.isEmpty { aborted.removeAll { $0.lastOffset < logStart } }
        return dead
    }

    func forgetIdleProducers(before time: Int64) {
        for (id, state) in producers where state.lastAppend < time && open[id] == nil { producers[id] = nil }
    }

    // MARK: Finding

    /// The exact place of the batch that holds `offset`, if it is among the last ones.
    func recentPlace(of offset: Int64) -> LogPosition? {
        if offset == logEnd { return endPosition }
        var low = 0
        var high = tail.count
        func item(_ index: Int) -> TailBatch { tail[(tailStart + index) % tail.count] }
        guard high > 0, item(0).baseOffset <= offset else { return nil }
        while high - low > 1 {
            let middle = (low + high) / 2
            if item(middle).baseOffset <= offset { low = middle } else { high = middle }
        }
        return item(low).position
    }

    func segmentIndex(holding offset: Int64) -> Int {
        var low = 0
        var high = segments.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if segments[middle].baseOffset <= offset { low = middle } else { high = middle }
        }
        return low
    }

    /// The aborted transactions that a reader from `offset` may meet; in the order of their markers.
    func abortedTransactions(from offset: Int64) -> ArraySlice<AbortedTransaction> {
        var low = 0
        var high = aborted.count
        while low < high {
            let middle = (low + high) / 2
            if aborted[middle].lastOffset < offset { low = middle + 1 } else { high = middle }
        }
        return aborted[low...]
    }
}
