import Database
import Foundation
import Pricing
import Store

/// A gateway of the bench's own: `signalbox up` in a directory of its own, with everything that production has.
///
/// fsync of broker and database, acks=all, transactions, prepaid billing, the message log with bodies, and reports are the defaults;
/// nothing is switched off here.
struct GatewayUnderTest: Sendable {
    static let account = "bench"
    static let password = "bench"
    static let incoming = "bench-in"
    static let incomingHTTP = "bench-http"
    /// Reports that may be under way to the load at a time.
    static let webhookConcurrency = 64

    let directory: String
    let smppPort: Int
    let httpPort: Int
    let providerPorts: [String: Int]
    private(set) var process: ChildProcess?

    var data: String { directory + "/data" }

    init(directory: String) throws {
        self.directory = directory
        let ports = try FreePorts.take(2 + ProviderTerms.all.count)
        smppPort = ports[0]
        httpPort = ports[1]
        providerPorts = Dictionary(uniqueKeysWithValues: zip(ProviderTerms.all.map(\.connector), ports.dropFirst(2)))
        try configuration.write(toFile: directory + "/bench.cfg", atomically: true, encoding: .utf8)
    }

    /// In EMG's server.cfg syntax.
    private var configuration: String {
        var text = """
            CONNECTOR \(Self.incoming) <
            TYPE=INCOMING
            PROTOCOL=SMPP
            ADDRESS=127.0.0.1:\(smppPort)
            INSTANCES=5000
            USERDB=emg
            >
            CONNECTOR \(Self.incomingHTTP) <
            TYPE=INCOMING
            PROTOCOL=HTTP
            ADDRESS=127.0.0.1:\(httpPort)
            USERDB=emg
            INTERFACES=API
            WEBHOOKALLOW=127.0.0.0/8
            WEBHOOKCONCURRENCY=\(Self.webhookConcurrency)
            >

            """
        for terms in ProviderTerms.all {
            text += """
                CONNECTOR \(terms.connector) <
                TYPE=OUTGOING
                PROTOCOL=SMPP
                ADDRESS=127.0.0.1:\(providerPorts[terms.connector] ?? 0)
                INSTANCES=\(terms.sessions)
                USERNAME=bench
                PASSWORD=bench
                STATIC
                WINDOWSIZE=\(terms.windowSize)
                >

                """
        }
        return text
    }

    struct State: Decodable, Sendable {
        var databaseURL: String
        var kafka: String

        enum CodingKeys: String, CodingKey {
            case kafka
            case databaseURL = "database_url"
        }
    }

    /// What `up` tells once everything is healthy.
    func state() throws -> State {
        try JSONDecoder().decode(State.self, from: Data(contentsOf: URL(fileURLWithPath: data + "/up.json")))
    }

    /// Process ids of `up` and its children by name.
    func pids() throws -> [String: Int32] {
        var pids = try JSONDecoder().decode([String: Int32].self, from: Data(contentsOf: URL(fileURLWithPath: data + "/processes.json")))
        pids["up"] = process?.pid
        return pids
    }

    /// Starts it and returns at once.
    mutating func launch() throws {
        process = try ChildProcess(
            ["up", "--config", directory + "/bench.cfg", "--data", data], logPath: directory + "/up.log")
    }

    func waitHealthy() async throws {
        guard let process else { throw LoadFailure("the gateway was not started") }
        try await wait("every service is healthy", seconds: 180, every: .milliseconds(50)) {
            guard process.isRunning else { throw LoadFailure("`signalbox up` ended:\n\(process.lastWords())") }
            return FileManager.default.fileExists(atPath: data + "/up.json")
        }
    }

    /// - Returns: seconds that it took.
    mutating func stop() async -> Double {
        let start = ContinuousClock.now
        await process?.stop()
        process = nil
        return (ContinuousClock.now - start) / .seconds(1)
    }

    /// Account, routes and prices; they are in force within two seconds.
    func prepare() async throws {
        let url = try state().databaseURL
        try await onThread {
            let connection = try Connection(url: url, applicationName: "signalbox bench")
            var changes = AccountStore.Changes()
            changes.password = Self.password
            try AccountStore.add(
                connection, username: Self.account, balance: try Money(parsing: "10000000"), changes: changes, by: "bench")
            if let anywhere = IPNetwork("127.0.0.0/8") {
                _ = try AccountStore.addAccess(connection, username: Self.account, network: anywhere, connector: "*", by: "bench")
            }
            // Its secret: reports are signed.
            _ = try WebhookStore.set(connection, username: Self.account, WebhookStore.Changes(), by: "bench")
            for terms in ProviderTerms.all {
                _ = try RouteStore.add(
                    connection, RouteRow(prefix: terms.prefix, outConnector: terms.connector, note: "bench"), by: "bench")
                _ = try PriceStore.add(
                    connection, PriceRow(prefix: terms.prefix, charge: Money(parsing: "0.032"), cost: Money(parsing: "0.018")), by: "bench")
            }
        }
        // The promise is a second on every instance; a busy machine gets more.
        await pause(.seconds(3))
    }
}
