import NIOCore

/// What to read of one partition for a consumer; made by the broker's thread, carried out by a reader thread.
struct ReadPlan: Sendable {
    var files: SegmentFiles
    var offset: Int64
    /// Where the batch that holds `offset` lies, when that is known.
    var exactPosition: Int64?
    var indexSize: Int64
    /// Nothing at or behind this may be shown.
    var endPosition: Int64
    var maxBytes: Int
}

/// Reads batches out of segment files. Runs on reader threads: cold data may wait for the disk here, and nobody else does.
enum LogReader {
    /// The batches from the one that holds the plan's offset, whole ones only, at most `maxBytes` of them.
    /// - Parameter atLeastOne: hand out the first batch even if it alone is larger.
    static func read(_ plan: ReadPlan, maxBytes: Int, atLeastOne: Bool) throws(FileError) -> ByteBuffer {
        var buffer = ByteBuffer()
        let position: Int64
        if let exact = plan.exactPosition { position = exact } else { position = try locate(plan) }
        let available = Int(max(0, plan.endPosition - position))
        let wanted = min(available, max(0, min(maxBytes, plan.maxBytes)))
        if wanted > 0 {
            buffer.reserveCapacity(wanted)
            try plan.files.log.read(into: &buffer, at: position, length: wanted)
        }
        let whole = wholeBatches(in: buffer)
        if whole == 0, atLeastOne, available > 0 {
            if buffer.readableBytes < RecordBatchHeader.size {
                try plan.files.log.read(
                    into: &buffer, at: position + Int64(buffer.readableBytes),
                    length: min(available, RecordBatchHeader.size) - buffer.readableBytes)
            }
            guard let header = RecordBatchHeader(buffer, at: buffer.readerIndex), header.totalSize <= available else { return ByteBuffer() }
            try plan.files.log.read(
                into: &buffer, at: position + Int64(buffer.readableBytes), length: header.totalSize - buffer.readableBytes)
            return buffer.readableBytes == header.totalSize ? buffer : ByteBuffer()
        }
        buffer.moveWriterIndex(to: buffer.readerIndex + whole)
        return buffer
    }

    static func wholeBatches(in buffer: ByteBuffer) -> Int {
        var index = buffer.readerIndex
        while let length = buffer.getInteger(at: index + 8, as: Int32.self), length > 0 {
            let end = index + Int(length) + RecordBatchHeader.prefixSize
            guard end <= buffer.writerIndex else { break }
            index = end
        }
        return index - buffer.readerIndex
    }

    /// The last index entry for which `isBefore` holds; nil when there is none. `isBefore` must be true up to some entry, then false.
    private static func lastEntry(
        in files: SegmentFiles, indexSize: Int64, _ isBefore: (IndexEntry) -> Bool
    ) throws(FileError) -> IndexEntry? {
        var low: Int64 = 0
        var high = indexSize / Int64(IndexEntry.size)
        var found: IndexEntry?
        while low < high {
            let middle = (low + high) / 2
            var octets = ByteBuffer()
            try files.index.read(into: &octets, at: middle * Int64(IndexEntry.size), length: IndexEntry.size)
            // An entry that is not written yet is one of the newest: too far.
            if let entry = IndexEntry(&octets), isBefore(entry), middle == 0 || entry.position > 0 {
                found = entry
                low = middle + 1
            } else {
                high = middle
            }
        }
        return found
    }

    private static func locate(_ plan: ReadPlan) throws(FileError) -> Int64 {
        let entry = try lastEntry(in: plan.files, indexSize: plan.indexSize) { $0.baseOffset <= plan.offset }
        let start = entry?.position ?? 0
        let found = try scan(plan.files, from: start, to: plan.endPosition) { $0.lastOffset >= plan.offset }
        return found?.position ?? plan.endPosition
    }

    /// The first batch from `start` on that fits.
    private static func scan(
        _ files: SegmentFiles, from start: Int64, to end: Int64, _ fits: (RecordBatchHeader) -> Bool
    ) throws(FileError) -> (position: Int64, header: RecordBatchHeader)? {
        var position = start
        var chunk = ByteBuffer()
        var chunkStart = start
        while position + Int64(RecordBatchHeader.size) <= end {
            let at = Int(position - chunkStart)
            if at + RecordBatchHeader.size > chunk.readableBytes {
                chunk.clear()
                chunkStart = position
                try files.log.read(into: &chunk, at: position, length: Int(min(Int64(32 << 10), end - position)))
            }
            guard let header = RecordBatchHeader(chunk, at: chunk.readerIndex + Int(position - chunkStart)) else { return nil }
            if fits(header) { return (position, header) }
            position += Int64(header.totalSize)
        }
        return nil
    }

    /// The first record at or after `timestamp` in a segment, up to `endPosition`.
    ///
    /// Inside a compressed batch the records are not looked at: the answer is then the batch's first record, which is at most
    /// a batch too early and never too late.
    static func find(timestamp: Int64, in files: SegmentFiles, indexSize: Int64, endPosition: Int64) throws(FileError) -> (
        offset: Int64, timestamp: Int64
    )? {
        let entry = try lastEntry(in: files, indexSize: indexSize) { $0.maxTimestamp < timestamp }
        let hit = try scan(files, from: entry?.position ?? 0, to: endPosition) { $0.maxTimestamp >= timestamp && !$0.isControl }
        guard let (position, header) = hit else { return nil }
        if header.compression == 0, position + Int64(header.totalSize) <= endPosition {
            var batch = ByteBuffer()
            try files.log.read(into: &batch, at: position, length: header.totalSize)
            if let record = RecordTimes.first(atOrAfter: timestamp, in: batch, header) { return record }
        }
        return (header.baseOffset, header.baseTimestamp)
    }
}

/// Looks into an uncompressed batch for the times of its records.
/// Source: Kafka documentation, "Record": length, attributes, timestampDelta, offsetDelta, ... as zigzag varints.
enum RecordTimes {
    static func first(atOrAfter timestamp: Int64, in batch: ByteBuffer, _ header: RecordBatchHeader) -> (offset: Int64, timestamp: Int64)? {
        var rest = batch
        rest.moveReaderIndex(forwardBy: min(rest.readableBytes, RecordBatchHeader.size))
        while rest.readableBytes > 0 {
            guard let length = zigzag(&rest), length > 0, length <= Int64(rest.readableBytes),
                var record = rest.readSlice(length: Int(length)),
                record.readInteger(as: Int8.self) != nil, let time = zigzag(&record), let offset = zigzag(&record)
            else { return nil }
            let (at, overflow) = header.baseTimestamp.addingReportingOverflow(time)
            guard !overflow, offset >= 0, offset <= Int64(header.lastOffsetDelta) else { return nil }
            if at >= timestamp { return (header.baseOffset + offset, at) }
        }
        return nil
    }

    private static func zigzag(_ buffer: inout ByteBuffer) -> Int64? {
        var raw: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64 {
            guard let octet = buffer.readInteger(as: UInt8.self) else { return nil }
            raw |= UInt64(octet & 0x7f) << shift
            if octet & 0x80 == 0 { return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1) }
            shift += 7
        }
        return nil
    }
}
