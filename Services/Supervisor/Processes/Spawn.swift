import CPlatform
import Foundation

/// A pipe whose ends no child inherits by accident.
struct Pipe: ~Copyable {
    let readEnd: Int32
    let writeEnd: Int32

    init?() {
        var ends: [Int32] = [-1, -1]
        guard cplatform_pipe(&ends, 0) == 0 else { return nil }
        readEnd = ends[0]
        writeEnd = ends[1]
        // Only our end: a child expects to wait where nobody reads fast enough.
        _ = fcntl(readEnd, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }
}

/// Starts processes in a process group of their own, so that a terminal's Ctrl-C reaches only us.
///
/// A child that asks to die with its parent dies with the *thread* that started it (prctl(2), PR_SET_PDEATHSIG), so
/// the caller is a thread that lives as long as we do.
enum Spawn {
    static func start(_ specification: ChildSpecification, output: Int32) -> Result<pid_t, SpawnError> {
        var input: Int32 = -1
        defer { if input >= 0 { close(input) } }
        if let bytes = specification.input {
            guard let descriptor = filledPipe(bytes) else { return .failure(SpawnError(code: E2BIG)) }
            input = descriptor
        }
        var arguments: [UnsafeMutablePointer<CChar>?] = ([specification.shownAs] + specification.arguments).map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = specification.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        var pid: pid_t = 0
        let code = cplatform_spawn(specification.executable(), &arguments, &environment, input, output, &pid)
        return code == 0 ? .success(pid) : .failure(SpawnError(code: code))
    }

    /// The read end of a pipe that holds `bytes` and then ends; nil where they do not fit.
    private static func filledPipe(_ bytes: [UInt8]) -> Int32? {
        var ends: [Int32] = [-1, -1]
        guard cplatform_pipe(&ends, 0) == 0 else { return nil }
        defer { close(ends[1]) }
        // Nobody reads yet: what does not fit must fail here and not block.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        let count = bytes.withUnsafeBytes { write(ends[1], $0.baseAddress, $0.count) }
        guard count == bytes.count else {
            close(ends[0])
            return nil
        }
        return ends[0]
    }
}

/// The errno with which a start failed.
struct SpawnError: Error { var code: Int32 }
