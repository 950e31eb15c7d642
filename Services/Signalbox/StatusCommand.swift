import ArgumentParser
import Foundation
import Supervisor

/// `signalbox status`: exit status 0 only when every service is healthy.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how the gateway is; exit status 0 only when every service is healthy.")

    @Option(help: ArgumentHelp("The directory of a running `up`.", valueName: "DIR"))
    var data: String?
    @Flag(help: "Print one JSON object.") var json = false

    func run() async throws {
        let status = try await read()
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(status), as: UTF8.self))
        } else {
            print(status.table, terminator: "")
        }
        if !status.healthy { throw ExitCode(1) }
    }

    /// A given directory wins over the environment, which wins over the directory that is there by default.
    private func read() async throws -> GatewayStatus {
        let variables = ProcessInfo.processInfo.environment
        if data == nil, let url = variables["SIGNALBOX_DATABASE_URL"], let kafka = variables["SIGNALBOX_KAFKA"], !url.isEmpty,
            !kafka.isEmpty
        {
            return await GatewayStatus.read(databaseURL: url, kafka: kafka)
        }
        let state = try UpState.read(DataDirectory(data ?? "./.signalbox"))
        return await GatewayStatus.read(
            databaseURL: state.databaseURL, kafka: state.kafka, smscPort: state.smscPort, expected: state.services)
    }
}
