/// When the journal is made to survive a power cut. A killed process loses nothing acknowledged in any of them.
public enum FsyncPolicy: Sendable, Equatable {
    /// Before every acknowledgement, one sync for all requests that wait for it.
    case always
    /// Every so often: a power cut can lose what was acknowledged within this time.
    case interval(milliseconds: Int)
    /// When the operating system likes: a power cut can lose half a minute.
    case never

    /// Reads `always`, `never` or `interval:MS` (1 to 60000); nil for anything else.
    public init?(argument: String) {
        switch argument {
        case "always": self = .always
        case "never": self = .never
        default:
            guard argument.hasPrefix("interval:"), let milliseconds = Int(argument.dropFirst(9)), (1...60_000).contains(milliseconds) else {
                return nil
            }
            self = .interval(milliseconds: milliseconds)
        }
    }
}

/// How the broker runs.
public struct BrokerConfiguration: Sendable {
    /// Holds everything; one process at a time.
    public var dataDirectory: String
    public var listenHost: String
    /// 0 for any free port.
    public var listenPort: Int
    /// What clients are told to connect to; by default the address they reach it at.
    public var advertisedHost: String?
    public var advertisedPort: Int?
    /// For topics that are created without a count.
    public var defaultPartitions = 4
    public var fsync = FsyncPolicy.always
    /// Whether asking for an unknown topic's metadata creates it.
    public var autoCreateTopics = true
    /// Further connections are closed at once.
    public var maxConnections = 1000
    /// A segment file that would grow larger is closed; the topic setting `segment.bytes` overrides it. Retention removes whole segments.
    public var segmentBytes = 64 << 20
    /// A request that claims more octets closes its connection.
    public var maxRequestBytes = 100 << 20
    /// A checkpoint is due when the journal has grown by this much: it bounds the time a restart takes.
    public var journalBytes = 64 << 20
    /// All partitions of all topics; a bound for files and memory.
    public var maxPartitions = 4000
    /// How long an empty group waits for more members before its first assignment.
    public var initialRebalanceDelayMilliseconds = 50
    /// How often retention and idle producers are looked at.
    public var housekeepingIntervalMilliseconds = 15_000
    public var ioThreads = 1
    /// Octets of requests under way at once, for all connections together; a larger one may still pass alone.
    public var maxInflightBytes = 8 << 20
    /// Octets of requests that have not arrived whole, for all connections together. Who goes beyond is disconnected.
    public var maxPartialBytes = 256 << 20
    /// A file in which every sync is written down: for tests of a power cut.
    public var syncLog: String?

    public init(dataDirectory: String, listenHost: String = "127.0.0.1", listenPort: Int = 0) {
        self.dataDirectory = dataDirectory
        self.listenHost = listenHost
        self.listenPort = listenPort
    }

    /// Everything that is wrong with the values, in words; empty when nothing is.
    public func validate() -> [String] {
        var faults: [String] = []
        func check(_ holds: Bool, _ fault: String) { if !holds { faults.append(fault) } }
        check(!dataDirectory.isEmpty, "the data directory is empty")
        check((0...65535).contains(listenPort), "the port must be 0 to 65535")
        check((1...1000).contains(defaultPartitions), "the default partition count must be 1 to 1000")
        check(maxConnections >= 1, "at least one connection must be allowed")
        check((1 << 14...1 << 30).contains(segmentBytes), "segments must be 16 KiB to 1 GiB")
        check((1 << 14...1 << 30).contains(maxRequestBytes), "the largest request must be 16 KiB to 1 GiB")
        check(journalBytes >= 1 << 16, "the journal must be at least 64 KiB")
        check(maxInflightBytes >= 1 << 16, "at least 64 KiB of requests must be allowed under way")
        check(maxPartialBytes >= maxRequestBytes, "the largest request must fit into what may be half received")
        check((1...16).contains(ioThreads), "1 to 16 I/O threads")
        return faults
    }
}
