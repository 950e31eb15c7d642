import Foundation

/// `signalbox up`: everything on this machine, supervised.
public enum Up {
    private enum Event: Sendable {
        case started(UpState)
        case failed(any Error)
        case signalled
        case ended
    }

    /// Runs until SIGINT, SIGTERM or SIGHUP has stopped everything in order.
    /// - Throws: `UpError`, or the store's error, that kept the gateway from starting; all that was started is stopped again by then.
    public static func run(_ options: UpOptions) async throws {
        let executable = try OwnExecutable()
        try options.data.create()
        let lock = try DirectoryLock(options.data)
        defer { withExtendedLifetime(lock) {} }
        unlink(options.data.stateFile)
        let console = Console()
        let (signals, receiver) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: .bufferingOldest(1))
        let keeper = try ProcessKeeper(
            console: console, logDirectory: options.data.logs, processFile: options.data.processFile, onSignal: { receiver.yield($0) })
        let gateway = Gateway(options: options, keeper: keeper, executable: executable)
        keeper.say("process \(getpid()) starts the gateway in \(options.data.path)")

        let failure = await withTaskGroup(of: Event.self) { group -> (any Error)? in
            group.addTask {
                do { return .started(try await gateway.start()) } catch { return .failed(error) }
            }
            group.addTask {
                for await _ in signals { break }
                return .signalled
            }
            while let event = await group.next() {
                switch event {
                case .started(let state):
                    print(banner(state, options.data))
                    group.addTask {
                        await gateway.follow(state)
                        return .ended
                    }
                case .ended: break
                case .failed(let error):
                    group.cancelAll()
                    return error
                case .signalled:
                    keeper.say("stops")
                    // What still starts ends with a CancellationError, which is no failure.
                    group.cancelAll()
                    await group.waitForAll()
                    return nil
                }
                fflush(nil)
            }
            return nil
        }
        if let failure { keeper.say("cannot start: \(failure)") }
        await gateway.stop()
        console.finish()
        if let failure { throw failure }
    }

    static func banner(_ state: UpState, _ directory: DataDirectory) -> String {
        var lines = ["", "Signalbox is up (process \(state.pid)), its data in \(directory.path)."]
        if let port = state.smppPort {
            lines += [
                "  SMPP 3.4      127.0.0.1:\(port)   system id \(DemoAccount.name)   password \(DemoAccount.password)",
                "  a message     signalbox send --data \(directory.path) --from 46700000000 --to 46701234567 --text 'Hello' --wait",
            ]
        }
        if let port = state.httpPort {
            lines.append(
                "  HTTP          http://127.0.0.1:\(port)/v1/messages   user \(DemoAccount.name)   password \(DemoAccount.password)")
        }
        lines += [
            "  its state     signalbox status --data \(directory.path)",
            "  Kafka         \(state.kafka)",
            "  logs          \(directory.logs)",
            "  stop          Ctrl-C, or kill \(state.pid)", "",
        ]
        return lines.joined(separator: "\n")
    }
}
