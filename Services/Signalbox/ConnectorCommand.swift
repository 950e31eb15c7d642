import ArgumentParser
import Configuration
import Database
import Store
import Supervisor

struct ConnectorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connector", abstract: "The connectors that `config apply` described.",
        subcommands: [List.self, Hold.self, Unhold.self, Bounce.self, Stop.self, Start.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "All connectors with their state, open sessions, queue and rate.")
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
            /// What is in force: stopped, held, bound, connecting, idle; of an incoming connector: on, or stopped.
            var state: String
            /// What an operator ordered: run, hold or stop. The connector follows within a second or so.
            var ordered: String
            /// Messages that wait for it; absent where the broker does not say.
            var queued: Int?
            /// Accepted by the provider per second, of late.
            var rate: Double?
            /// Where the provider asked for a slower pace: messages per second now.
            var throttledTo: Double?
            var detail: String?

            enum CodingKeys: String, CodingKey {
                case name, type, `protocol`, address, mode, instances, windowsize, disabled, sessions, state, ordered, queued, rate, detail
                case isStatic = "static"
                case throttledTo = "throttled_to"
            }
        }

        func run() async throws {
            let (loaded, sessions, states) = try store.withConnection { connection in
                (
                    try ConnectorStore.load(connection), try ConnectorStore.openSessions(connection),
                    try ConnectorControl.summaries(connection)
                )
            }
            for diagnostic in loaded.diagnostics where diagnostic.severity == .error { printError("\(diagnostic)") }
            var queued: [String: Int] = [:]
            if let kafka = try? store.kafka() {
                for connector in await GatewayStatus.read(databaseURL: try store.databaseURL(), kafka: kafka).connectors {
                    queued[connector.name] = connector.queued
                }
            }
            let views = loaded.connectors.map { connector in
                let state = states[connector.name]
                return View(
                    name: connector.name, type: connector.direction.rawValue, protocol: connector.protocolName,
                    address: connector.addressText, mode: connector.mode.rawValue, instances: connector.instances,
                    isStatic: connector.isStatic, windowsize: windowText(connector.windowSize), disabled: connector.isDisabled,
                    sessions: state.map { Int64($0.sessions) } ?? sessions[connector.name] ?? 0, state: stateText(connector, state),
                    ordered: connector.isDisabled ? "stop" : connector.outgoing.isHeld ? "hold" : "run",
                    queued: queued[connector.name], rate: state?.rate, throttledTo: state?.throttledTo,
                    detail: state.flatMap { $0.detail.isEmpty ? nil : $0.detail })
            }
            var table = TextTable(
                ["NAME", "TYPE", "PROTOCOL", "ADDRESS", "MODE", "WINDOW", "SESSIONS", "STATE", "QUEUED", "RATE"],
                empty: "There are no connectors.")
            for view in views {
                table.add([
                    view.name, view.type, view.protocol, view.address, view.mode, view.windowsize, "\(view.sessions)/\(view.instances)",
                    view.state + orderText(view) + (view.detail.map { ": \($0)" } ?? ""), view.queued.map { "\($0)" } ?? "-",
                    view.rate.map { "\(Int($0))/s" + (view.throttledTo.map { " (throttled to \(Int($0)))" } ?? "") } ?? "-",
                ])
            }
            try output.print(["connectors": views], text: table.text)
        }

        private func stateText(_ connector: ConnectorConfiguration, _ state: ConnectorControl.Summary?) -> String {
            guard connector.direction == .outgoing else { return connector.isDisabled ? "stopped" : "on" }
            guard let state else { return connector.isDisabled ? "stopped" : "not running" }
            // Of several instances the one in the best state speaks for all: it is held when all of them hold it.
            return ["bound", "idle", "connecting", "held"].first { state.states.contains($0) } ?? "not running"
        }

        /// An order that is not in force yet.
        private func orderText(_ view: View) -> String {
            switch (view.ordered, view.state) {
            case ("stop", let state) where state != "stopped": " (stop ordered)"
            case ("hold", let state) where state != "held": " (hold ordered)"
            case ("run", "held"): " (unhold ordered)"
            default: ""
            }
        }

        private func windowText(_ size: ConnectorConfiguration.WindowSize) -> String {
            switch size {
            case .fixed(let number): "\(number)"
            case .automatic: "auto"
            }
        }
    }
}
