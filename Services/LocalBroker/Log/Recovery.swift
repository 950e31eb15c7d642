import Logging
import NIOCore

/// Brings a data directory back to what was acknowledged: the last checkpoint, then the journal since.
///
/// The partitions' files are first cut to the lengths that the checkpoint synced, so whatever a crash left behind them does
/// not matter: the journal writes it again. Only when a file is shorter than the checkpoint says (somebody else's hand, or a
/// disk that lies) are its batches read and checked one by one.
struct Recovery {
    let directory: String
    let logger: Logger
    /// Wall clock, milliseconds: what is replayed counts as just appended.
    let now: Int64
    /// The clock of sessions and deadlines, milliseconds.
    let uptime: Int64

    struct Report {
        var entries = 0
        var octets = 0
        var tornTail = false
        /// What the replay wrote to, not synced yet.
        var files: [ObjectIdentifier: OpenFile] = [:]
    }

    /// - Throws: `FileError`, or `JournalFormatError` when the checkpoint is damaged.
    func run(into state: BrokerState) throws -> Report {
        state.replaying = true
        state.sessionsStart = uptime
        defer { state.replaying = false }
        var report = Report()
        let path = Checkpoint.path(directory)
        if Directory.exists(path) {
            let file = try OpenFile(path, .readOnly)
            var contents = ByteBuffer()
            try file.read(into: &contents, at: 0, length: Int(try file.size()))
            let checkpoint = try Checkpoint.decode(contents)
            state.nextSequence = checkpoint.sequence
            state.nextIncarnation = checkpoint.incarnation
            try install(checkpoint.entries, into: state)
        }
        try replayJournals(into: state, &report)
        try flush(state, &report)
        return report
    }

    private func install(_ entries: [JournalEntry], into state: BrokerState) throws {
        var current: Topic?
        for entry in entries {
            switch entry {
            case .partition(let snapshot):
                guard let topic = current, topic.incarnation == snapshot.id.incarnation else {
                    throw JournalFormatError(what: "the checkpoint holds a partition without its topic")
                }
                topic.partitions.append(try restore(snapshot, of: topic, state))
            case .topicCreated(let name, let incarnation, _, let settings):
                let topic = Topic(name: name, incarnation: incarnation, partitions: [], settings: settings)
                state.install(topic)
                current = topic
            default: try state.apply(entry, now: now)
            }
        }
    }

    /// Cuts the files of a partition to what the checkpoint knows, and removes those it does not know.
    private func restore(_ snapshot: PartitionSnapshot, of topic: Topic, _ state: BrokerState) throws -> PartitionLog {
        let folder = "\(state.directory(of: topic.name, topic.incarnation))/\(snapshot.id.partition)"
        try Directory.create(folder)
        var segments: [Segment] = []
        for lengths in snapshot.segments {
            let files = try SegmentFiles(directory: folder, baseOffset: lengths.baseOffset)
            let size = try files.log.size()
            if size < lengths.size, lengths.baseOffset + 1 < snapshot.logEnd {
                logger.warning(
                    "a segment is shorter than its checkpoint",
                    metadata: ["file": "\(files.log.path)", "size": "\(size)", "expected": "\(lengths.size)"])
            }
            if size > lengths.size { try files.log.truncate(to: lengths.size) }
            let indexSize = try files.index.size()
            if indexSize > lengths.indexSize { try files.index.truncate(to: lengths.indexSize) }
            var segment = Segment(baseOffset: lengths.baseOffset, files: files, created: lengths.created)
            segment.size = lengths.size
            segment.indexSize = lengths.indexSize
            segment.maxTimestamp = lengths.maxTimestamp
            segment.indexedUpTo = lengths.indexedUpTo
            if indexSize < lengths.indexSize, size >= lengths.size { try SegmentScan.rebuildIndex(of: &segment) }
            segments.append(segment)
        }
        let known = Set(segments.flatMap { [$0.files.log.path, $0.files.index.path] })
        for name in Directory.names(folder) where !known.contains("\(folder)/\(name)") { Directory.remove(file: "\(folder)/\(name)") }
        guard !segments.isEmpty else { throw JournalFormatError(what: "the checkpoint holds a partition without segments") }
        return PartitionLog(restoring: snapshot, topic: topic.name, directory: folder, segments: segments)
    }

    private func replayJournals(into state: BrokerState, _ report: inout Report) throws {
        let folder = StorageWriter.journalDirectory(directory)
        for name in Directory.names(folder) where name.hasSuffix(".journal") {
            let file = try OpenFile("\(folder)/\(name)", .readOnly)
            let size = try file.size()
            var position: Int64 = 0
            var buffer = ByteBuffer()
            reading: while true {
                switch JournalFrame.next(in: &buffer) {
                case .frame(let kind, let sequence, var body):
                    if sequence < state.nextSequence { continue }  // from before the checkpoint
                    guard sequence == state.nextSequence else { break reading }
                    state.nextSequence += 1
                    report.entries += 1
                    report.octets += body.readableBytes
                    if kind == .records {
                        try state.replayBatch(body, now: now)
                    } else {
                        try state.apply(try JournalEntry(kind: kind, decoding: &body), now: now)
                    }
                    if state.round.journal.readableBytes > 4 << 20 || state.round.groups.count > 4096 { try flush(state, &report) }
                case .incomplete:
                    guard position < size else {
                        if buffer.readableBytes > 0 { report.tornTail = true }
                        break reading
                    }
                    // The next entry may be larger than a chunk: read on until it is whole.
                    var larger = ByteBuffer()
                    larger.reserveCapacity(buffer.readableBytes + (4 << 20))
                    larger.writeBuffer(&buffer)
                    buffer = larger
                    position += Int64(try file.read(into: &buffer, at: position, length: 4 << 20))
                case .damaged:
                    report.tornTail = true
                    break reading
                }
            }
        }
    }

    private func flush(_ state: BrokerState, _ report: inout Report) throws {
        let (round, ends) = state.takeRound()
        for group in round.groups {
            try StorageWriter.write(group, of: round)
            report.files[ObjectIdentifier(group.file)] = group.file
        }
        for path in round.removals { Directory.removeTree(path); Directory.remove(file: path) }
        for (log, end) in ends { log.advance(to: end) }
    }
}

/// Reads a segment's batches from its file, header by header.
enum SegmentScan {
    /// Writes the index of `segment` anew from its batches.
    static func rebuildIndex(of segment: inout Segment) throws {
        var index = ByteBuffer()
        var position: Int64 = 0
        var last: Int64 = -1
        var maxTimestamp: Int64 = -1
        while position + Int64(RecordBatchHeader.size) <= segment.size {
            var header = ByteBuffer()
            try segment.files.log.read(into: &header, at: position, length: RecordBatchHeader.size)
            guard let batch = RecordBatchHeader(header, at: header.readerIndex) else { break }
            maxTimestamp = max(maxTimestamp, batch.maxTimestamp)
            if last < 0 || position - last >= PartitionLog.indexInterval {
                IndexEntry(baseOffset: batch.baseOffset, position: position, maxTimestamp: maxTimestamp).encode(into: &index)
                last = position
            }
            position += Int64(batch.totalSize)
        }
        try segment.files.index.truncate(to: 0)
        try segment.files.index.write(index, at: 0)
        segment.indexSize = Int64(index.readableBytes)
        segment.indexedUpTo = max(0, last)
    }
}
