import Foundation
import Synchronization
import Testing

@testable import Supervisor

@Suite struct RestartBackoffTests {
    @Test func `a first restart comes at once and each further one later, up to five seconds`() {
        var backoff = RestartBackoff()
        let delays = (0..<8).map { _ in backoff.ended(afterRunning: 20) }
        #expect(delays == [100, 300, 600, 1_200, 2_500, 5_000, 5_000, 5_000])
    }

    @Test func `a good run of ten seconds forgives what was before`() {
        var backoff = RestartBackoff()
        for _ in 0..<5 { _ = backoff.ended(afterRunning: 9_999) }
        #expect(backoff.ended(afterRunning: 10_000) == 100)
        #expect(backoff.ended(afterRunning: 0) == 300)
    }
}

@Suite struct LineSplitterTests {
    @Test(
        arguments: [
            ("one\ntwo\n", ["one", "two"], nil),
            ("one\r\ntwo", ["one"], "two"),
            ("\n\n", ["", ""], nil),
            ("", [], nil),
        ] as [(String, [String], String?)])
    func `lines come out whole, however the bytes come in`(input: String, lines: [String], rest: String?) {
        for step in [1, 3, 1_000] {
            var splitter = LineSplitter()
            var found: [String] = []
            var bytes = Array(input.utf8)[...]
            while !bytes.isEmpty {
                found += splitter.received(bytes.prefix(step)).map { String(decoding: $0, as: UTF8.self) }
                bytes = bytes.dropFirst(step)
            }
            #expect(found == lines)
            #expect(splitter.ended().map { String(decoding: $0, as: UTF8.self) } == rest)
            #expect(splitter.ended() == nil)
        }
    }

    @Test func `a line without end is cut and not collected`() {
        var splitter = LineSplitter()
        let lines = splitter.received([UInt8](repeating: 0x41, count: 3 * LineSplitter.limit + 5))
        #expect(lines.map(\.count) == [LineSplitter.limit, LineSplitter.limit, LineSplitter.limit])
        #expect(splitter.ended()?.count == 5)
    }
}

@Suite struct ProcessEndingTests {
    @Test(
        arguments: [
            (0, .exited(0)), (256, .exited(1)), (65_280, .exited(255)), (9, .signalled(SIGKILL)), (139, .signalled(SIGSEGV)),
        ] as [(Int32, ProcessEnding)])
    func `what wait writes is read as wait(2) says`(raw: Int32, status: ProcessEnding) {
        #expect(ProcessEnding(waitStatus: raw) == status)
    }

    @Test func `an operator reads the signal's name`() {
        #expect(ProcessEnding.signalled(SIGKILL).description == "was ended by signal 9 (SIGKILL)")
        #expect(ProcessEnding.exited(3).description == "ended with status 3")
    }
}

@Suite struct LogFileTests {
    @Test func `a log is bounded: full files move on, the oldest goes`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/x.log"
        do {
            var log = LogFile(path: path, limit: 10)
            for number in 0..<9 { log.append(Array("line-\(number)\n".utf8)) }
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "line-8\n")
        #expect(try String(contentsOfFile: path + ".1", encoding: .utf8) == "line-7\n")
        #expect(try String(contentsOfFile: path + ".3", encoding: .utf8) == "line-5\n")
        #expect(!FileManager.default.fileExists(atPath: path + ".4"))
    }

    @Test func `a log goes on where it was`() throws {
        let directory = try TemporaryDirectory()
        for text in ["a\n", "b\n"] {
            var log = LogFile(path: directory.path + "/x.log")
            log.append(Array(text.utf8))
        }
        #expect(try String(contentsOfFile: directory.path + "/x.log", encoding: .utf8) == "a\nb\n")
    }
}

@Suite struct ConsoleTests {
    @Test func `a peer's control characters do not reach the terminal`() {
        #expect(Console.harmless(Array("a\u{1b}[2Jb\tc\u{7f}é".utf8)) == Array("a?[2Jb\tc?é".utf8))
    }

    @Test func `each line stands behind its child's name`() throws {
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        let console = Console(descriptor: ends[1])
        console.line("router", Array("ready".utf8))
        console.line("ingress-smpp", Array("listens".utf8))
        console.finish()
        close(ends[1])
        let text = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true).readDataToEndOfFile()
        #expect(String(decoding: text, as: UTF8.self) == "router       | ready\ningress-smpp | listens\n")
    }
}

/// One keeper for all, since it catches SIGCHLD for the whole process.
private enum Shared {
    static let directory = Result { try TemporaryDirectory() }
    static let keeper = Result {
        let path = try directory.get().path
        return try ProcessKeeper(
            console: Console(descriptor: open("/dev/null", O_WRONLY)), logDirectory: path, processFile: path + "/processes.json",
            catching: [], onSignal: { _ in })
    }
}

@Suite(.serialized) struct ProcessKeeperTests {
    private func shell(_ name: String, _ script: String, supervised: Bool = false) -> ChildSpecification {
        ChildSpecification(
            name: name, executable: { "/bin/sh" }, shownAs: "sh", arguments: ["-c", script], environment: ["PATH": "/usr/bin:/bin"],
            isSupervised: supervised)
    }

    private func log(_ name: String) throws -> String {
        try String(contentsOfFile: Shared.directory.get().path + "/\(name).log", encoding: .utf8)
    }

    @Test(arguments: [("exit 7", .exited(7)), ("kill -9 $$", .signalled(SIGKILL)), ("true", .exited(0))] as [(String, ProcessEnding)])
    func `a child that runs once tells how it ended`(script: String, status: ProcessEnding) async throws {
        #expect(try await Shared.keeper.get().run(shell("once", script)) == status)
    }

    @Test func `a program that is not there is an ended child and not a crash`() async throws {
        var child = shell("nobody", "")
        child.executable = { "/nowhere/at-all" }
        #expect(try await Shared.keeper.get().run(child) == .notStarted(ENOENT))
    }

    @Test func `all lines are kept, also the last without an end, and the input arrives`() async throws {
        var child = shell("speaker", "cat; echo error >&2; printf unfinished")
        child.input = Array("from the input\n".utf8)
        #expect(try await Shared.keeper.get().run(child) == .exited(0))
        #expect(try log("speaker") == "from the input\nerror\nunfinished\n")
    }

    @Test func `a child sees none of our descriptors, is no child of our process group and ignores no signal`() async throws {
        let script = "ls /proc/self/fd | tr '\\n' ' '; echo; ps -o pgid= -p $$ | tr -d ' '; echo $$; grep SigIgn /proc/self/status"
        #expect(try await Shared.keeper.get().run(shell("inside", script)) == .exited(0))
        let lines = try log("inside").split(separator: "\n")
        // 3 is the directory that ls itself reads.
        #expect(lines.first == "0 1 2 3 ")
        #expect(lines.count == 4 && lines[1] == lines[2])
        // The mask's lower half: posix_spawn leaves two real-time signals of glibc ignored.
        #expect(lines.last?.hasSuffix("0000000") == true)
    }

    @Test func `a supervised child that is killed runs again, and a stop is final`() async throws {
        let keeper = try Shared.keeper.get()
        let marks = Marks()
        var child = shell("phoenix", "trap 'exit 0' TERM; while :; do sleep 0.05; done", supervised: true)
        child.gate = { _ in
            marks.starts.withLock { $0 += 1 }
            return .open
        }
        keeper.start(child)
        let first = try await pid(of: "phoenix", after: 0)
        kill(first, SIGKILL)
        let second = try await pid(of: "phoenix", after: first)
        #expect(second != first)
        await keeper.stop("phoenix")
        #expect(!ProcFS.isAlive(second))
        #expect(marks.starts.withLock { $0 } == 2)
        #expect(await keeper.run(shell("phoenix", "true")) == .exited(0))
    }

    @Test func `a child that does not listen to its stop signal is killed after its grace`() async throws {
        let keeper = try Shared.keeper.get()
        var child = shell("deaf", "trap '' TERM; while :; do sleep 0.05; done", supervised: true)
        child.graceMilliseconds = 200
        keeper.start(child)
        let running = try await pid(of: "deaf", after: 0)
        await keeper.stop("deaf")
        #expect(!ProcFS.isAlive(running))
    }

    @Test func `a closed gate holds the start back until it opens`() async throws {
        let marks = Marks()
        var child = shell("gated", "true")
        child.gate = { _ in
            marks.starts.withLock {
                $0 += 1; return $0 < 3 ? .wait(reason: "not yet") : .open
            }
        }
        #expect(try await Shared.keeper.get().run(child) == .exited(0))
        #expect(marks.starts.withLock { $0 } == 3)
    }

    private func pid(of name: String, after old: pid_t) async throws -> pid_t {
        let path = try Shared.directory.get().path + "/processes.json"
        for _ in 0..<500 {
            if let data = FileManager.default.contents(atPath: path),
                let pids = try? JSONDecoder().decode([String: pid_t].self, from: data),
                let pid = pids[name], pid != old
            {
                return pid
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw UpError("\(name) does not run")
    }
}

private final class Marks: Sendable {
    let starts = Mutex(0)
}
