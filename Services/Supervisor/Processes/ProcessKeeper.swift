import CPlatform
import Foundation
import Synchronization

/// Starts child processes, reads their lines, starts them again when they end, and stops them.
///
/// One thread of its own does all of it (`KeeperLoop`); the functions here hand it commands.
final class ProcessKeeper: Sendable {
    enum Command: Sendable {
        case start(ChildSpecification, onEnd: (@Sendable (ProcessEnding) -> Void)?)
        case stop(String, done: @Sendable () -> Void)
        case say(String)
        case finish(done: @Sendable () -> Void)
    }

    private let commands: Mutex<[Command]>
    private let wakeEnd: Int32

    /// - Parameters:
    ///   - logDirectory: of `<name>.log`.
    ///   - processFile: a JSON object of names and process ids, rewritten at each change.
    ///   - catching: the signals that are ours to answer.
    ///   - onSignal: called with each of them, on the keeper's thread.
    init(
        console: Console, logDirectory: String, processFile: String, catching: [Int32] = [SIGINT, SIGTERM, SIGHUP],
        onSignal: @escaping @Sendable (Int32) -> Void
    ) throws(UpError) {
        let signals = [SIGCHLD] + catching
        let signalEnd = cplatform_signal_pipe(signals, Int32(signals.count))
        guard signalEnd >= 0 else { throw UpError("signals cannot be caught: \(String(cString: strerror(-signalEnd)))") }
        var ends: [Int32] = [-1, -1]
        let code = cplatform_pipe(&ends, 1)
        guard code == 0 else { throw UpError("no pipe: \(String(cString: strerror(code)))") }
        commands = Mutex([])
        wakeEnd = ends[1]
        let readEnd = ends[0]
        let thread = Thread { [self] in
            var loop = KeeperLoop(
                console: console, logDirectory: logDirectory, processFile: processFile, signals: signalEnd, wake: readEnd,
                onSignal: onSignal)
            loop.run {
                self.commands.withLock { waiting in
                    defer { waiting.removeAll() }
                    return waiting
                }
            }
        }
        thread.name = "processes"
        thread.start()
    }

    /// Starts a supervised child; it is started again until it is stopped.
    func start(_ specification: ChildSpecification) { send(.start(specification, onEnd: nil)) }

    /// Runs a child once and waits for its end.
    func run(_ specification: ChildSpecification) async -> ProcessEnding {
        await withCheckedContinuation { continuation in
            send(.start(specification, onEnd: { continuation.resume(returning: $0) }))
        }
    }

    /// Stops a child: its stop signal, its grace, SIGKILL. Returns when it has ended; at once if there is none.
    func stop(_ name: String) async {
        await withCheckedContinuation { continuation in
            send(.stop(name, done: { continuation.resume() }))
        }
    }

    /// A line of our own, behind the name `up`.
    func say(_ text: String) { send(.say(text)) }

    /// Ends the thread. Children that still run are killed by then: they belong to it.
    func finish() async {
        await withCheckedContinuation { continuation in
            send(.finish(done: { continuation.resume() }))
        }
    }

    private func send(_ command: Command) {
        commands.withLock { $0.append(command) }
        var byte: UInt8 = 0
        _ = write(wakeEnd, &byte, 1)
    }
}

/// Milliseconds on a clock that nobody sets.
func monotonicMilliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
}

/// Why `up` or `status` cannot do what it was asked, in words for an operator.
public struct UpError: Error, CustomStringConvertible, Sendable {
    public var description: String
    public init(_ description: String) { self.description = description }
}
