import NIOCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The journal and the partition files as the storage thread writes them: the journal, the partitions' own files, which need no
/// sync before the next checkpoint, then one `fdatasync` of the journal.
///
/// Only the storage thread calls `perform` and `rotate`; the lock makes that visible to the compiler and is never contended.
final class StorageWriter: Sendable {
    private struct Contents {
        var journal: OpenFile
        var position: Int64 = 0
        /// Files written since the last rotation: the next checkpoint syncs them.
        var dirty: [ObjectIdentifier: OpenFile] = [:]
        var unsynced = false
        /// Journals that this process began, so that every entry in them is older than any to come.
        var own: Set<String>
        /// A journal that is not needed any more, to be written over. A sync of a file that does not grow costs half as much: it
        /// waits for no commit of the file system's own journal.
        var spare: String?
        /// Where it is written down what was synced.
        var log: SyncLog?
    }

    private let contents: Mutex<Contents>
    private let directory: String

    static func journalDirectory(_ directory: String) -> String { "\(directory)/journal" }

    static func journalName(_ sequence: UInt64) -> String {
        let digits = String(sequence)
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits + ".journal"
    }

    /// Opens a new journal whose first entry will be `sequence`.
    init(directory: String, sequence: UInt64, syncLog: SyncLog? = nil) throws(FileError) {
        self.directory = directory
        Directory.remove(file: Self.sparePath(directory))
        let journal = try Self.create(directory, sequence, over: nil)
        try syncLog?.synced(journal, length: 0)
        self.contents = Mutex(Contents(journal: journal, own: [Self.journalName(sequence)], log: syncLog))
    }

    private static func sparePath(_ directory: String) -> String { "\(journalDirectory(directory))/spare" }

    /// - Parameter spare: a file to take over with all that is in it. Recovery passes over its entries: their sequences are past.
    private static func create(_ directory: String, _ sequence: UInt64, over spare: String?) throws(FileError) -> OpenFile {
        let folder = journalDirectory(directory)
        try Directory.create(folder)
        let path = "\(folder)/\(journalName(sequence))"
        let isRecycled = spare.map { rename($0, path) == 0 } ?? false
        let file = try OpenFile(path, .readWriteCreate)
        if !isRecycled {
            try file.truncate(to: 0)
            try file.syncData()
        }
        try Directory.sync(folder)
        return file
    }

    /// Writes a round. It may be called again with the same round after it threw: everything goes to fixed places.
    /// - Parameter sync: whether the journal is synced before this returns.
    func perform(_ round: Round, sync: Bool) throws(FileError) {
        let result = contents.withLock { (contents: inout Contents) -> Result<Void, FileError> in
            do throws(FileError) {
                if round.journal.readableBytes > 0 {
                    try contents.journal.write(round.journal, at: contents.position)
                    contents.unsynced = true
                }
                // The disk works on the journal while the partitions' files are written, which take no part in the sync.
                if sync, contents.unsynced, !round.groups.isEmpty {
                    contents.journal.beginWritingOut(from: contents.position, length: round.journal.readableBytes)
                }
                for group in round.groups {
                    try Self.write(group, of: round)
                    contents.dirty[ObjectIdentifier(group.file)] = group.file
                }
                if sync, contents.unsynced {
                    try contents.journal.syncData()
                    contents.unsynced = false
                    try contents.log?.synced(contents.journal, length: contents.position + Int64(round.journal.readableBytes))
                }
                contents.position += Int64(round.journal.readableBytes)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
        for path in round.removals { Directory.removeTree(path); Directory.remove(file: path) }
    }

    /// Starts the journal that begins with `sequence`. Returns the files that a checkpoint taken here has to sync.
    func rotate(to sequence: UInt64) throws(FileError) -> [OpenFile] {
        let (journal, isUnsynced, log, spare) = contents.withLock { ($0.journal, $0.unsynced, $0.log, $0.spare.take()) }
        // With syncs at intervals: what comes into the next journal must not be durable before what is in this one.
        if isUnsynced { try journal.syncData() }
        let next = try Self.create(directory, sequence, over: spare)
        try log?.synced(next, length: 0)
        return contents.withLock { contents in
            contents.own.insert(Self.journalName(sequence))
            contents.journal = next
            contents.position = 0
            contents.unsynced = false
            let files = Array(contents.dirty.values)
            contents.dirty.removeAll()
            return files
        }
    }

    /// Writes the octets of `group`, which lie scattered in memory and together in the file.
    static func write(_ group: WriteGroup, of round: Round) throws(FileError) {
        let failed: FileError? = round.journal.withUnsafeReadableBytes { journal in
            round.side.withUnsafeReadableBytes { side in
                var vectors: [iovec] = []
                vectors.reserveCapacity(group.pieces.count)
                for piece in group.pieces {
                    let base = piece.inJournal ? journal.baseAddress : side.baseAddress
                    vectors.append(
                        iovec(iov_base: UnsafeMutableRawPointer(mutating: base.map { $0 + piece.offset }), iov_len: piece.length))
                }
                var position = group.position
                var first = 0
                while first < vectors.count {
                    let count = min(vectors.count - first, 1024)
                    let written = vectors.withUnsafeBufferPointer {
                        pwritev(group.file.descriptor, $0.baseAddress.map { $0 + first }, Int32(count), off_t(position))
                    }
                    if written < 0 {
                        if errno == EINTR { continue }
                        return group.file.failure("write")
                    }
                    position += Int64(written)
                    var rest = written
                    while first < vectors.count, rest >= vectors[first].iov_len {
                        rest -= vectors[first].iov_len
                        first += 1
                    }
                    if rest > 0, first < vectors.count {
                        vectors[first].iov_base = vectors[first].iov_base.map { $0 + rest }
                        vectors[first].iov_len -= rest
                    }
                }
                return nil
            }
        }
        if let failed { throw failed }
    }

    /// Makes a checkpoint: what the partitions' files hold becomes durable, then the state that refers to it, then the
    /// journals before `sequence` go, one of them to `recycler`. Runs on a thread of its own, beside the writing.
    static func checkpoint(
        _ snapshot: ByteBuffer, files: [OpenFile], sequence: UInt64, directory: String, recycler: StorageWriter? = nil,
        syncLog: SyncLog? = nil
    ) throws(FileError) {
        var folders: Set<String> = []
        for file in files {
            let length = try file.size()
            try file.syncData()
            try syncLog?.synced(file, length: length)
            let parts = file.path.split(separator: "/", omittingEmptySubsequences: false)
            folders.insert(parts.dropLast().joined(separator: "/"))
            folders.insert(parts.dropLast(2).joined(separator: "/"))
        }
        for folder in folders where Directory.exists(folder) { try Directory.sync(folder) }
        try Directory.create("\(directory)/topics")
        try Directory.sync("\(directory)/topics")
        try Directory.replace(Checkpoint.path(directory), with: snapshot)
        let folder = journalDirectory(directory)
        for name in Directory.names(folder) where name.hasSuffix(".journal") && name < journalName(sequence) {
            if recycler?.recycle(name) != true { Directory.remove(file: "\(folder)/\(name)") }
        }
    }

    /// Keeps a journal as the spare one, if it is ours and there is none.
    private func recycle(_ name: String) -> Bool {
        contents.withLock { contents in
            let path = Self.sparePath(directory)
            guard contents.own.remove(name) != nil, contents.spare == nil,
                rename("\(Self.journalDirectory(directory))/\(name)", path) == 0
            else { return false }
            contents.spare = path
            return true
        }
    }
}
