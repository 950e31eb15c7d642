import Foundation

/// Clears the way for a new postmaster in a data directory: what an earlier one left running or lying there.
///
/// A postmaster that was killed leaves its backends for a moment, and they hold the shared memory which a new one would
/// refuse to share; one whose `up` was killed may still be shutting down. Asked again and again by the start's gate.
struct PostgresLeftovers: Sendable {
    var dataDirectory: String

    /// After this a leftover postmaster is told to stop at once, and after twice this it is killed.
    static let patienceMilliseconds: Int64 = 15_000

    func clear(waited: Int64) -> StartGate {
        let running = processes()
        if running.isEmpty {
            removeStalePidFile()
            return .open
        }
        if let postmaster = recordedPostmaster(), running.contains(postmaster) {
            // Fast, then immediate (the next start recovers), then by force. Each is harmless to repeat.
            switch waited {
            case ..<PostgresLeftovers.patienceMilliseconds: kill(postmaster, SIGINT)
            case ..<(2 * PostgresLeftovers.patienceMilliseconds): kill(postmaster, SIGQUIT)
            default: kill(postmaster, SIGKILL)
            }
            return .wait(reason: "an earlier PostgreSQL (process \(postmaster)) is stopping")
        }
        // Backends look every so often whether their postmaster lives. One that is deep in work is made to look.
        if waited > PostgresLeftovers.patienceMilliseconds {
            for pid in running { kill(pid, SIGKILL) }
        } else if waited > 1_000 {
            for pid in running { kill(pid, SIGQUIT) }
        }
        return .wait(reason: "\(running.count) processes of the PostgreSQL that ended are still there")
    }

    /// PostgreSQL's processes work inside their data directory, which tells ours from everybody else's.
    private func processes() -> [pid_t] {
        ProcFS.pids().filter { pid in
            ProcFS.command(pid) == "postgres" && ProcFS.workingDirectory(pid) == dataDirectory && ProcFS.isAlive(pid)
        }
    }

    /// First line of postmaster.pid; negative for a standalone backend (miscinit.c, CreateLockFile).
    private func recordedPostmaster() -> pid_t? {
        guard let text = try? String(contentsOfFile: dataDirectory + "/postmaster.pid", encoding: .utf8) else { return nil }
        return PostgresLeftovers.postmaster(in: text)
    }

    static func postmaster(in pidFile: String) -> pid_t? {
        pidFile.split(separator: "\n", omittingEmptySubsequences: false).first
            .flatMap { pid_t($0.trimmingCharacters(in: .whitespaces)) }.map { abs($0) }.flatMap { $0 > 1 ? $0 : nil }
    }

    /// The id in the file may belong to another program by now, for which PostgreSQL would refuse to start.
    private func removeStalePidFile() {
        guard let pid = recordedPostmaster() else { return }
        if !ProcFS.isAlive(pid) || ProcFS.command(pid) != "postgres" || ProcFS.workingDirectory(pid).map({ $0 != dataDirectory }) == true {
            unlink(dataDirectory + "/postmaster.pid")
        }
    }
}
