import NIOCore

/// A partition by its topic's incarnation: a topic that is deleted and created again is another one.
struct PartitionID: Hashable, Sendable, Comparable {
    var incarnation: UInt32
    var partition: Int32

    static func < (a: PartitionID, b: PartitionID) -> Bool {
        (a.incarnation, a.partition) < (b.incarnation, b.partition)
    }
}

/// A partition by its topic's name, as clients say it.
struct TopicPartition: Hashable, Sendable {
    var topic: String
    var partition: Int32
}

/// An offset that a group committed.
struct CommittedOffset: Equatable, Sendable {
    var offset: Int64
    var leaderEpoch: Int32
    var metadata: String?
    /// Wall clock of the commit, milliseconds.
    var time: Int64
}

/// What the broker decided. The state of the broker is the fold of these over the last checkpoint, and nothing else: the
/// same entries give the same state, live and in recovery. Record batches have a way of their own (`JournalEntry.Kind.records`).
enum JournalEntry: Equatable, Sendable {
    case topicCreated(name: String, incarnation: UInt32, partitions: Int32, settings: [String: String])
    case partitionsAdded(name: String, total: Int32)
    case topicDeleted(name: String)
    case topicConfigured(name: String, settings: [String: String])
    case logStart(PartitionID, offset: Int64)
    case producerIDs(next: Int64)
    case transactionInitialized(id: String, producerID: Int64, epoch: Int16, timeoutMilliseconds: Int32, time: Int64)
    case transactionPartitions(id: String, partitions: [PartitionID], time: Int64)
    case transactionGroup(id: String, group: String, time: Int64)
    case transactionOffsets(producerID: Int64, group: String, offsets: [TopicPartition: CommittedOffset])
    /// The decision and its consequences in one: the markers follow from it wherever it is applied, so a crash cannot leave
    /// half a decision. `epoch` is what the markers carry, and the producer's from now on.
    case transactionEnded(id: String, commit: Bool, epoch: Int16, time: Int64)
    case transactionForgotten(id: String)
    case offsetsCommitted(group: String, offsets: [TopicPartition: CommittedOffset])
    case groupChanged(GroupSnapshot)
    case groupDeleted(group: String)
    /// Only in checkpoints.
    case partition(PartitionSnapshot)
    case transaction(TransactionSnapshot)

    enum Kind: UInt8 {
        case records = 1
        case topicCreated, partitionsAdded, topicDeleted, topicConfigured, logStart, producerIDs
        case transactionInitialized, transactionPartitions, transactionGroup, transactionOffsets, transactionEnded
        case transactionForgotten, offsetsCommitted, groupChanged, groupDeleted, partition, transaction
    }
}

/// The frame around an entry: length uint32 (of what follows the checksum), CRC-32C uint32 (of the same), sequence uint64,
/// kind uint8, body. Sequences count up by one over the life of the data directory, so replay knows where the journal ends
/// even when old octets lie behind.
enum JournalFrame {
    static let headerSize = 17
    /// Larger than the largest request: what claims more is not an entry.
    static let largest = 1 << 30

    /// Appends a frame whose body `write` produces.
    static func append(
        kind: JournalEntry.Kind, sequence: UInt64, to buffer: inout ByteBuffer, _ write: (inout ByteBuffer) -> Void
    ) {
        let start = buffer.writerIndex
        buffer.writeInteger(UInt64(0))
        buffer.writeInteger(sequence)
        buffer.writeInteger(kind.rawValue)
        write(&buffer)
        close(at: start, in: &buffer)
    }

    /// Fills in length and checksum of the frame that began at `start` and ends at the writer index.
    static func close(at start: Int, in buffer: inout ByteBuffer) {
        let length = buffer.writerIndex - start - 8
        buffer.setInteger(UInt32(length), at: start)
        buffer.setInteger(buffer.crc32c(at: start + 8, length: length), at: start + 4)
    }

    enum Next: Equatable {
        case frame(kind: JournalEntry.Kind, sequence: UInt64, body: ByteBuffer)
        case incomplete
        case damaged
    }

    /// Takes the next frame off `buffer`.
    static func next(in buffer: inout ByteBuffer) -> Next {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return .incomplete }
        guard length >= 9, length <= UInt32(largest) else { return .damaged }
        guard buffer.readableBytes >= 8 + Int(length) else { return .incomplete }
        let start = buffer.readerIndex
        guard let stored = buffer.getInteger(at: start + 4, as: UInt32.self),
            let sequence = buffer.getInteger(at: start + 8, as: UInt64.self),
            buffer.crc32c(at: start + 8, length: Int(length)) == stored,
            let raw = buffer.getInteger(at: start + 16, as: UInt8.self), let kind = JournalEntry.Kind(rawValue: raw)
        else { return .damaged }
        buffer.moveReaderIndex(forwardBy: headerSize)
        guard let body = buffer.readSlice(length: Int(length) - 9) else { return .damaged }
        return .frame(kind: kind, sequence: sequence, body: body)
    }
}
