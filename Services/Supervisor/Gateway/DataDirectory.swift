import Foundation
import Store

/// What `up` keeps in its data directory, and where.
public struct DataDirectory: Sendable {
    /// Absolute, without `.` and `..`.
    public let path: String

    /// - Parameter path: relative ones start at the working directory.
    public init(_ path: String) {
        let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        self.path = URL(fileURLWithPath: absolute).standardizedFileURL.path
    }

    /// Held locked by the `up` that runs here.
    public var lockFile: String { path + "/up.lock" }
    /// There while everything is up: see `UpState`.
    public var stateFile: String { path + "/up.json" }
    /// The running children's process ids by name.
    public var processFile: String { path + "/processes.json" }
    /// Ports that were chosen here before.
    public var portsFile: String { path + "/ports.json" }
    public var secretsFile: String { path + "/secrets" }
    /// Keys of encrypted texts in the message log.
    public var bodyKeysFile: String { path + "/body.keys" }
    public var logs: String { path + "/log" }
    public var postgresql: String { path + "/postgresql" }
    public var broker: String { path + "/broker" }
    public var demoConfiguration: String { path + "/demo.cfg" }
    public var simulatorJournal: String { path + "/smsc.journal" }

    /// Makes the directory and what must be in it. Modes of directories that are there already are left alone.
    func create() throws(UpError) {
        for directory in [path, logs] {
            do {
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            } catch {
                throw UpError("\(directory) cannot be made: \(error.localizedDescription)")
            }
        }
    }

    /// The file of keys is made once, and never again: without it the texts that it encrypted are lost.
    func makeBodyKeys() throws(UpError) {
        guard !FileManager.default.fileExists(atPath: bodyKeysFile) else { return }
        try DataDirectory.write(Array(BodyKeys.makeFile().utf8), to: bodyKeysFile, mode: 0o600)
    }

    /// Writes a file in one step: whoever reads sees the old content or the new one.
    static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(UpError) {
        let temporary = "\(path).\(getpid()).new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw UpError("\(temporary) cannot be written: \(String(cString: strerror(errno)))") }
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        let synced = fsync(descriptor)
        close(descriptor)
        guard count == bytes.count, synced == 0, rename(temporary, path) == 0 else {
            let reason = String(cString: strerror(errno))
            unlink(temporary)
            throw UpError("\(path) cannot be written: \(reason)")
        }
    }

    static func write(json value: some Encodable, to path: String, mode: mode_t) throws(UpError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data: Data
        do { data = try encoder.encode(value) } catch { throw UpError("\(path): \(error)") }
        try write(Array(data) + [0x0a], to: path, mode: mode)
    }
}

/// The lock that makes one `up` per directory. The kernel lets it go when its holder ends, however that ends.
final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// - Throws: who holds it.
    init(_ directory: DataDirectory) throws(UpError) {
        let path = directory.lockFile
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw UpError("\(path) cannot be opened: \(String(cString: strerror(errno)))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = DirectoryLock.recordedHolder(path).map { "process \($0)" } ?? "another process"
            close(descriptor)
            throw UpError("\(directory.path) is in use: \(holder) runs `signalbox up` there")
        }
        let text = Array("\(getpid())\n".utf8)
        ftruncate(descriptor, 0)
        _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    deinit { close(descriptor) }

    /// The process that runs `up` in `directory`, if one does.
    static func holder(_ directory: DataDirectory) -> pid_t? {
        let descriptor = open(directory.lockFile, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        if flock(descriptor, LOCK_SH | LOCK_NB) == 0 { return nil }
        return recordedHolder(directory.lockFile)
    }

    private static func recordedHolder(_ path: String) -> pid_t? {
        (try? String(contentsOfFile: path, encoding: .utf8)).flatMap { pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
}
