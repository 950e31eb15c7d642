import CPlatform
import NIOCore

/// The header of a record batch, version 2, as it lies on the wire and in the segment files.
///
///      0 baseOffset int64        8 batchLength int32     12 partitionLeaderEpoch int32   16 magic int8
///     17 crc uint32             21 attributes int16      23 lastOffsetDelta int32
///     27 baseTimestamp int64    35 maxTimestamp int64    43 producerId int64             51 producerEpoch int16
///     53 baseSequence int32     57 recordsCount int32    61 records
///
/// The checksum covers everything from the attributes on, so the offset and the leader epoch can be written in place.
/// Source: Kafka documentation, "Record Batch".
struct RecordBatchHeader: Equatable, Sendable {
    static let size = 61
    /// What `batchLength` does not count: the offset and itself.
    static let prefixSize = 12

    var baseOffset: Int64
    /// Of the whole batch, in octets, prefix included.
    var totalSize: Int
    var attributes: Int16
    var lastOffsetDelta: Int32
    var baseTimestamp: Int64
    var maxTimestamp: Int64
    var producerID: Int64
    var producerEpoch: Int16
    var baseSequence: Int32
    var recordCount: Int32
    var crc: UInt32

    var lastOffset: Int64 { baseOffset &+ Int64(lastOffsetDelta) }
    var nextOffset: Int64 { lastOffset &+ 1 }
    var isTransactional: Bool { attributes & 0x10 != 0 }
    var isControl: Bool { attributes & 0x20 != 0 }
    var compression: Int16 { attributes & 0x07 }
    var hasProducer: Bool { producerID >= 0 }
    /// Sequences wrap from Int32.max to 0.
    var lastSequence: Int32 {
        guard baseSequence >= 0 else { return -1 }
        let sum = Int64(baseSequence) + Int64(lastOffsetDelta)
        return sum > Int64(Int32.max) ? Int32(sum - Int64(Int32.max) - 1) : Int32(sum)
    }

    /// Reads the header at `index`; nil when fewer than 61 octets are there, the magic is not 2, or the length is nonsense.
    init?(_ buffer: ByteBuffer, at index: Int) {
        guard index >= buffer.readerIndex, index + Self.size <= buffer.writerIndex,
            let baseOffset = buffer.getInteger(at: index, as: Int64.self),
            let length = buffer.getInteger(at: index + 8, as: Int32.self),
            let magic = buffer.getInteger(at: index + 16, as: Int8.self),
            let crc = buffer.getInteger(at: index + 17, as: UInt32.self),
            let attributes = buffer.getInteger(at: index + 21, as: Int16.self),
            let lastOffsetDelta = buffer.getInteger(at: index + 23, as: Int32.self),
            let baseTimestamp = buffer.getInteger(at: index + 27, as: Int64.self),
            let maxTimestamp = buffer.getInteger(at: index + 35, as: Int64.self),
            let producerID = buffer.getInteger(at: index + 43, as: Int64.self),
            let producerEpoch = buffer.getInteger(at: index + 51, as: Int16.self),
            let baseSequence = buffer.getInteger(at: index + 53, as: Int32.self),
            let recordCount = buffer.getInteger(at: index + 57, as: Int32.self)
        else { return nil }
        guard magic == 2, length >= Int32(Self.size - Self.prefixSize), lastOffsetDelta >= 0 else { return nil }
        self.baseOffset = baseOffset
        self.totalSize = Int(length) + Self.prefixSize
        self.attributes = attributes
        self.lastOffsetDelta = lastOffsetDelta
        self.baseTimestamp = baseTimestamp
        self.maxTimestamp = maxTimestamp
        self.producerID = producerID
        self.producerEpoch = producerEpoch
        self.baseSequence = baseSequence
        self.recordCount = recordCount
        self.crc = crc
    }

    /// Whether the checksum in the header at `index` is that of the octets after it. The whole batch must be there.
    func checksumHolds(in buffer: ByteBuffer, at index: Int) -> Bool {
        guard index + totalSize <= buffer.writerIndex else { return false }
        return buffer.crc32c(at: index + 21, length: totalSize - 21) == crc
    }
}

extension ByteBuffer {
    /// CRC-32C of `length` octets from `index`, which must be inside the buffer.
    func crc32c(at index: Int, length: Int, continuing crc: UInt32 = 0) -> UInt32 {
        withUnsafeReadableBytes { bytes in
            let start = index - readerIndex
            guard start >= 0, length > 0, start + length <= bytes.count, let base = bytes.baseAddress else { return crc }
            return cplatform_crc32c(crc, base + start, length)
        }
    }
}

/// What a producer sent for one partition.
enum RecordBatchVerdict: Equatable, Sendable {
    case valid(RecordBatchHeader)
    case invalid(KafkaError)

    /// Checks one partition's `records` of a produce request: exactly one batch of version 2, whole, with the right
    /// checksum, counts that agree, and not a control batch.
    init(checking records: ByteBuffer?) {
        guard let records, records.readableBytes >= RecordBatchHeader.prefixSize + 5 else {
            self = .invalid(.invalidRecord)
            return
        }
        let start = records.readerIndex
        guard records.getInteger(at: start + 16, as: Int8.self) == 2 else {
            self = .invalid(.unsupportedForMessageFormat)
            return
        }
        guard let header = RecordBatchHeader(records, at: start) else {
            self = .invalid(.corruptMessage)
            return
        }
        guard header.totalSize == records.readableBytes else {
            self = .invalid(header.totalSize < records.readableBytes ? .invalidRecord : .corruptMessage)
            return
        }
        guard header.checksumHolds(in: records, at: start) else {
            self = .invalid(.corruptMessage)
            return
        }
        guard !header.isControl, header.recordCount > 0, header.lastOffsetDelta == header.recordCount - 1,
            !header.isTransactional || header.hasProducer, header.compression <= 4,
            !header.hasProducer || (header.baseSequence >= 0 && header.producerEpoch >= 0)
        else {
            self = .invalid(.invalidRecord)
            return
        }
        self = .valid(header)
    }
}

/// The batch that ends a transaction in a partition: one control record.
/// Source: Kafka documentation, "Control Batches" (key: version, type; value: version, coordinator epoch).
struct ControlBatch {
    var producerID: Int64
    var producerEpoch: Int16
    var commit: Bool
    var timestamp: Int64
    static let size = RecordBatchHeader.size + 17

    func encode(into buffer: inout ByteBuffer, baseOffset: Int64) {
        let start = buffer.writerIndex
        buffer.writeInteger(baseOffset)
        buffer.writeInteger(Int32(Self.size - RecordBatchHeader.prefixSize))
        buffer.writeInteger(Int32(0))  // leader epoch
        buffer.writeInteger(Int8(2))
        buffer.writeInteger(UInt32(0))  // checksum, below
        buffer.writeInteger(Int16(0x30))
        buffer.writeInteger(Int32(0))
        buffer.writeInteger(timestamp)
        buffer.writeInteger(timestamp)
        buffer.writeInteger(producerID)
        buffer.writeInteger(producerEpoch)
        buffer.writeInteger(Int32(-1))
        buffer.writeInteger(Int32(1))
        // length 16, attributes, timestamp delta, offset delta, key of 4, value of 6, no headers; lengths are zigzag varints.
        buffer.writeBytes([32, 0, 0, 0, 8, 0, 0, 0, commit ? 1 : 0, 12, 0, 0, 0, 0, 0, 0, 0])
        let crc = buffer.crc32c(at: start + 21, length: Self.size - 21)
        buffer.setInteger(crc, at: start + 17)
    }
}
