import Foundation

/// What /proc tells about other processes. Processes that we may not look at are passed over.
enum ProcFS {
    static func pids() -> [pid_t] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }
    }

    static func isAlive(_ pid: pid_t) -> Bool {
        guard let status = read("/proc/\(pid)/stat"), let bracket = status.lastIndex(of: ")") else { return false }
        // A zombie has ended; only its parent has not asked yet.
        return status[status.index(after: bracket)...].drop { $0 == " " }.first != "Z"
    }

    /// The name of the program, at most 15 bytes.
    static func command(_ pid: pid_t) -> String? { read("/proc/\(pid)/comm")?.trimmingCharacters(in: .newlines) }

    static func workingDirectory(_ pid: pid_t) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")
    }

    /// The variables with which the process was started.
    static func environment(_ pid: pid_t) -> Set<Substring> {
        guard let text = read("/proc/\(pid)/environ") else { return [] }
        return Set(text.split(separator: "\0"))
    }

    private static func read(_ path: String) -> String? {
        // Sizes in /proc are 0, so the file is read to its end and not to its size.
        guard let handle = FileHandle(forReadingAtPath: path), let data = try? handle.readToEnd() else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}
