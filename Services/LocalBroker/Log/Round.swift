import NIOCore

/// A piece of memory that goes to a file.
struct WritePiece: Sendable {
    /// In the round's journal buffer, or in its side buffer (markers and index entries).
    var inJournal: Bool
    var offset: Int
    var length: Int
}

/// Consecutive octets for one file.
struct WriteGroup: Sendable {
    var file: OpenFile
    var position: Int64
    var pieces: [WritePiece]
    /// Where the next piece goes.
    var end: Int64
}

/// What one turn of the disk carries: journal entries, synced once, and the same batches for the partitions' own files.
struct Round: Sendable {
    var journal: ByteBuffer
    var side = ByteBuffer()
    var groups: [WriteGroup] = []
    /// Files to remove once the round is durable.
    var removals: [String] = []
    var number: UInt64

    /// - Parameter journal: memory to fill, empty.
    init(number: UInt64, journal: ByteBuffer = ByteBuffer()) {
        self.number = number
        self.journal = journal
    }

    var isEmpty: Bool { journal.readableBytes == 0 && groups.isEmpty && removals.isEmpty }

    /// Adds a piece for `file` at `position`. `slot` is the caller's memory of which group of this round is the file's.
    mutating func add(_ piece: WritePiece, to file: OpenFile, at position: Int64, slot: inout RoundSlot) {
        if slot.round == number, slot.group < groups.count, groups[slot.group].file === file, groups[slot.group].end == position {
            groups[slot.group].pieces.append(piece)
            groups[slot.group].end += Int64(piece.length)
            return
        }
        slot = RoundSlot(round: number, group: groups.count)
        groups.append(WriteGroup(file: file, position: position, pieces: [piece], end: position + Int64(piece.length)))
    }
}

/// Remembers a file's group in the round being filled.
struct RoundSlot: Sendable {
    var round: UInt64 = .max
    var group = 0
}
