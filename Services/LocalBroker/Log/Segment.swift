import NIOCore

/// One entry of a segment's index file: at this offset, the batch lies at this position, and no record before it (itself
/// included) is later than this timestamp. 24 octets, big endian. It serves both look-ups: by offset and by time.
struct IndexEntry: Equatable, Sendable {
    static let size = 24
    var baseOffset: Int64
    var position: Int64
    var maxTimestamp: Int64

    func encode(into buffer: inout ByteBuffer) {
        buffer.writeInteger(baseOffset)
        buffer.writeInteger(position)
        buffer.writeInteger(maxTimestamp)
    }

    init(baseOffset: Int64, position: Int64, maxTimestamp: Int64) {
        self.baseOffset = baseOffset
        self.position = position
        self.maxTimestamp = maxTimestamp
    }

    init?(_ buffer: inout ByteBuffer) {
        guard let offset = buffer.readInteger(as: Int64.self), let position = buffer.readInteger(as: Int64.self),
            let timestamp = buffer.readInteger(as: Int64.self)
        else { return nil }
        self.init(baseOffset: offset, position: position, maxTimestamp: timestamp)
    }
}

/// The two files of a segment, as readers see them.
final class SegmentFiles: Sendable {
    let log: OpenFile
    let index: OpenFile

    init(directory: String, baseOffset: Int64) throws(FileError) {
        let digits = String(baseOffset)
        let name = String(repeating: "0", count: max(0, 20 - digits.count)) + digits
        self.log = try OpenFile("\(directory)/\(name).log", .readWriteCreate)
        self.index = try OpenFile("\(directory)/\(name).index", .readWriteCreate)
    }

    func unlink() {
        Directory.remove(file: log.path)
        Directory.remove(file: index.path)
    }
}

/// A run of batches in one file, as the broker's thread keeps it. Its lengths are those after everything that was appended,
/// written or not; what may be read is bounded by the partition's high watermark.
struct Segment: Sendable {
    var baseOffset: Int64
    var files: SegmentFiles
    var size: Int64 = 0
    var indexSize: Int64 = 0
    var maxTimestamp: Int64 = -1
    /// When it began, by the wall clock: the age of a segment whose records carry no usable time.
    var created: Int64
    /// Position up to which the index speaks.
    var indexedUpTo: Int64 = 0
}
