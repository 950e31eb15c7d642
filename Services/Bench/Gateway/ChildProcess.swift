import Foundation
import Synchronization

/// A process of ours: another role of this same executable.
///
/// `@unchecked Sendable`: `process` is set up in `init` and only asked for its state and signalled afterwards, which Foundation allows
/// from any thread; `isStopping` is locked.
final class ChildProcess: @unchecked Sendable {
    private let process = Process()
    private let isStopping = Mutex(false)
    let logPath: String

    /// Starts it; what it prints goes to `logPath`.
    /// - Throws: where the program cannot be started.
    init(_ arguments: [String], environment: [String: String] = [:], logPath: String) throws {
        self.logPath = logPath
        guard let executable = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
            throw LoadFailure("/proc is not mounted: the bench needs it")
        }
        guard FileManager.default.createFile(atPath: logPath, contents: nil), let log = FileHandle(forWritingAtPath: logPath) else {
            throw LoadFailure("\(logPath) cannot be written")
        }
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        // Nothing of the caller's own gateway: stores, keys and ports are this one's.
        let inherited = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SIGNALBOX_") }
        process.environment = inherited.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = log
        process.standardError = log
        try process.run()
    }

    var pid: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    /// SIGTERM, and after `seconds` SIGKILL.
    /// - Returns: the exit status, nil where it had to be killed.
    @discardableResult
    func stop(within seconds: Double = 90) async -> Int32? {
        let isFirst = isStopping.withLock { stopping in
            defer { stopping = true }
            return !stopping
        }
        if isFirst, process.isRunning { process.terminate() }
        let deadline = ContinuousClock.now + .seconds(seconds)
        while process.isRunning {
            guard ContinuousClock.now < deadline else {
                kill(pid, SIGKILL)
                return nil
            }
            // Also where the caller was cancelled: a process is not left behind.
            await pause(.milliseconds(20))
        }
        return process.terminationStatus
    }

    /// The end of what it printed.
    func lastWords(lines: Int = 15) -> String {
        let text = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(lines).joined(separator: "\n")
    }
}

/// Waits, whether or not the task is cancelled.
func pause(_ duration: Duration) async {
    await withCheckedContinuation { continuation in
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(Int(duration / .milliseconds(1)))) { continuation.resume() }
    }
}

/// Asks `condition` until it is true.
/// - Throws: `LoadFailure` after `seconds`; `CancellationError`.
func wait(_ what: String, seconds: Double, every: Duration = .milliseconds(100), _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
        try Task.checkCancellation()
        if try await condition() { return }
        guard ContinuousClock.now < deadline else { throw LoadFailure("after \(Int(seconds)) s still not so: \(what)") }
        await pause(every)
    }
}

/// Runs what blocks on a thread that may.
func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(with: Result(catching: body)) }
    }
}

/// Ports of this machine that are free now.
enum FreePorts {
    static func take(_ count: Int) throws(LoadFailure) -> [Int] {
        var held: [Int32] = []
        defer { for descriptor in held { close(descriptor) } }
        var ports: [Int] = []
        for _ in 0..<count {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { throw LoadFailure("no socket: \(String(cString: strerror(errno)))") }
            held.append(descriptor)
            var place = sockaddr_in()
            place.sin_family = sa_family_t(AF_INET)
            inet_pton(AF_INET, "127.0.0.1", &place.sin_addr)
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let bound = withUnsafeMutablePointer(to: &place) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                    bind(descriptor, raw, length) == 0 && getsockname(descriptor, raw, &length) == 0
                }
            }
            guard bound else { throw LoadFailure("this machine has no free port") }
            ports.append(Int(UInt16(bigEndian: place.sin_port)))
        }
        return ports
    }
}
