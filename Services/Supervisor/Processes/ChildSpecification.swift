import Foundation

/// How one child process is started, and how it is stopped.
struct ChildSpecification: Sendable {
    /// What the operator sees before each of its lines, and the stem of its log file.
    var name: String
    /// Asked before each start, because a path may have to follow a file that was replaced.
    var executable: @Sendable () -> String
    /// `argv[0]` is `shownAs`.
    var shownAs: String
    var arguments: [String]
    var environment: [String: String]
    /// What the child finds on its standard input; at most a pipe's worth (64 KiB). nil = nothing.
    var input: [UInt8]?
    /// Started again whenever it ends. Otherwise it runs once, and `ProcessKeeper.run` waits for its end.
    var isSupervised = true
    /// Whether the operator sees its lines; they are in its log file anyway.
    var isShown = true
    var stopSignal: Int32 = SIGTERM
    /// How long it may take to stop before it is killed.
    var graceMilliseconds: Int64 = 10_000
    /// Asked before each start, with how long the start has waited so far; must answer at once.
    var gate: (@Sendable (_ waitedMilliseconds: Int64) -> StartGate)?
}

/// Whether a child may start now.
enum StartGate: Sendable, Equatable {
    case open
    case wait(reason: String)
}

/// How a process ended.
enum ProcessEnding: Sendable, Equatable, CustomStringConvertible {
    case exited(Int32)
    case signalled(Int32)
    /// It never ran; the errno of the attempt.
    case notStarted(Int32)

    /// Reads what `waitpid` wrote (wait(2)).
    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .signalled(signal)
    }

    var description: String {
        switch self {
        case .exited(let code): "ended with status \(code)"
        case .signalled(let number): "was ended by signal \(number) (\(ProcessEnding.name(ofSignal: number)))"
        case .notStarted(let code): "could not be started: \(String(cString: strerror(code)))"
        }
    }

    private static func name(ofSignal number: Int32) -> String {
        let names: [Int32: String] = [
            SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP", SIGABRT: "SIGABRT",
            SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGSEGV: "SIGSEGV", SIGPIPE: "SIGPIPE", SIGTERM: "SIGTERM",
        ]
        return names[number] ?? "unnamed"
    }
}
