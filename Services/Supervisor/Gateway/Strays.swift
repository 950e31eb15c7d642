import Foundation

/// Children of an `up` in this directory that was killed and could not stop them. They were told by the kernel; this
/// makes sure, before others take their place.
struct Strays: Sendable {
    let directory: DataDirectory

    /// Ends them, by force after a while.
    /// - Returns: whether there were any.
    func end() async throws -> Bool {
        let found = find()
        for pid in found { kill(pid, SIGTERM) }
        let start = monotonicMilliseconds()
        while true {
            let left = find()
            guard !left.isEmpty else { return !found.isEmpty }
            if monotonicMilliseconds() - start > 10_000 { for pid in left { kill(pid, SIGKILL) } }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// A child is known by what `Gateway.environment` gave it.
    private func find() -> [pid_t] {
        let marks: Set<Substring> = ["SIGNALBOX_SUPERVISED=1", Substring("SIGNALBOX_DATA=\(directory.path)")]
        return ProcFS.pids().filter { $0 != getpid() && marks.isSubset(of: ProcFS.environment($0)) && ProcFS.isAlive($0) }
    }
}
