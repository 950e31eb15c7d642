import Bus
import Database
import Foundation
import Logging
import ServiceKit
import Store

/// Brings the whole gateway of one data directory up, and down again.
struct Gateway: Sendable {
    let options: UpOptions
    let keeper: ProcessKeeper
    let executable: OwnExecutable

    private var directory: DataDirectory { options.data }

    /// Returns when everything is healthy and DIR/up.json is written.
    func start() async throws -> UpState {
        let hadStrays = try await Strays(directory: directory).end()
        let ports = try await choosePorts(patient: hadStrays)
        let databaseURL = try await startDatabase(ports)
        let kafka = try await startBroker(ports)
        try await prepareStores(databaseURL, kafka, ports)
        if options.demo {
            keeper.start(DemoConfiguration(ports: ports).simulator(child(_:_:_:), journal: directory.simulatorJournal))
            try await waitUntil("the simulated SMSC", timeout: .seconds(60)) {
                TCP.answers(port: ports.smsc) ? nil : "nobody listens on port \(ports.smsc)"
            }
        }
        let since = try await onThread { try Connection(url: databaseURL, applicationName: "signalbox up").databaseClock() }
        let keyFile = try bodyKeyFile()
        let needed = try await onThread {
            try GatewayServices.needed(try Connection(url: databaseURL, applicationName: "signalbox up"))
        }
        let services = GatewayServices.all + needed
        for service in services {
            var variables: [String: String] = [:]
            if service == "routelog" { variables[BodyKeys.variable] = keyFile }
            start(service, databaseURL, kafka, ports, variables)
        }
        try await waitForServices(services, databaseURL, since: since)
        let state = UpState(
            pid: getpid(), databaseURL: databaseURL, kafka: kafka, smppPort: options.demo ? ports.smpp : nil,
            httpPort: options.demo ? ports.web : nil,
            smscPort: options.demo ? ports.smsc : nil, services: services, started: timestamp(), demo: options.demo)
        try DataDirectory.write(json: state, to: directory.stateFile, mode: 0o600)
        return state
    }

    private func start(_ service: String, _ databaseURL: String, _ kafka: String, _ ports: Ports, _ variables: [String: String] = [:]) {
        var variables = variables
        variables["SIGNALBOX_INSTANCE"] = GatewayServices.instance(service)
        variables["SIGNALBOX_HTTP_PORT"] = ports.http[service].map(String.init)
        variables["SIGNALBOX_DATABASE_URL"] = detour(databaseURL, ports)
        variables["SIGNALBOX_KAFKA"] = options.detours.broker ?? kafka
        keeper.start(child(service, ["run", service], variables))
    }

    /// Starts the services that connectors need which were configured since. Runs until it is cancelled.
    func follow(_ state: UpState) async {
        let database = Database(url: state.databaseURL, applicationName: "signalbox up")
        var running = Set(state.services)
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            // A database that is away changes nothing.
            guard !Task.isCancelled, let needed = try? await database.run({ try GatewayServices.needed($0) }) else { continue }
            for service in needed where !running.contains(service) {
                guard let ports = chosenPorts() else { continue }
                keeper.say("\(service) is needed by a connector")
                start(service, state.databaseURL, state.kafka, ports)
                running.insert(service)
            }
        }
    }

    /// Whoever takes messages in stops first, then all who work on them, and last those who keep them.
    func stop() async {
        unlink(directory.stateFile)
        for ingress in ["ingress-smpp", "ingress-http"] { await keeper.stop(ingress) }
        await withTaskGroup(of: Void.self) { group in
            for service in GatewayServices.known.reversed() { group.addTask { await keeper.stop(service) } }
        }
        for store in ["smsc", "broker", "postgresql"] { await keeper.stop(store) }
        await keeper.finish()
    }

    // MARK: Stores

    /// - Parameter patient: others of ours have just ended. A process that is ending shows no more environment while its sockets
    ///   are still open, so that a port may become free a moment later.
    private func choosePorts(patient: Bool) async throws -> Ports {
        let deadline = monotonicMilliseconds() + (patient ? 5_000 : 1_000)
        if let base = options.portBase {
            let ports = Ports(base: base, services: GatewayServices.known)
            while true {
                let taken = taken(of: ports)
                guard !taken.isEmpty else { return ports }
                guard monotonicMilliseconds() < deadline else {
                    let list = taken.map { "port \($0.port) for \($0.name)" }.joined(separator: ", ")
                    throw UpError("taken already: \(list); choose another --port-base")
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        let remembered = FileManager.default.contents(atPath: directory.portsFile).flatMap {
            try? JSONDecoder().decode(Ports.self, from: $0)
        }
        if let remembered {
            while !taken(of: remembered).isEmpty, monotonicMilliseconds() < deadline { try await Task.sleep(for: .milliseconds(50)) }
        }
        let ports = try Ports(remembered: remembered, services: GatewayServices.known)
        if options.demo, ports.smpp != Ports.standardSMPP {
            keeper.say(
                "ATTENTION: port \(Ports.standardSMPP) is taken by another program; SMPP clients connect to port \(ports.smpp) instead")
        }
        if options.demo, ports.web != Ports.standardWeb {
            keeper.say(
                "ATTENTION: port \(Ports.standardWeb) is taken by another program; HTTP clients connect to port \(ports.web) instead")
        }
        try DataDirectory.write(json: ports, to: directory.portsFile, mode: 0o644)
        return ports
    }

    /// Those of the running gateway.
    private func chosenPorts() -> Ports? {
        if let base = options.portBase { return Ports(base: base, services: GatewayServices.known) }
        return FileManager.default.contents(atPath: directory.portsFile).flatMap { try? JSONDecoder().decode(Ports.self, from: $0) }
    }

    /// Those that this start needs and somebody else has. PostgreSQL's is left out: an earlier one of this directory may still
    /// hold it, and its end is waited for later.
    private func taken(of ports: Ports) -> [(name: String, port: Int)] {
        var used = options.kafka == nil ? [("the broker", ports.broker)] : []
        used += options.demo ? [("the simulated SMSC", ports.smsc), ("SMPP", ports.smpp), ("HTTP", ports.web)] : []
        used += GatewayServices.known.compactMap { service in ports.http[service].map { ("\(service)'s HTTP", $0) } }
        return used.filter { !Ports.isFree($0.1, address: [ports.smpp, ports.web].contains($0.1) ? "0.0.0.0" : "127.0.0.1") }
    }

    private func startDatabase(_ ports: Ports) async throws -> String {
        if let url = options.databaseURL {
            keeper.say("uses the database \(ConnectionURL.printable(url))")
            return url
        }
        let server = try await PostgresServer.prepare(directory, port: ports.postgresql, keeper: keeper)
        keeper.start(server.specification())
        try await server.waitUntilReady()
        return server.url
    }

    private func startBroker(_ ports: Ports) async throws -> String {
        let address = "127.0.0.1:\(ports.broker)"
        if let kafka = options.kafka {
            keeper.say("uses Kafka at \(kafka)")
        } else {
            var broker = child(
                "broker",
                ["broker", "--data", directory.broker, "--listen", address, "--partitions", "\(TopicSetup.layout().partitions)"]
                    + (options.detours.broker.map { ["--advertise", $0] } ?? [])
                    + (options.detours.brokerSyncLog.map { ["--sync-log", $0] } ?? []),
                [:])
            broker.graceMilliseconds = 20_000
            keeper.start(broker)
        }
        let kafka = options.kafka ?? address
        try await waitUntil("the broker", timeout: .seconds(120)) { await Stores.brokerTrouble(kafka, timeoutMilliseconds: 2_000) }
        return kafka
    }

    private func prepareStores(_ databaseURL: String, _ kafka: String, _ ports: Ports) async throws {
        let (options, keeper) = (options, keeper)
        let names = try await onThread {
            let connection = try Connection(url: databaseURL, applicationName: "signalbox up")
            for migration in try Schema.migrate(connection) { keeper.say("migrated the database: \(migration.version) \(migration.name)") }
            try ConfigurationLoader(options: options, ports: ports, say: keeper.say).load(connection)
            return try connection.query("SELECT name FROM connector").map { try $0.text("name") }
        }
        try await onThread {
            let admin = try Admin(BusConfiguration(bootstrap: kafka, clientID: "signalbox-up", logger: makeLogger("up", level: .warning)))
            let layout = TopicSetup.layout()
            try admin.create(Topics.fixed(layout) + names.flatMap { Topics.queues(of: $0, layout) })
        }
    }

    // MARK: Services

    /// How the services reach our own PostgreSQL.
    private func detour(_ databaseURL: String, _ ports: Ports) -> String {
        guard let detour = options.detours.database else { return databaseURL }
        return databaseURL.replacing("@127.0.0.1:\(ports.postgresql)/", with: "@\(detour)/")
    }

    /// The operator's own file of keys, or ours.
    private func bodyKeyFile() throws -> String {
        if let own = ProcessInfo.processInfo.environment[BodyKeys.variable], !own.isEmpty { return own }
        try directory.makeBodyKeys()
        return directory.bodyKeysFile
    }

    private func child(_ name: String, _ arguments: [String], _ variables: [String: String]) -> ChildSpecification {
        let executable = executable
        var environment = ProcessInfo.processInfo.environment
        // A crash is told shortly: the full account takes the runtime seconds, in which the child is not started again.
        environment["SWIFT_BACKTRACE"] =
            environment["SWIFT_BACKTRACE"]
            ?? "threads=crashed,images=none,registers=none,symbolicate=fast,color=no,interactive=no,timeout=5s"
        environment.merge(["SIGNALBOX_DATA": directory.path, "SIGNALBOX_SUPERVISED": "1"]) { $1 }
        environment.merge(variables) { $1 }
        return ChildSpecification(
            name: name, executable: { executable.current() }, shownAs: "signalbox", arguments: arguments, environment: environment)
    }

    /// A service that cannot start is tried again and again, since its reason may go away; the operator is told what it says.
    private func waitForServices(_ services: [String], _ databaseURL: String, since: String) async throws {
        let told = ContinuousClock.now
        var nextWord = told + .seconds(10)
        while true {
            try Task.checkCancellation()
            let missing = try await onThread {
                let connection = try Connection(url: databaseURL, applicationName: "signalbox up")
                return try Stores.missingServices(services, connection, since: since)
            }
            guard !missing.isEmpty else { return }
            if ContinuousClock.now > nextWord {
                nextWord = ContinuousClock.now + .seconds(10)
                keeper.say("waits for " + missing.joined(separator: ", "))
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }
}
