import Foundation

/// The keeper's thread: one `poll` over the children's output, signals, commands and the next thing that is due.
struct KeeperLoop: ~Copyable {
    private let console: Console
    private let logDirectory: String
    private let processFile: String
    private let signals: Int32
    private let wake: Int32
    private let onSignal: @Sendable (Int32) -> Void
    /// In the order in which they were started first.
    private var children: [Child] = []
    private var ownLog: LogFile
    private var finished: (@Sendable () -> Void)?

    init(
        console: Console, logDirectory: String, processFile: String, signals: Int32, wake: Int32,
        onSignal: @escaping @Sendable (Int32) -> Void
    ) {
        self.console = console
        self.logDirectory = logDirectory
        self.processFile = processFile
        self.signals = signals
        self.wake = wake
        self.onSignal = onSignal
        ownLog = LogFile(path: "\(logDirectory)/up.log")
    }

    mutating func run(takeCommands: () -> [ProcessKeeper.Command]) {
        while true {
            waitForEvents()
            for command in takeCommands() { obey(command) }
            for number in drain(signals) where number != UInt8(SIGCHLD) { onSignal(Int32(number)) }
            let now = monotonicMilliseconds()
            for child in children {
                readOutput(of: child)
                reap(child, now: now)
                advance(child, now: now)
            }
            removeEnded()
            if let finished, children.isEmpty {
                unlink(processFile)
                finished()
                return
            }
        }
    }

    // MARK: Waiting

    private func waitForEvents() {
        var waiting = [pollfd(fd: signals, events: Int16(POLLIN), revents: 0), pollfd(fd: wake, events: Int16(POLLIN), revents: 0)]
        for child in children { waiting.append(pollfd(fd: child.pipe.readEnd, events: Int16(POLLIN), revents: 0)) }
        let now = monotonicMilliseconds()
        let due = children.compactMap(\.dueAt).min()
        let timeout = due.map { Int32(clamping: max(0, $0 - now)) } ?? -1
        poll(&waiting, nfds_t(waiting.count), timeout)
        _ = drain(wake)
    }

    private func drain(_ descriptor: Int32) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 512)
        let count = read(descriptor, &buffer, buffer.count)
        return count > 0 ? Array(buffer.prefix(count)) : []
    }

    // MARK: Commands

    private mutating func obey(_ command: ProcessKeeper.Command) {
        switch command {
        case .start(let specification, let onEnd):
            guard finished == nil, !children.contains(where: { $0.specification.name == specification.name }),
                let child = Child(specification, logDirectory: logDirectory, onEnd: onEnd)
            else {
                onEnd?(.notStarted(finished == nil ? EBUSY : ECANCELED))
                return
            }
            child.state = .due(at: monotonicMilliseconds(), since: monotonicMilliseconds())
            children.append(child)
        case .stop(let name, let done):
            guard let child = children.first(where: { $0.specification.name == name }) else { return done() }
            child.onStopped.append(done)
            stop(child)
        case .say(let text): say(text)
        case .finish(let done):
            finished = done
            for child in children { stop(child) }
        }
    }

    private func stop(_ child: Child) {
        switch child.state {
        case .due: child.state = .ended(.signalled(child.specification.stopSignal))
        case .running(let pid, _):
            kill(pid, child.specification.stopSignal)
            child.state = .stopping(pid, killAt: monotonicMilliseconds() + child.specification.graceMilliseconds)
        case .stopping, .ended: break
        }
    }

    // MARK: Life of a child

    private mutating func advance(_ child: Child, now: Int64) {
        switch child.state {
        case .due(let at, let since):
            guard now >= at else { return }
            if case .wait(let reason)? = child.specification.gate?(now - since) {
                if child.waitsFor != reason {
                    child.waitsFor = reason
                    say("\(child.specification.name) waits: \(reason)")
                }
                child.state = .due(at: now + 100, since: since)
                return
            }
            child.waitsFor = nil
            spawn(child, now: now)
        case .stopping(let pid, let killAt):
            guard now >= killAt else { return }
            say("\(child.specification.name) did not stop in \(child.specification.graceMilliseconds / 1_000) s and is killed")
            kill(pid, SIGKILL)
            child.state = .stopping(pid, killAt: .max)
        case .running, .ended: return
        }
    }

    private mutating func spawn(_ child: Child, now: Int64) {
        switch Spawn.start(child.specification, output: child.pipe.writeEnd) {
        case .success(let pid):
            child.state = .running(pid, since: now)
            writeProcessFile()
        case .failure(let error): ended(child, .notStarted(error.code), ran: 0, now: now)
        }
    }

    private mutating func reap(_ child: Child, now: Int64) {
        let pid: pid_t
        let since: Int64
        switch child.state {
        case .running(let running, let start): (pid, since) = (running, start)
        case .stopping(let running, _): (pid, since) = (running, now)
        case .due, .ended: return
        }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return }
        readOutput(of: child)
        if let line = child.lines.ended() { show(line, of: child) }
        ended(child, ProcessEnding(waitStatus: status), ran: now - since, now: now)
        writeProcessFile()
    }

    private mutating func ended(_ child: Child, _ status: ProcessEnding, ran: Int64, now: Int64) {
        if case .stopping = child.state {
            if status != .exited(0) { say("\(child.specification.name) \(status)") }
            child.state = .ended(status)
        } else if child.specification.isSupervised && finished == nil {
            let delay = child.backoff.ended(afterRunning: ran)
            say("\(child.specification.name) \(status); it is started again in \(delay) ms")
            child.state = .due(at: now + delay, since: now + delay)
        } else {
            child.state = .ended(status)
        }
    }

    private mutating func removeEnded() {
        children.removeAll { child in
            guard case .ended(let status) = child.state else { return false }
            child.onEnd?(status)
            for done in child.onStopped { done() }
            return true
        }
    }

    // MARK: Lines

    private func readOutput(of child: Child) {
        var buffer = [UInt8](repeating: 0, count: 64 * 1_024)
        // One child that writes without end must not starve the others: a bounded part of its output per turn.
        for _ in 0..<4 {
            let count = read(child.pipe.readEnd, &buffer, buffer.count)
            guard count > 0 else { return }
            for line in child.lines.received(buffer.prefix(count)) { show(line, of: child) }
        }
    }

    private func show(_ line: [UInt8], of child: Child) {
        if child.specification.isShown { console.line(child.specification.name, line) }
        child.log.append(line + [0x0a])
    }

    private mutating func say(_ text: String) {
        console.line("up", Array(text.utf8))
        ownLog.append(Array("\(timestamp()) \(text)\n".utf8))
    }

    // MARK: Who runs

    private func writeProcessFile() {
        var pids: [String: Int] = [:]
        for child in children {
            switch child.state {
            case .running(let pid, _), .stopping(let pid, _): pids[child.specification.name] = Int(pid)
            case .due, .ended: continue
            }
        }
        // For tools only; a full disk must not stop the supervision.
        try? DataDirectory.write(json: pids, to: processFile, mode: 0o644)
    }
}

/// One child over all its lives.
final class Child {
    enum State {
        /// To be started at `at`; has waited since `since`.
        case due(at: Int64, since: Int64)
        case running(pid_t, since: Int64)
        /// Told to stop; killed at `killAt`.
        case stopping(pid_t, killAt: Int64)
        case ended(ProcessEnding)
    }

    let specification: ChildSpecification
    /// Kept over restarts: what outlives a process (PostgreSQL's orphans) can still write to it.
    let pipe: Pipe
    var log: LogFile
    var lines = LineSplitter()
    var backoff = RestartBackoff()
    var state: State = .ended(.exited(0))
    var waitsFor: String?
    var onStopped: [@Sendable () -> Void] = []
    let onEnd: (@Sendable (ProcessEnding) -> Void)?

    init?(_ specification: ChildSpecification, logDirectory: String, onEnd: (@Sendable (ProcessEnding) -> Void)?) {
        guard let pipe = Pipe() else { return nil }
        self.pipe = pipe
        self.specification = specification
        self.onEnd = onEnd
        log = LogFile(path: "\(logDirectory)/\(specification.name).log")
    }

    /// When something is to be done for it without any event.
    var dueAt: Int64? {
        switch state {
        case .due(let at, _): at
        case .stopping(_, let killAt): killAt == .max ? nil : killAt
        case .running, .ended: nil
        }
    }
}

/// `2026-01-31T12:34:56Z`
func timestamp() -> String { Date().formatted(.iso8601) }
