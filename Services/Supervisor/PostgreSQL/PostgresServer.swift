import Database
import Foundation

/// The gateway's own PostgreSQL: made once in DIR/postgresql, then run as a supervised child.
struct PostgresServer: Sendable {
    static let role = "signalbox"
    /// A socket's path holds 107 bytes (unix(7)); this is what PostgreSQL adds to its directory's.
    private static let socketNameBytes = "/.s.PGSQL.65535.lock".utf8.count

    let directory: DataDirectory
    let port: Int
    let installation: PostgresInstallation
    let identity: PostgresIdentity
    let socketDirectory: String
    private let password: String

    var url: String { "postgresql://\(PostgresServer.role):\(password)@127.0.0.1:\(port)/\(PostgresServer.role)" }

    /// Makes what is missing: user, data directory, role and database.
    static func prepare(_ directory: DataDirectory, port: Int, keeper: ProcessKeeper) async throws -> PostgresServer {
        let installation = try PostgresInstallation.find()
        var identity = try PostgresIdentity.current()
        if let user = identity.user {
            let reach = await keeper.run(tool("reach", identity, "/usr/bin/test", ["-x", directory.path]))
            if reach != .exited(0) {
                guard let capability = PostgresIdentity.searchCapability() else {
                    throw UpError("\(directory.path) is closed to the user \(user), as whom PostgreSQL runs: choose another --data")
                }
                identity.capability = capability
            }
        }
        let server = PostgresServer(
            directory: directory, port: port, installation: installation, identity: identity,
            socketDirectory: try makeSocketDirectory(directory, identity), password: try Secrets.load(directory).databasePassword)
        try await server.initialize(keeper)
        return server
    }

    // MARK: The first time

    /// Everything is done beside the final place and moved there last, so that an interrupted first start leaves nothing half made.
    private func initialize(_ keeper: ProcessKeeper) async throws {
        let final = directory.postgresql
        if FileManager.default.fileExists(atPath: final + "/PG_VERSION") {
            var information = stat()
            guard stat(final, &information) == 0, information.st_uid == identity.uid else {
                throw UpError("\(final) belongs to another user than the one who would run PostgreSQL now; start `up` as before")
            }
            return
        }
        keeper.say("makes a new PostgreSQL in \(final)")
        let fresh = final + ".new"
        try? FileManager.default.removeItem(atPath: fresh)
        guard mkdir(fresh, 0o700) == 0, chown(fresh, identity.uid, identity.gid) == 0 else {
            throw UpError("\(fresh) cannot be made: \(String(cString: strerror(errno)))")
        }
        let initdb = await keeper.run(
            tool(
                "initdb",
                [
                    "-D", fresh, "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=peer",
                    "--auth-host=scram-sha-256",
                ]))
        guard initdb == .exited(0) else { throw UpError("initdb \(initdb); see \(directory.logs)/initdb.log") }
        // The password is generated (letters and digits), so that it needs no quoting. Single-user mode reads one command a line.
        let role = PostgresServer.role
        let sql = "CREATE ROLE \(role) LOGIN PASSWORD '\(password)'\nCREATE DATABASE \(role) OWNER \(role)\n"
        let single = await keeper.run(
            tool(
                "postgres", ["--single", "-j", "-D", fresh, "-c", "password_encryption=scram-sha-256", "postgres"],
                input: Array(sql.replacing("\n", with: ";\n\n").utf8)))
        guard single == .exited(0) else { throw UpError("making the database \(single); see \(directory.logs)/postgres.log") }
        try rewrite(fresh + "/pg_hba.conf", Self.accessRules)
        guard rename(fresh, final) == 0 else {
            throw UpError("\(fresh) cannot be moved to \(final): \(String(cString: strerror(errno)))")
        }
    }

    /// The superuser comes only from this machine's account that runs the server; everybody else needs the password.
    private static let accessRules = """
        # Written by `signalbox up`.
        local  all  postgres  peer
        local  all  all       scram-sha-256
        host   all  all       127.0.0.1/32  scram-sha-256

        """

    /// Into the file that is there, so that it keeps its owner.
    private func rewrite(_ path: String, _ text: String) throws(UpError) {
        guard let file = FileHandle(forWritingAtPath: path) else { throw UpError("\(path) cannot be written") }
        do {
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: Data(text.utf8))
            try file.close()
        } catch {
            throw UpError("\(path) cannot be written: \(error.localizedDescription)")
        }
    }

    private static func makeSocketDirectory(_ directory: DataDirectory, _ identity: PostgresIdentity) throws(UpError) -> String {
        var path = directory.path + "/run"
        if path.utf8.count + socketNameBytes > 107 {
            // Remembered, so that starting again and again does not fill /tmp.
            let link = directory.path + "/run.path"
            if let kept = try? String(contentsOfFile: link, encoding: .utf8), isDirectory(kept, of: identity) { return kept }
            var template = Array("/tmp/signalbox-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else { throw UpError("no directory in /tmp: \(String(cString: strerror(errno)))") }
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            try DataDirectory.write(Array(path.utf8), to: link, mode: 0o600)
        } else {
            mkdir(path, 0o700)
        }
        guard chown(path, identity.uid, identity.gid) == 0 else {
            throw UpError("\(path) cannot be given to the user who runs PostgreSQL: \(String(cString: strerror(errno)))")
        }
        return path
    }

    /// A real directory of that user's and not somebody else's trap in /tmp.
    private static func isDirectory(_ path: String, of identity: PostgresIdentity) -> Bool {
        var information = stat()
        return path.hasPrefix("/tmp/signalbox-") && lstat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
            && information.st_uid == identity.uid && information.st_mode & 0o077 == 0
    }

    // MARK: Running

    /// Durable, and modest enough for the whole gateway beside it.
    private var settings: [(String, String)] {
        [
            ("listen_addresses", "127.0.0.1"), ("port", "\(port)"), ("unix_socket_directories", socketDirectory),
            ("unix_socket_permissions", "0700"), ("password_encryption", "scram-sha-256"), ("max_connections", "200"),
            ("shared_buffers", "256MB"), ("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on"),
            ("wal_compression", "on"), ("max_wal_size", "2GB"), ("checkpoint_timeout", "10min"), ("jit", "off"),
            ("logging_collector", "off"), ("log_destination", "stderr"), ("log_timezone", "UTC"),
            // Its clients are ours; that they come and go is no news, nor is each checkpoint.
            ("log_checkpoints", "off"), ("log_line_prefix", "%m [%p] %a "),
        ]
    }

    func specification() -> ChildSpecification {
        let leftovers = PostgresLeftovers(dataDirectory: directory.postgresql)
        var child = tool(
            "postgres", ["-D", directory.postgresql] + settings.flatMap { ["-c", "\($0.0)=\($0.1)"] }, isSupervised: true)
        child.name = "postgresql"
        child.isShown = true
        child.stopSignal = SIGINT
        child.graceMilliseconds = 30_000
        child.gate = { waited in leftovers.clear(waited: waited) }
        return child
    }

    /// Waits until the server takes the gateway's login.
    func waitUntilReady(timeout: Duration = .seconds(120)) async throws {
        let url = url
        try await waitUntil("PostgreSQL", timeout: timeout) {
            do {
                let connection = try Connection(url: url, applicationName: "signalbox up")
                try connection.query("SELECT 1")
                return nil
            } catch {
                return "\(error)"
            }
        }
    }

    private func tool(_ program: String, _ arguments: [String], input: [UInt8]? = nil, isSupervised: Bool = false) -> ChildSpecification {
        var child = PostgresServer.tool(program, identity, "\(installation.binaries)/\(program)", arguments)
        child.input = input
        child.isSupervised = isSupervised
        return child
    }

    private static func tool(_ name: String, _ identity: PostgresIdentity, _ program: String, _ arguments: [String]) -> ChildSpecification {
        ChildSpecification(
            name: name, executable: { "setpriv" }, shownAs: "setpriv", arguments: identity.commandLine(program, arguments),
            // Nothing of our own environment: PGDATA and its like would lead elsewhere. C.UTF-8 is always there.
            environment: ["PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"], isSupervised: false,
            isShown: false)
    }
}
