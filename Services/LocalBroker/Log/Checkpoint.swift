import NIOCore

/// The whole state at one point of the journal, so that everything before that point can be dropped.
///
/// The file: magic "SBKCKPT1", length uint64 and CRC-32C uint32 of what follows, then the sequence of the first journal
/// entry that is not in it (uint64), the next incarnation (uint32), and frames as in the journal, their sequence 0.
enum Checkpoint {
    static let magic = "SBKCKPT1"
    static func path(_ directory: String) -> String { "\(directory)/checkpoint" }

    static func encode(_ state: BrokerState) -> ByteBuffer {
        var content = ByteBuffer()
        content.writeInteger(state.nextSequence)
        content.writeInteger(state.nextIncarnation)
        func add(_ entry: JournalEntry) {
            JournalFrame.append(kind: entry.kind, sequence: 0, to: &content) { entry.encode(into: &$0) }
        }
        add(.producerIDs(next: state.nextProducerID))
        for topic in state.topics.values {
            // Count 0: the partitions follow, each with its files.
            add(.topicCreated(name: topic.name, incarnation: topic.incarnation, partitions: 0, settings: topic.settings))
            for log in topic.partitions { add(.partition(log.snapshot)) }
        }
        for transaction in state.transactions.values { add(.transaction(transaction)) }
        for (id, group) in state.groups {
            add(.groupChanged(group.machine.snapshot))
            if !group.offsets.isEmpty { add(.offsetsCommitted(group: id, offsets: group.offsets)) }
            for (producerID, offsets) in group.pendingOffsets {
                add(.transactionOffsets(producerID: producerID, group: id, offsets: offsets))
            }
        }
        var file = ByteBuffer()
        file.reserveCapacity(content.readableBytes + 20)
        file.writeString(magic)
        file.writeInteger(UInt64(content.readableBytes))
        file.writeInteger(content.crc32c(at: content.readerIndex, length: content.readableBytes))
        file.writeBuffer(&content)
        return file
    }

    /// - Returns: the first journal sequence that is not contained, the next incarnation, the entries.
    static func decode(_ file: ByteBuffer) throws(JournalFormatError) -> (sequence: UInt64, incarnation: UInt32, entries: [JournalEntry]) {
        var file = file
        guard file.readString(length: 8) == magic else { throw JournalFormatError(what: "the checkpoint is not one of this broker") }
        let length = Int(try file.take(UInt64.self))
        let crc = try file.take(UInt32.self)
        guard length == file.readableBytes, file.crc32c(at: file.readerIndex, length: length) == crc else {
            throw JournalFormatError(what: "the checkpoint is damaged (its checksum does not hold)")
        }
        let sequence = try file.take(UInt64.self)
        let incarnation = try file.take(UInt32.self)
        var entries: [JournalEntry] = []
        while file.readableBytes > 0 {
            guard case .frame(let kind, _, var body) = JournalFrame.next(in: &file) else {
                throw JournalFormatError(what: "the checkpoint holds a broken entry")
            }
            entries.append(try JournalEntry(kind: kind, decoding: &body))
        }
        return (sequence, incarnation, entries)
    }
}
