import Foundation

/// A pipe whose ends no child inherits by accident.
struct Pipe: ~Copyable {
    let readEnd: Int32
    let writeEnd: Int32

    init?() {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { return nil }
        readEnd = ends[0]
        writeEnd = ends[1]
        _ = fcntl(readEnd, F_SETFL, O_NONBLOCK)
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }
}

/// Starts processes with posix_spawn: a process group of their own, so that a terminal's Ctrl-C reaches only us, none of our
/// descriptors, and no signal ignored or blocked.
///
/// A child that asks to die with its parent dies with the *thread* that started it (prctl(2), PR_SET_PDEATHSIG), so
/// the caller is a thread that lives as long as we do.
enum Spawn {
    static func start(_ specification: ChildSpecification, output: Int32) -> Result<pid_t, SpawnError> {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var input: Int32 = -1
        defer { if input >= 0 { close(input) } }
        if let bytes = specification.input {
            guard let descriptor = filledPipe(bytes) else { return .failure(SpawnError(code: errno)) }
            input = descriptor
            posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        } else {
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        }
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var arguments: [UnsafeMutablePointer<CChar>?] = ([specification.shownAs] + specification.arguments).map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = specification.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, specification.executable(), &actions, &attributes, &arguments, &environment)
        return code == 0 ? .success(pid) : .failure(SpawnError(code: code))
    }

    /// The read end of a pipe that holds `bytes` and then ends; nil with errno set where they do not fit.
    private static func filledPipe(_ bytes: [UInt8]) -> Int32? {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { return nil }
        defer { close(ends[1]) }
        // Nobody reads yet: what does not fit must fail here and not block.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        let count = bytes.withUnsafeBytes { write(ends[1], $0.baseAddress, $0.count) }
        guard count == bytes.count else {
            close(ends[0])
            errno = E2BIG
            return nil
        }
        return ends[0]
    }
}

/// The errno with which a start failed.
struct SpawnError: Error { var code: Int32 }
