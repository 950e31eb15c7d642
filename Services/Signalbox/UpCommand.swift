import ArgumentParser
import Foundation
import Supervisor

/// `signalbox up`: the whole gateway on this machine.
struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Run everything on this machine, supervised.",
        discussion: """
            Starts PostgreSQL and the broker in the data directory (unless SIGNALBOX_DATABASE_URL and SIGNALBOX_KAFKA say where they
            are), brings the schema up to date, applies the configuration, runs every service, and starts again what ends. Ctrl-C stops
            all of it in order; the next `up` on the same directory continues.

            --port-base N fixes the ports: PostgreSQL N, broker N+1, simulated SMSC N+2, the demo's SMPP N+5, health and metrics of the
            services from N+10 on. Without it free ports are chosen and remembered, and the demo's SMPP listens on 2775.
            """)

    @Option(help: ArgumentHelp("Configuration in server.cfg syntax, applied at the start.", valueName: "server.cfg"))
    var config: String?
    @Option(help: ArgumentHelp("Where everything is kept.", valueName: "DIR"))
    var data: String = "./.signalbox"
    @Option(help: ArgumentHelp("The first of the gateway's ports.", valueName: "N"))
    var portBase: Int?
    @Flag(help: "Also load the demo: an SMPP connector, the account demo/secret, routes, prices and a simulated SMSC.")
    var demo = false

    // What tests of faults need: to stand between the services and their stores, and to know what a power cut leaves.
    @Option(help: ArgumentHelp("HOST:PORT at which the services find the database.", visibility: .hidden))
    var databaseVia: String?
    @Option(help: ArgumentHelp("HOST:PORT at which the services find the broker.", visibility: .hidden))
    var brokerVia: String?
    @Option(help: ArgumentHelp("A file in which the broker writes down every sync.", visibility: .hidden))
    var brokerSyncLog: String?

    func run() async throws {
        let variables = ProcessInfo.processInfo.environment
        var options = try UpOptions(
            configuration: config, data: DataDirectory(data), portBase: portBase, demo: demo,
            databaseURL: variables["SIGNALBOX_DATABASE_URL"], kafka: variables["SIGNALBOX_KAFKA"])
        options.detours = UpOptions.Detours(database: databaseVia, broker: brokerVia, brokerSyncLog: brokerSyncLog)
        try await Up.run(options)
    }
}
