import CPlatform
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A system call on a file of the data directory failed.
struct FileError: Error, CustomStringConvertible, Equatable {
    var operation: String
    var path: String
    var errnoValue: Int32

    var isNoSpace: Bool { errnoValue == ENOSPC || errnoValue == EDQUOT }
    var description: String { "\(operation) \(path): \(String(cString: strerror(errnoValue)))" }
}

/// One open file. The descriptor closes when the last user lets go, so a reader may finish with a file that retention has
/// already unlinked.
final class OpenFile: Sendable {
    let path: String
    let descriptor: Int32

    enum Mode { case readWrite, readWriteCreate, readOnly }

    init(_ path: String, _ mode: Mode) throws(FileError) {
        let flags: Int32
        switch mode {
        case .readWrite: flags = O_RDWR | O_CLOEXEC
        case .readWriteCreate: flags = O_RDWR | O_CREAT | O_CLOEXEC
        case .readOnly: flags = O_RDONLY | O_CLOEXEC
        }
        let result = cplatform_open(path, flags, 0o640)
        guard result >= 0 else { throw FileError(operation: "open", path: path, errnoValue: -result) }
        self.path = path
        self.descriptor = result
    }

    deinit { close(descriptor) }

    func failure(_ operation: String) -> FileError { FileError(operation: operation, path: path, errnoValue: errno) }

    func size() throws(FileError) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("fstat") }
        return Int64(status.st_size)
    }

    func truncate(to size: Int64) throws(FileError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw failure("ftruncate") }
    }

    /// Makes the contents, and what is needed to find them, survive a power cut.
    func syncData() throws(FileError) {
        while fdatasync(descriptor) != 0 {
            guard errno == EINTR else { throw failure("fdatasync") }
        }
    }

    /// Starts writing out a part of the file; nothing is promised.
    func beginWritingOut(from position: Int64, length: Int) {
        guard length > 0 else { return }
        cplatform_begin_writing_out(descriptor, position, Int64(length))
    }

    func write(_ buffer: ByteBuffer, at position: Int64) throws(FileError) {
        let error: FileError? = buffer.withUnsafeReadableBytes { bytes in
            var done = 0
            while done < bytes.count {
                let n = pwrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(position) + off_t(done))
                if n < 0 {
                    if errno == EINTR { continue }
                    return failure("write")
                }
                done += n
            }
            return nil
        }
        if let error { throw error }
    }

    /// Appends up to `length` octets from `position` to `buffer`; fewer at the end of the file.
    @discardableResult
    func read(into buffer: inout ByteBuffer, at position: Int64, length: Int) throws(FileError) -> Int {
        var total = 0
        while total < length {
            var failed: FileError?
            let n = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: length - total) { target in
                while true {
                    let n = pread(descriptor, target.baseAddress, length - total, off_t(position) + off_t(total))
                    if n >= 0 { return n }
                    if errno != EINTR {
                        failed = failure("read")
                        return 0
                    }
                }
            }
            if let failed { throw failed }
            if n == 0 { break }
            total += n
        }
        return total
    }
}

/// Directory operations.
enum Directory {
    static func create(_ path: String) throws(FileError) {
        var partial = path.hasPrefix("/") ? "/" : ""
        for component in path.split(separator: "/") {
            partial += (partial.isEmpty || partial.hasSuffix("/") ? "" : "/") + component
            if mkdir(partial, 0o750) != 0, errno != EEXIST {
                throw FileError(operation: "mkdir", path: partial, errnoValue: errno)
            }
        }
    }

    static func names(_ path: String) -> [String] {
        guard let handle = opendir(path) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Makes the names in the directory survive a power cut.
    static func sync(_ path: String) throws(FileError) {
        let file = try OpenFile(path, .readOnly)
        guard fsync(file.descriptor) == 0 else { throw file.failure("fsync") }
    }

    static func remove(file path: String) { unlink(path) }

    static func removeTree(_ path: String) {
        for name in names(path) {
            let child = "\(path)/\(name)"
            if unlink(child) != 0 { removeTree(child) }
        }
        rmdir(path)
    }

    /// Writes a file whole: aside, synced, then renamed into place.
    static func replace(_ path: String, with contents: ByteBuffer) throws(FileError) {
        let aside = path + ".new"
        let file = try OpenFile(aside, .readWriteCreate)
        try file.truncate(to: 0)
        try file.write(contents, at: 0)
        try file.syncData()
        guard rename(aside, path) == 0 else { throw FileError(operation: "rename", path: path, errnoValue: errno) }
        if let slash = path.lastIndex(of: "/") { try sync(String(path[..<slash])) }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

/// Milliseconds since 1970, by the system's clock.
func wallClockMilliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
}
