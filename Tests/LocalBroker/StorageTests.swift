import Logging
import NIOCore
import Testing

@testable import LocalBroker

#if canImport(Glibc)
    import Glibc
#endif

/// A data directory that goes when the test ends, and the storage as the broker drives it, without its threads.
final class Store {
    let directory: String
    private(set) var state: BrokerState
    private var writer: StorageWriter

    init(segmentBytes: Int = 1 << 20) throws {
        var template = Array("/tmp/broker-test-XXXXXX".utf8CString)
        directory = mkdtemp(&template).map { String(cString: $0) } ?? ""
        state = BrokerState(directory: directory, segmentBytes: segmentBytes, initialRebalanceDelay: 0)
        writer = try StorageWriter(directory: directory, sequence: 1)
    }

    deinit { Directory.removeTree(directory) }

    /// Carries out what was recorded. `segments: false` is a crash after the journal and before the partitions' files.
    func flush(segments: Bool = true) throws {
        var (round, ends) = state.takeRound()
        if !segments { round.groups = [] }
        try writer.perform(round, sync: false)
        for (log, end) in ends { log.advance(to: end) }
    }

    func checkpoint() throws {
        let snapshot = Checkpoint.encode(state)
        let files = try writer.rotate(to: state.nextSequence)
        try StorageWriter.checkpoint(snapshot, files: files, sequence: state.nextSequence, directory: directory, recycler: writer)
    }

    /// What a new process finds.
    @discardableResult
    func reopen(segmentBytes: Int = 1 << 20) throws -> Recovery.Report {
        state = BrokerState(directory: directory, segmentBytes: segmentBytes, initialRebalanceDelay: 0)
        return try Recovery(directory: directory, logger: Logger(label: "test"), now: 0, uptime: 0).run(into: state)
    }

    func append(_ records: ByteBuffer, to partition: Int32 = 0) throws -> Int64 {
        let header = try #require(RecordBatchHeader(records, at: 0))
        let log = try #require(state.partition("t", partition))
        return try state.recordBatch(header, records, to: log, now: 1)
    }

    /// Every batch up to `limit`, as (base offset, records).
    func read(_ partition: Int32 = 0, committed: Bool = false) throws -> [Int64] {
        let log = try #require(state.partition("t", partition))
        let limit = committed ? log.lastStable : log.highWatermark
        var offsets: [Int64] = []
        var next = log.logStart
        while next < limit.offset {
            let segment = log.segments[log.segmentIndex(holding: next)]
            let plan = ReadPlan(
                files: segment.files, offset: next, exactPosition: nil, indexSize: segment.indexSize,
                endPosition: segment.baseOffset == limit.segmentBase ? limit.position : segment.size, maxBytes: 4096)
            let records = try LogReader.read(plan, maxBytes: 4096, atLeastOne: true)
            var index = records.readerIndex
            let before = next
            while let header = RecordBatchHeader(records, at: index) {
                #expect(header.checksumHolds(in: records, at: index))
                offsets.append(header.baseOffset)
                next = header.nextOffset
                index += header.totalSize
            }
            if next == before { break }
        }
        return offsets
    }

    var newestJournal: String {
        let folder = StorageWriter.journalDirectory(directory)
        return "\(folder)/\(Directory.names(folder).last ?? "")"
    }
}

@Suite struct StorageTests {
    private func store(segmentBytes: Int = 1 << 20, partitions: Int32 = 2) throws -> Store {
        let store = try Store(segmentBytes: segmentBytes)
        try store.state.record(.topicCreated(name: "t", incarnation: 1, partitions: partitions, settings: ["retention.ms": "5"]), now: 0)
        return store
    }

    @Test func `what was written is read back after a crash`() throws {
        let store = try store()
        #expect(try store.append(batch(count: 3)) == 0)
        #expect(try store.append(batch(count: 2)) == 3)
        #expect(try store.append(batch(count: 1), to: 1) == 0)
        try store.flush()
        #expect(try store.read() == [0, 3])
        let report = try store.reopen()
        #expect(report.entries == 4 && !report.tornTail)
        #expect(try store.read() == [0, 3])
        #expect(try store.read(1) == [0])
        #expect(store.state.topics["t"]?.limits.retentionMilliseconds == 5)
    }

    @Test func `a crash between the journal and the segments loses nothing`() throws {
        let store = try store()
        _ = try store.append(batch(count: 3))
        try store.flush()
        try store.checkpoint()
        _ = try store.append(batch(count: 2))
        try store.flush(segments: false)
        try store.reopen()
        #expect(try store.read() == [0, 3])
    }

    @Test(arguments: [0, 1, 3])
    func `a journal that is written over yields only what is new in it`(_ fresh: Int) throws {
        let store = try store()
        // Batches of one size, so that old entries begin where new ones end.
        for _ in 0..<3 {
            for _ in 0..<4 {
                _ = try store.append(batch(count: 1))
                try store.flush()
            }
            try store.checkpoint()
        }
        for _ in 0..<fresh {
            _ = try store.append(batch(count: 1))
            try store.flush(segments: false)
        }
        #expect(try store.reopen().entries == fresh)
        #expect(try store.read() == (0..<12 + fresh).map(Int64.init))
    }

    @Test(arguments: [false, true])
    func `what a crash left behind the checkpoint in a segment does not matter`(_ journalled: Bool) throws {
        let store = try store()
        _ = try store.append(batch(count: 3))
        try store.flush()
        try store.checkpoint()
        if journalled { _ = try store.append(batch(count: 2)) }
        try store.flush()
        let log = try #require(store.state.partition("t", 0))
        let file = log.segments[0].files.log
        try file.write(ByteBuffer(repeating: 0xee, count: 500), at: journalled ? log.segments[0].size - 10 : log.segments[0].size)
        try store.reopen()
        #expect(try store.read() == (journalled ? [0, 3] : [0]))
        #expect(try store.append(batch(count: 1)) == (journalled ? 5 : 3))
    }

    @Test func `a torn tail is cut at every octet`() throws {
        let store = try store()
        _ = try store.append(batch(count: 3))
        try store.flush()
        let whole = try OpenFile(store.newestJournal, .readWrite).size()
        _ = try store.append(batch(count: 2))
        try store.flush()
        let file = try OpenFile(store.newestJournal, .readWrite)
        var contents = ByteBuffer()
        try file.read(into: &contents, at: 0, length: Int(try file.size()))
        for length in stride(from: contents.readableBytes - 1, to: Int(whole), by: -1) {
            try file.truncate(to: Int64(length))
            let report = try store.reopen()
            #expect(report.tornTail)
            #expect(try store.read() == [0])
        }
        try file.write(contents, at: 0)
        try store.reopen()
        #expect(try store.read() == [0, 3])
    }

    @Test func `a flipped octet ends the journal where it is`() throws {
        let store = try store()
        for _ in 0..<5 {
            _ = try store.append(batch(count: 2))
            try store.flush()
        }
        let file = try OpenFile(store.newestJournal, .readWrite)
        let size = try file.size()
        var octet = ByteBuffer()
        try file.read(into: &octet, at: size - 40, length: 1)
        octet.setInteger((octet.getInteger(at: 0, as: UInt8.self) ?? 0) ^ 1, at: 0)
        try file.write(octet, at: size - 40)
        #expect(try store.reopen().tornTail)
        #expect(try store.read() == [0, 2, 4, 6])
    }

    @Test func `a damaged checkpoint is refused, not guessed at`() throws {
        let store = try store()
        try store.flush()
        try store.checkpoint()
        let file = try OpenFile(Checkpoint.path(store.directory), .readWrite)
        try file.write(ByteBuffer(repeating: 0x55, count: 3), at: 30)
        #expect(throws: JournalFormatError.self) { try store.reopen() }
    }

    @Test func `segments roll, are found by offset and by time, and go in front`() throws {
        let store = try store(segmentBytes: 1 << 14)
        for n in 0..<2000 { _ = try store.append(batch(count: 2, timestamp: Int64(1000 + n * 10))) }
        try store.flush()
        let log = try #require(store.state.partition("t", 0))
        #expect(log.segments.count > 5)
        #expect(try store.read().count == 2000)
        let segment = log.segments[2]
        let wanted = segment.baseOffset + 5
        let hit = try LogReader.find(
            timestamp: 1000 + (wanted / 2) * 10 + wanted % 2, in: segment.files, indexSize: segment.indexSize, endPosition: segment.size)
        #expect(hit?.offset == wanted)
        try store.state.record(.logStart(log.id, offset: 2001), now: 0)
        try store.flush()
        #expect(try store.read().first == 2000)
        try store.reopen(segmentBytes: 1 << 14)
        #expect(try store.read().first == 2000)
        #expect(try store.read().count == 1000)
    }

    @Test func `a lost index is built again`() throws {
        let store = try store()
        for _ in 0..<2000 { _ = try store.append(batch(count: 5)) }
        try store.flush()
        try store.checkpoint()
        let log = try #require(store.state.partition("t", 0))
        let size = log.segments[0].indexSize
        try log.segments[0].files.index.truncate(to: 0)
        try store.reopen()
        #expect(store.state.partition("t", 0)?.segments[0].indexSize == size)
        #expect(try store.read().count == 2000)
    }

    @Test(arguments: [false, true])
    func `sequences, open transactions and offsets survive a crash and a checkpoint`(_ checkpoint: Bool) throws {
        let store = try store()
        let id = PartitionID(incarnation: 1, partition: 0)
        let offsets = [TopicPartition(topic: "t", partition: 1): CommittedOffset(offset: 4, leaderEpoch: 0, metadata: "m", time: 2)]
        let begun: [JournalEntry] = [
            .producerIDs(next: 6),
            .transactionInitialized(id: "x", producerID: 5, epoch: 1, timeoutMilliseconds: 1000, time: 1),
            .transactionPartitions(id: "x", partitions: [id], time: 1), .transactionGroup(id: "x", group: "g", time: 1),
            .transactionOffsets(producerID: 5, group: "g", offsets: offsets),
        ]
        for entry in begun { try store.state.record(entry, now: 1) }
        _ = try store.append(batch(count: 2, producerID: 5, epoch: 1, sequence: 0, transactional: true))
        try store.flush()
        if checkpoint { try store.checkpoint() }
        try store.reopen()
        var log = try #require(store.state.partition("t", 0))
        #expect(log.highWatermark.offset == 2 && log.lastStable.offset == 0)
        #expect(log.producers[5]?.batches.last?.lastSequence == 1)
        #expect(store.state.groups["g"]?.offsets.isEmpty == true)
        #expect(store.state.transactions["x"]?.state == .ongoing)
        // The commit: live, then found by the next process.
        try store.state.record(.transactionEnded(id: "x", commit: true, epoch: 1, time: 3), now: 3)
        #expect(log.lastStable.offset == 0, "the marker is not durable yet")
        let (round, ends) = store.state.takeRound()
        for group in round.groups { try StorageWriter.write(group, of: round) }
        for (log, end) in ends { log.advance(to: end) }
        #expect(log.lastStable.offset == 3)
        #expect(store.state.groups["g"]?.offsets == offsets)
        log = try #require(store.state.partition("t", 0))
        #expect(try store.read(committed: true) == [0, 2])
    }

    @Test func `an aborted transaction is listed for readers until it is gone`() throws {
        let store = try store()
        let id = PartitionID(incarnation: 1, partition: 0)
        try store.state.record(.transactionInitialized(id: "x", producerID: 5, epoch: 0, timeoutMilliseconds: 1, time: 1), now: 1)
        try store.state.record(.transactionPartitions(id: "x", partitions: [id], time: 1), now: 1)
        _ = try store.append(batch(count: 2, producerID: 5, epoch: 0, sequence: 0, transactional: true))
        try store.state.record(.transactionEnded(id: "x", commit: false, epoch: 1, time: 3), now: 3)
        try store.flush()
        try store.reopen()
        let log = try #require(store.state.partition("t", 0))
        #expect(Array(log.abortedTransactions(from: 0)) == [AbortedTransaction(producerID: 5, firstOffset: 0, lastOffset: 2)])
        #expect(log.abortedTransactions(from: 3).isEmpty)
        #expect(log.producers[5]?.epoch == 1)
        #expect(log.lastStable.offset == 3)
    }
}
