import Foundation
import LocalBroker
import Logging
import Synchronization

/// A broker for tests: the one that `SIGNALBOX_KAFKA` names, else a local broker in this process, spoken to over TCP.
public actor TestBroker {
    private static let shared = TestBroker()
    private var broker: Task<LocalBroker, any Error>?

    /// `host:port`. The local broker is shared by the tests of the process: they use topics and groups of their own.
    public static func address() async throws -> String {
        if let named = ProcessInfo.processInfo.environment["SIGNALBOX_KAFKA"], !named.isEmpty { return named }
        return "127.0.0.1:\(try await shared.local().boundPort)"
    }

    private func local() async throws -> LocalBroker {
        if let broker { return try await broker.value }
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("signalbox-broker-\(UUID().uuidString)").path
        TestBroker.remove(atExit: directory)
        let started = Task {
            var logger = Logger(label: "broker")
            logger.logLevel = .error
            return try await LocalBroker.start(
                BrokerConfiguration(dataDirectory: directory, listenHost: "127.0.0.1", listenPort: 0), logger: logger)
        }
        broker = started
        return try await started.value
    }

    private static let directories = Directories()

    private static func remove(atExit directory: String) {
        directories.add(directory)
        atexit { TestBroker.directories.remove() }
    }
}

/// What is to be removed when the process ends.
private final class Directories: Sendable {
    private let paths = Mutex<[String]>([])
    func add(_ path: String) { paths.withLock { $0.append(path) } }
    func remove() { for path in paths.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: path) } }
}
