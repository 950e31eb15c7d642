import ArgumentParser
import Configuration
import Database
import Store

struct ConnectorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connector", abstract: "The connectors that `config apply` described.", subcommands: [List.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "All connectors with their open sessions.")
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        private struct View: Encodable {
            var name: String
            var type: String
            var `protocol`: String
            var address: String
            var mode: String
            var instances: Int
            var isStatic: Bool
            var windowsize: String
            var disabled: Bool
            var sessions: Int64

            enum CodingKeys: String, CodingKey {
                case name, type, `protocol`, address, mode, instances, windowsize, disabled, sessions
                case isStatic = "static"
            }
        }

        func run() throws {
            let (loaded, sessions) = try store.withConnection { connection in
                (try ConnectorStore.load(connection), try ConnectorStore.openSessions(connection))
            }
            for diagnostic in loaded.diagnostics where diagnostic.severity == .error { printError("\(diagnostic)") }
            let views = loaded.connectors.map { connector in
                View(
                    name: connector.name, type: connector.direction.rawValue, protocol: connector.protocolName,
                    address: connector.addressText, mode: connector.mode.rawValue, instances: connector.instances,
                    isStatic: connector.isStatic, windowsize: windowText(connector.windowSize), disabled: connector.isDisabled,
                    sessions: sessions[connector.name] ?? 0)
            }
            var table = TextTable(
                ["NAME", "TYPE", "PROTOCOL", "ADDRESS", "MODE", "WINDOW", "SESSIONS", "STATE"], empty: "There are no connectors.")
            for view in views {
                table.add([
                    view.name, view.type, view.protocol, view.address, view.mode, view.windowsize, "\(view.sessions)/\(view.instances)",
                    view.disabled ? "stopped" : "on",
                ])
            }
            try output.print(["connectors": views], text: table.text)
        }

        private func windowText(_ size: ConnectorConfiguration.WindowSize) -> String {
            switch size {
            case .fixed(let number): "\(number)"
            case .automatic: "auto"
            }
        }
    }
}
