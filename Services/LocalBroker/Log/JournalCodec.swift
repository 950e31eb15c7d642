import NIOCore

/// A journal entry or a checkpoint whose checksum holds, yet whose contents make no sense: written by another version, or a bug.
struct JournalFormatError: Error, Equatable {
    var what: String
}

extension ByteBuffer {
    mutating func putText(_ text: String) {
        writeInteger(UInt32(text.utf8.count))
        writeString(text)
    }

    mutating func putOptionalText(_ text: String?) {
        writeInteger(UInt8(text == nil ? 0 : 1))
        if let text { putText(text) }
    }

    mutating func putOctets(_ octets: [UInt8]) {
        writeInteger(UInt32(octets.count))
        writeBytes(octets)
    }

    mutating func putList<C: Collection>(_ values: C, _ write: (inout ByteBuffer, C.Element) -> Void) {
        writeInteger(UInt32(values.count))
        for value in values { write(&self, value) }
    }

    mutating func take<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(JournalFormatError) -> T {
        guard let value = readInteger(as: type) else { throw JournalFormatError(what: "an entry ends early") }
        return value
    }

    mutating func takeText() throws(JournalFormatError) -> String {
        let length = Int(try take(UInt32.self))
        guard let text = readString(length: length) else { throw JournalFormatError(what: "a text ends early") }
        return text
    }

    mutating func takeOptionalText() throws(JournalFormatError) -> String? {
        try take(UInt8.self) == 0 ? nil : try takeText()
    }

    mutating func takeOctets() throws(JournalFormatError) -> [UInt8] {
        let length = Int(try take(UInt32.self))
        guard let octets = readBytes(length: length) else { throw JournalFormatError(what: "a field ends early") }
        return octets
    }

    mutating func takeList<T>(_ element: (inout ByteBuffer) throws(JournalFormatError) -> T) throws(JournalFormatError) -> [T] {
        let count = Int(try take(UInt32.self))
        guard count <= readableBytes else { throw JournalFormatError(what: "a list ends early") }
        var values: [T] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(try element(&self)) }
        return values
    }

    mutating func putPartition(_ id: PartitionID) {
        writeInteger(id.incarnation)
        writeInteger(id.partition)
    }

    mutating func takePartition() throws(JournalFormatError) -> PartitionID {
        PartitionID(incarnation: try take(), partition: try take())
    }

    mutating func putSettings(_ settings: [String: String]) {
        putList(settings.sorted { $0.key < $1.key }) {
            $0.putText($1.key)
            $0.putText($1.value)
        }
    }

    mutating func takeSettings() throws(JournalFormatError) -> [String: String] {
        var settings: [String: String] = [:]
        for _ in 0..<(try take(UInt32.self)) { settings[try takeText()] = try takeText() }
        return settings
    }

    mutating func putOffsets(_ offsets: [TopicPartition: CommittedOffset]) {
        writeInteger(UInt32(offsets.count))
        for (partition, offset) in offsets {
            putText(partition.topic)
            writeInteger(partition.partition)
            writeInteger(offset.offset)
            writeInteger(offset.leaderEpoch)
            putOptionalText(offset.metadata)
            writeInteger(offset.time)
        }
    }

    mutating func takeOffsets() throws(JournalFormatError) -> [TopicPartition: CommittedOffset] {
        var offsets: [TopicPartition: CommittedOffset] = [:]
        for _ in 0..<(try take(UInt32.self)) {
            let partition = TopicPartition(topic: try takeText(), partition: try take())
            offsets[partition] = CommittedOffset(
                offset: try take(), leaderEpoch: try take(), metadata: try takeOptionalText(), time: try take())
        }
        return offsets
    }
}

extension JournalEntry {
    var kind: Kind {
        switch self {
        case .topicCreated: .topicCreated
        case .partitionsAdded: .partitionsAdded
        case .topicDeleted: .topicDeleted
        case .topicConfigured: .topicConfigured
        case .logStart: .logStart
        case .producerIDs: .producerIDs
        case .transactionInitialized: .transactionInitialized
        case .transactionPartitions: .transactionPartitions
        case .transactionGroup: .transactionGroup
        case .transactionOffsets: .transactionOffsets
        case .transactionEnded: .transactionEnded
        case .transactionForgotten: .transactionForgotten
        case .offsetsCommitted: .offsetsCommitted
        case .groupChanged: .groupChanged
        case .groupDeleted: .groupDeleted
        case .partition: .partition
        case .transaction: .transaction
        }
    }

    func encode(into buffer: inout ByteBuffer) {
        switch self {
        case .topicCreated(let name, let incarnation, let partitions, let settings):
            buffer.putText(name)
            buffer.writeInteger(incarnation)
            buffer.writeInteger(partitions)
            buffer.putSettings(settings)
        case .partitionsAdded(let name, let total):
            buffer.putText(name)
            buffer.writeInteger(total)
        case .topicDeleted(let name), .transactionForgotten(let name), .groupDeleted(let name):
            buffer.putText(name)
        case .topicConfigured(let name, let settings):
            buffer.putText(name)
            buffer.putSettings(settings)
        case .logStart(let partition, let offset):
            buffer.putPartition(partition)
            buffer.writeInteger(offset)
        case .producerIDs(let next):
            buffer.writeInteger(next)
        case .transactionInitialized(let id, let producerID, let epoch, let timeout, let time):
            buffer.putText(id)
            buffer.writeInteger(producerID)
            buffer.writeInteger(epoch)
            buffer.writeInteger(timeout)
            buffer.writeInteger(time)
        case .transactionPartitions(let id, let partitions, let time):
            buffer.putText(id)
            buffer.putList(partitions) { $0.putPartition($1) }
            buffer.writeInteger(time)
        case .transactionGroup(let id, let group, let time):
            buffer.putText(id)
            buffer.putText(group)
            buffer.writeInteger(time)
        case .transactionOffsets(let producerID, let group, let offsets):
            buffer.writeInteger(producerID)
            buffer.putText(group)
            buffer.putOffsets(offsets)
        case .transactionEnded(let id, let commit, let epoch, let time):
            buffer.putText(id)
            buffer.writeInteger(UInt8(commit ? 1 : 0))
            buffer.writeInteger(epoch)
            buffer.writeInteger(time)
        case .offsetsCommitted(let group, let offsets):
            buffer.putText(group)
            buffer.putOffsets(offsets)
        case .groupChanged(let snapshot): snapshot.encode(into: &buffer)
        case .partition(let snapshot): snapshot.encode(into: &buffer)
        case .transaction(let snapshot): snapshot.encode(into: &buffer)
        }
    }

    /// - Throws: `JournalFormatError` also for `.records`, which carry a batch and are not entries of this type.
    init(kind: Kind, decoding body: inout ByteBuffer) throws(JournalFormatError) {
        switch kind {
        case .records: throw JournalFormatError(what: "records where an entry should be")
        case .topicCreated:
            self = .topicCreated(
                name: try body.takeText(), incarnation: try body.take(), partitions: try body.take(), settings: try body.takeSettings())
        case .partitionsAdded: self = .partitionsAdded(name: try body.takeText(), total: try body.take())
        case .topicDeleted: self = .topicDeleted(name: try body.takeText())
        case .topicConfigured: self = .topicConfigured(name: try body.takeText(), settings: try body.takeSettings())
        case .logStart: self = .logStart(try body.takePartition(), offset: try body.take())
        case .producerIDs: self = .producerIDs(next: try body.take())
        case .transactionInitialized:
            self = .transactionInitialized(
                id: try body.takeText(), producerID: try body.take(), epoch: try body.take(), timeoutMilliseconds: try body.take(),
                time: try body.take())
        case .transactionPartitions:
            let id = try body.takeText()
            let partitions = try body.takeList { (b: inout ByteBuffer) throws(JournalFormatError) in try b.takePartition() }
            self = .transactionPartitions(id: id, partitions: partitions, time: try body.take())
        case .transactionGroup:
            self = .transactionGroup(id: try body.takeText(), group: try body.takeText(), time: try body.take())
        case .transactionOffsets:
            self = .transactionOffsets(producerID: try body.take(), group: try body.takeText(), offsets: try body.takeOffsets())
        case .transactionEnded:
            self = .transactionEnded(
                id: try body.takeText(), commit: try body.take(UInt8.self) != 0, epoch: try body.take(), time: try body.take())
        case .transactionForgotten: self = .transactionForgotten(id: try body.takeText())
        case .offsetsCommitted: self = .offsetsCommitted(group: try body.takeText(), offsets: try body.takeOffsets())
        case .groupChanged: self = .groupChanged(try GroupSnapshot(decoding: &body))
        case .groupDeleted: self = .groupDeleted(group: try body.takeText())
        case .partition: self = .partition(try PartitionSnapshot(decoding: &body))
        case .transaction: self = .transaction(try TransactionSnapshot(decoding: &body))
        }
        guard body.readableBytes == 0 else { throw JournalFormatError(what: "an entry has octets left over") }
    }
}
