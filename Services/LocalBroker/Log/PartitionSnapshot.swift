import NIOCore

/// A transaction that was aborted in a partition: a `read_committed` consumer drops the producer's records from
/// `firstOffset` up to the abort marker at `lastOffset`.
struct AbortedTransaction: Equatable, Sendable {
    var producerID: Int64
    var firstOffset: Int64
    var lastOffset: Int64
}

/// A place between two batches: an offset, and where it lies.
struct LogPosition: Equatable, Sendable {
    var offset: Int64
    var segmentBase: Int64
    var position: Int64
}

/// A partition in a checkpoint: its files with the lengths that were synced, and what cannot be read back from them cheaply.
struct PartitionSnapshot: Equatable, Sendable {
    struct SegmentLengths: Equatable, Sendable {
        var baseOffset: Int64
        var size: Int64
        var indexSize: Int64
        var maxTimestamp: Int64
        var created: Int64
        var indexedUpTo: Int64
    }

    var id: PartitionID
    var logStart: Int64
    var logEnd: Int64
    var segments: [SegmentLengths]
    var producers: [Int64: ProducerState]
    var open: [Int64: LogPosition]
    var aborted: [AbortedTransaction]

    func encode(into buffer: inout ByteBuffer) {
        buffer.putPartition(id)
        buffer.writeInteger(logStart)
        buffer.writeInteger(logEnd)
        buffer.putList(segments) {
            for value in [$1.baseOffset, $1.size, $1.indexSize, $1.maxTimestamp, $1.created, $1.indexedUpTo] { $0.writeInteger(value) }
        }
        buffer.putList(producers) {
            $0.writeInteger($1.key)
            $0.writeInteger($1.value.epoch)
            $0.writeInteger($1.value.lastAppend)
            $0.putList($1.value.batches) {
                $0.writeInteger($1.firstSequence)
                $0.writeInteger($1.lastSequence)
                $0.writeInteger($1.baseOffset)
                $0.writeInteger($1.maxTimestamp)
            }
        }
        buffer.putList(open) {
            for value in [$1.key, $1.value.offset, $1.value.segmentBase, $1.value.position] { $0.writeInteger(value) }
        }
        buffer.putList(aborted) {
            for value in [$1.producerID, $1.firstOffset, $1.lastOffset] { $0.writeInteger(value) }
        }
    }
}

extension PartitionSnapshot {
    init(decoding body: inout ByteBuffer) throws(JournalFormatError) {
        id = try body.takePartition()
        logStart = try body.take()
        logEnd = try body.take()
        segments = try body.takeList { (b: inout ByteBuffer) throws(JournalFormatError) in
            SegmentLengths(
                baseOffset: try b.take(), size: try b.take(), indexSize: try b.take(), maxTimestamp: try b.take(), created: try b.take(),
                indexedUpTo: try b.take())
        }
        producers = [:]
        for _ in 0..<(try body.take(UInt32.self)) {
            let producerID: Int64 = try body.take()
            var state = ProducerState(epoch: try body.take())
            state.lastAppend = try body.take()
            state.batches = try body.takeList { (b: inout ByteBuffer) throws(JournalFormatError) in
                ProducerState.Batch(
                    firstSequence: try b.take(), lastSequence: try b.take(), baseOffset: try b.take(), maxTimestamp: try b.take())
            }
            producers[producerID] = state
        }
        open = [:]
        for _ in 0..<(try body.take(UInt32.self)) {
            let producerID: Int64 = try body.take()
            open[producerID] = LogPosition(offset: try body.take(), segmentBase: try body.take(), position: try body.take())
        }
        aborted = try body.takeList { (b: inout ByteBuffer) throws(JournalFormatError) in
            AbortedTransaction(producerID: try b.take(), firstOffset: try b.take(), lastOffset: try b.take())
        }
    }
}
