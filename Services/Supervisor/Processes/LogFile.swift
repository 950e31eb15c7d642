import Foundation

/// A log file that is bounded: at `limit` bytes it becomes `name.log.1`, and so on up to `name.log.3`; older ones go.
struct LogFile: ~Copyable {
    static let limit: Int = 16 * 1_024 * 1_024
    static let kept = 3

    private let path: String
    private let limit: Int
    private var descriptor: Int32 = -1
    private var size = 0

    /// Opens for appending. A file that cannot be opened is left out: the console still shows the lines.
    init(path: String, limit: Int = LogFile.limit) {
        self.path = path
        self.limit = limit
        open()
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    mutating func append(_ bytes: [UInt8]) {
        if size + bytes.count > limit && size > 0 { rotate() }
        guard descriptor >= 0 else { return }
        let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if written > 0 { size += written }
    }

    private mutating func open() {
        descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        var information = stat()
        size = descriptor >= 0 && fstat(descriptor, &information) == 0 ? Int(information.st_size) : 0
    }

    private mutating func rotate() {
        if descriptor >= 0 { close(descriptor) }
        for number in stride(from: LogFile.kept - 1, through: 1, by: -1) { rename("\(path).\(number)", "\(path).\(number + 1)") }
        rename(path, "\(path).1")
        open()
    }
}
