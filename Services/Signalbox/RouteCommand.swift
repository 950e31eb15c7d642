import ArgumentParser
import Store

struct RouteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "route", abstract: "Which messages go to which connector.", subcommands: [Add.self, List.self, Remove.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Add a route; the most specific one wins.")
        @Option(help: "Destination prefix in digits; empty for every destination.") var prefix: String = ""
        @Option(help: "Connector to send through.") var connector: String
        @Option(help: "Only for this account.") var account: String?
        @Option(name: .customLong("in"), help: "Only for what came in over this connector.") var inConnector: String?
        @Option(help: "Between equals the smaller goes first.") var priority: Int = 0
        @Option(help: "Share among equals.") var weight: Int = 1
        @Option(help: "For people.") var note: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (0...1_000_000).contains(weight) else { throw ValidationError("--weight lies between 0 and 1000000") }
            guard (-1_000_000...1_000_000).contains(priority) else { throw ValidationError("--priority lies between -1000000 and 1000000") }
        }

        func run() throws {
            let route = RouteRow(
                prefix: prefix, account: account, inConnector: inConnector, outConnector: connector, priority: priority, weight: weight,
                note: note)
            let id = try store.withConnection { try RouteStore.add($0, route, by: commandUser()) }
            try output.print(["routeid": id], text: "Route \(id): \(prefix.isEmpty ? "everything" : prefix) to \(connector).")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "All routes.")
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let routes = try store.withConnection { try RouteStore.load($0, includingDisabled: true) }
            var table = TextTable(
                ["ID", "PREFIX", "ACCOUNT", "IN", "OUT", "PRIORITY", "WEIGHT", "STATE", "NOTE"], empty: "There are no routes.")
            for route in routes {
                table.add([
                    "\(route.id)", route.prefix.isEmpty ? "*" : route.prefix, route.account ?? "*", route.inConnector ?? "*",
                    route.outConnector, "\(route.priority)", "\(route.weight)", route.disabled ? "disabled" : "on", route.note ?? "",
                ])
            }
            try output.print(["routes": routes], text: table.text)
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove a route.")
        @Argument(help: "Its id.") var id: Int64
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            try store.withConnection { try RouteStore.remove($0, id: id, by: commandUser()) }
            try output.print(["removed": id], text: "Removed route \(id).")
        }
    }
}
