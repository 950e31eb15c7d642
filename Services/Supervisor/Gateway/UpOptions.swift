/// What `signalbox up` was asked to do.
public struct UpOptions: Sendable {
    /// A server.cfg to apply before the services start.
    public var configuration: String?
    public var data: DataDirectory
    /// Fixed ports instead of free ones: PostgreSQL here, the broker 1 above, and so on (`Ports`).
    public var portBase: Int?
    /// Also the demo's configuration, account and simulated SMSC.
    public var demo: Bool
    /// PostgreSQL and Kafka that run elsewhere, instead of own ones (`SIGNALBOX_DATABASE_URL`, `SIGNALBOX_KAFKA`).
    public var databaseURL: String?
    public var kafka: String?
    /// Ways round, for tests of faults.
    public var detours = Detours()

    /// Where tests stand between the services and their stores, and what they want to know of the broker.
    public struct Detours: Sendable {
        /// HOST:PORT at which the services find our own PostgreSQL; nil = where it listens.
        public var database: String?
        /// HOST:PORT at which the services find our own broker, which tells it to its clients; nil = where it listens.
        public var broker: String?
        /// The file in which the broker writes down its syncs.
        public var brokerSyncLog: String?

        public init(database: String? = nil, broker: String? = nil, brokerSyncLog: String? = nil) {
            self.database = database
            self.broker = broker
            self.brokerSyncLog = brokerSyncLog
        }
    }

    /// Ports that one gateway may use from its base on.
    public static let portsPerGateway = 40

    /// - Throws: `UpError` for a port base that leaves no room.
    public init(
        configuration: String? = nil, data: DataDirectory, portBase: Int? = nil, demo: Bool = false, databaseURL: String? = nil,
        kafka: String? = nil
    ) throws(UpError) {
        if let portBase, !(1...(65_536 - UpOptions.portsPerGateway)).contains(portBase) {
            throw UpError(
                "--port-base must be 1 to \(65_536 - UpOptions.portsPerGateway), for \(UpOptions.portsPerGateway) ports from there on")
        }
        self.configuration = configuration
        self.data = data
        self.portBase = portBase
        self.demo = demo
        self.databaseURL = databaseURL.flatMap { $0.isEmpty ? nil : $0 }
        self.kafka = kafka.flatMap { $0.isEmpty ? nil : $0 }
    }
}
