import Database
import Foundation
import Synchronization

/// A PostgreSQL of its own for a test: a fresh cluster in a temporary directory, on a free port of the loopback
/// interface, gone after `stop()`.
///
/// PostgreSQL refuses to run as root; as root we become the `postgres` user that its Debian package creates.
public final class TestPostgres: Sendable {
    /// `postgresql://…`, for a superuser of an empty database.
    public let url: String
    private let port: Int
    private let directory: String
    private let binaries: String
    private let process: Mutex<Int32>

    /// Why there is none, in words for the test's log.
    public struct Unavailable: Error, CustomStringConvertible {
        public let description: String
    }

    private init(port: Int, directory: String, binaries: String, process: Process) {
        url = Self.url(port)
        self.port = port
        self.directory = directory
        self.binaries = binaries
        self.process = Mutex(process.processIdentifier)
    }

    /// One server for all tests of the process, stopped when the process ends. It is not to be restarted by a test.
    private static let shared: Result<TestPostgres, any Error> = {
        let server = Result { try start() }
        atexit { try? TestPostgres.shared.get().stop() }
        return server
    }()

    /// The URL of a new, empty database on the process's shared server.
    public static func freshDatabase() throws -> String {
        let server = try shared.get()
        let name = "t" + UUID().uuidString.split(separator: "-").joined().lowercased()
        try Connection(url: server.url, applicationName: "tests").script("CREATE DATABASE \(name)")
        return String(server.url.dropLast("postgres".count)) + name
    }

    /// Starts a server and waits until it takes connections.
    public static func start() throws -> TestPostgres {
        let binaries = try findBinaries()
        let directory = try makeDirectory()
        let data = directory + "/data"
        let initdb = try Command.run(
            asServer([
                binaries + "/initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C",
            ]), in: directory)
        guard initdb.status == 0 else { throw Unavailable(description: "initdb failed: \(initdb.output)") }
        // A port found free may be taken before the server binds it: then another is tried.
        for _ in 0..<5 {
            let port = try freePort()
            if let process = try launch(binaries, directory, port) {
                return TestPostgres(port: port, directory: directory, binaries: binaries, process: process)
            }
        }
        let log = (try? String(contentsOfFile: directory + "/log", encoding: .utf8)) ?? ""
        throw Unavailable(description: "PostgreSQL did not start: \(log)")
    }

    /// The server as our child, once it takes connections; nil when it ended instead.
    private static func launch(_ binaries: String, _ directory: String, _ port: Int) throws -> Process? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = asServer([
            binaries + "/postgres", "-D", directory + "/data", "-p", "\(port)", "-k", directory, "-c", "listen_addresses=127.0.0.1",
            "-c", "fsync=off", "-c", "max_connections=60",
        ])
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.standardInput = FileHandle.nullDevice
        if !FileManager.default.fileExists(atPath: directory + "/log") {
            _ = FileManager.default.createFile(atPath: directory + "/log", contents: nil)
        }
        let log = FileHandle(forWritingAtPath: directory + "/log")
        _ = try? log?.seekToEnd()
        process.standardOutput = log
        process.standardError = log
        try process.run()
        while process.isRunning {
            if (try? Connection(url: url(port), applicationName: "tests")) != nil { return process }
            usleep(20_000)
        }
        return nil
    }

    private static func url(_ port: Int) -> String {
        "postgresql://postgres@127.0.0.1:\(port)/postgres"
    }

    /// Stops the server at once and removes its files.
    public func stop() {
        halt()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Stops and starts again on the same port, as a crash would: connections break and nothing is shut down in order.
    public func restart() throws {
        halt()
        let fresh = try Self.launch(binaries, directory, port)
        guard let fresh else { throw Unavailable(description: "PostgreSQL did not restart") }
        process.withLock { $0 = fresh.processIdentifier }
    }

    /// SIGQUIT is PostgreSQL's immediate shutdown.
    private func halt() {
        let pid = process.withLock { $0 }
        guard pid > 0 else { return }
        kill(pid, SIGQUIT)
        // Foundation reaps the child on a thread of its own.
        while kill(pid, 0) == 0 { usleep(10_000) }
    }

    private static func findBinaries() throws -> String {
        let root = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [])
            .compactMap { name in Int(name).map { (number: $0, name: name) } }.sorted { $0.number > $1.number }
        for version in versions where FileManager.default.isExecutableFile(atPath: "\(root)/\(version.name)/bin/initdb") {
            return "\(root)/\(version.name)/bin"
        }
        throw Unavailable(description: "no PostgreSQL server is installed under \(root)")
    }

    private static func makeDirectory() throws -> String {
        let directory = "/tmp/signalbox-pg-\(UUID().uuidString.prefix(8).lowercased())"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        guard geteuid() == 0 else { return directory }
        guard let user = getpwnam("postgres") else { throw Unavailable(description: "there is no user postgres") }
        guard chown(directory, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
            throw Unavailable(description: "cannot give \(directory) to the user postgres")
        }
        return directory
    }

    private static func asServer(_ command: [String]) -> [String] {
        geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] + command : command
    }
}

/// A port of the loopback interface that is free now.
public func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw TestPostgres.Unavailable(description: "no socket") }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
        }
    }
    guard bound else { throw TestPostgres.Unavailable(description: "no free port") }
    return Int(UInt16(bigEndian: address.sin_port))
}

/// Runs a program to its end.
public enum Command {
    public static func run(
        _ arguments: [String], in directory: String, environment: [String: String] = [:]
    ) throws -> (status: Int32, output: String, errors: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: a server that the program leaves behind would keep a pipe open for ever.
        let base = FileManager.default.temporaryDirectory.appendingPathComponent("signalbox-run-\(UUID().uuidString)").path
        let paths = [base + ".out", base + ".err"]
        for path in paths { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        defer { for path in paths { try? FileManager.default.removeItem(atPath: path) } }
        process.standardOutput = FileHandle(forWritingAtPath: paths[0])
        process.standardError = FileHandle(forWritingAtPath: paths[1])
        try process.run()
        process.waitUntilExit()
        let texts = try paths.map { try String(contentsOfFile: $0, encoding: .utf8) }
        return (process.terminationStatus, texts[0], texts[1])
    }
}
