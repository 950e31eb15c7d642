import ArgumentParser
import CPlatform
import LocalBroker
import Logging

#if canImport(Glibc)
    import Glibc
    import Dispatch
#elseif canImport(Darwin)
    import Darwin
    import Dispatch
#endif

/// `signalbox broker`: the single-node broker, in the foreground.
struct BrokerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "broker", abstract: "Run a durable single-node broker that speaks the Kafka protocol.",
        discussion: "It is no cluster: one machine, one copy. Any Kafka client can use it.")

    @Option(name: .long, help: "The data directory; one broker at a time.")
    var data: String

    @Option(name: .long, help: "HOST:PORT to listen on; port 0 takes a free one.")
    var listen = "127.0.0.1:9092"

    @Option(name: .long, help: "HOST:PORT that clients are told to connect to (default: where it listens).")
    var advertise: String?

    @Option(name: .long, help: "Partitions of a topic that is created without a number.")
    var partitions = 4

    @Option(
        name: .long,
        help: "always: synced before every acknowledgement. interval:MS: a power cut loses up to MS milliseconds. never: up to the system.",
        transform: { argument in
            guard let policy = FsyncPolicy(argument: argument) else { throw ValidationError("--fsync is always, interval:MS or never") }
            return policy
        })
    var fsync = FsyncPolicy.always

    @Flag(name: .long, inversion: .prefixedNo, help: "Create topics that clients ask for.")
    var autoCreate = true

    @Option(name: .long, help: "Octets after which a segment file is closed.")
    var segmentBytes = 64 << 20

    @Option(name: .long, help: "Octets of journal after which a checkpoint is made; bounds the time a restart takes.")
    var journalBytes = 64 << 20

    @Option(name: .long, help: "Connections at a time.")
    var maxConnections = 1000

    @Option(name: .long, help: ArgumentHelp("A file in which every sync is written down, for tests of a power cut.", visibility: .hidden))
    var syncLog: String?

    func run() async throws {
        let (host, port) = try Self.split(listen, option: "--listen")
        var configuration = BrokerConfiguration(dataDirectory: data, listenHost: host, listenPort: port)
        if let advertise { (configuration.advertisedHost, configuration.advertisedPort) = try Self.split(advertise, option: "--advertise") }
        configuration.defaultPartitions = partitions
        configuration.fsync = fsync
        configuration.autoCreateTopics = autoCreate
        configuration.segmentBytes = segmentBytes
        configuration.journalBytes = journalBytes
        configuration.maxConnections = maxConnections
        configuration.syncLog = syncLog
        let faults = configuration.validate()
        guard faults.isEmpty else { throw ValidationError(faults.joined(separator: "; ")) }
        if getenv("SIGNALBOX_SUPERVISED").map({ String(cString: $0) }) == "1" { _ = cplatform_die_with_parent(SIGTERM) }

        cplatform_return_memory()
        // A limit on the size of files is an answer to a write, not the end.
        signal(SIGXFSZ, SIG_IGN)
        // Before the first thread starts, so that none of them dies of the signal.
        let signals = TerminationSignals()
        let broker = try await LocalBroker.start(
            configuration, logger: Logger(label: "broker") { StreamLogHandler.standardError(label: $0) })
        print("broker listens on \(host):\(broker.boundPort)")
        fflush(nil)
        await signals.first()
        await broker.stop()
    }

    /// Splits HOST:PORT; an IPv6 address may stand in brackets.
    static func split(_ text: String, option: String) throws -> (String, Int) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), (0...65535).contains(port) else {
            throw ValidationError("\(option) must be HOST:PORT")
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { throw ValidationError("\(option) must be HOST:PORT") }
        return (host, port)
    }
}

/// SIGINT and SIGTERM as an event.
final class TerminationSignals: Sendable {
    private let arrived: AsyncStream<Void>
    // Only kept alive: nothing touches them after `init`, so it does not matter who holds them.
    nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        arrived = stream
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield() }
            source.resume()
            return source
        }
    }

    /// Waits for the first of them.
    func first() async {
        for await _ in arrived { return }
    }
}
