import Foundation

/// Where PostgreSQL's programs are on this machine.
struct PostgresInstallation: Sendable {
    var binaries: String

    /// The newest under /usr/lib/postgresql (Debian keeps one directory a version, outside PATH), else the one on PATH.
    static func find(path: String? = ProcessInfo.processInfo.environment["PATH"]) throws(UpError) -> PostgresInstallation {
        let root = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }.sorted(by: >)
        let candidates = versions.map { "\(root)/\($0)/bin" } + (path ?? "").split(separator: ":").map(String.init)
        for directory in candidates where ["postgres", "initdb"].allSatisfy({ access("\(directory)/\($0)", X_OK) == 0 }) {
            return PostgresInstallation(binaries: directory)
        }
        throw UpError(
            "PostgreSQL is not installed (no initdb and postgres in /usr/lib/postgresql/*/bin or on PATH); install the package postgresql")
    }
}

/// As whom PostgreSQL's programs run. They refuse to be root.
struct PostgresIdentity: Sendable, Equatable {
    /// nil = as we are.
    var user: String?
    var uid: uid_t
    var gid: gid_t
    /// A capability that lets this user reach the data directory through directories that are closed to it.
    var capability: String?

    static let systemUser = "postgres"

    /// Ours, or the system user `postgres` when we are root.
    static func current() throws(UpError) -> PostgresIdentity {
        guard geteuid() == 0 else { return PostgresIdentity(user: nil, uid: geteuid(), gid: getegid()) }
        guard let entry = getpwnam(systemUser) else {
            throw UpError("PostgreSQL must not run as root and there is no user \(systemUser): install the package postgresql")
        }
        return PostgresIdentity(user: systemUser, uid: entry.pointee.pw_uid, gid: entry.pointee.pw_gid)
    }

    /// The command line that runs `program` so, in such a way that it ends with us: SIGINT is PostgreSQL's fast shutdown. setpriv
    /// sets the signal after it changed the user, which would clear it (prctl(2), PR_SET_PDEATHSIG).
    func commandLine(_ program: String, _ arguments: [String]) -> [String] {
        var line = ["--pdeathsig=INT"]
        if let user { line += ["--reuid=\(user)", "--regid=\(gid)", "--init-groups"] }
        if let capability { line += ["--inh-caps=+\(capability)", "--ambient-caps=+\(capability)"] }
        return line + ["--", program] + arguments
    }

    /// The least capability of ours that opens closed directories: to search, or (all that some containers leave) to do as root does.
    static func searchCapability(status: String = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? "") -> String? {
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        guard let set = line.flatMap({ UInt64($0.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16) }) else { return nil }
        // Numbers of capabilities(7).
        if set & (1 << 2) != 0 { return "dac_read_search" }
        if set & (1 << 1) != 0 { return "dac_override" }
        return nil
    }
}
