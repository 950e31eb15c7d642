import ArgumentParser
import Store

struct AccessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access", abstract: "From where, and through which connectors, an account may log in.",
        subcommands: [Add.self, List.self, Remove.self])

    private struct View: Encodable {
        var username: String
        var access: AccountView.Access
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Allow an account to log in.",
            discussion: "`--network 0.0.0.0/0 --connector '*'` allows it from everywhere, IPv6 included.")
        @Argument(help: "Login name.") var name: String
        @Option(help: ArgumentHelp("IPv4 or IPv6 network.", valueName: "ADDRESS/WIDTH"), transform: networkArgument)
        var network: IPNetwork
        @Option(help: "An incoming connector, or '*' for all.") var connector: String
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let id = try store.withConnection {
                if connector != "*" { try AccountStore.checkAccessConnector($0, connector) }
                return try AccountStore.addAccess($0, username: name, network: network, connector: connector, by: commandUser())
            }
            try output.print(["accessid": id], text: "Access row \(id): \(name) from \(network.canonical) through \(connector).")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "The access rows of an account, or all.")
        @Argument(help: "Login name.") var name: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let rows = try store.withConnection { try AccountStore.listAccess($0, username: name) }
                .map { View(username: $0.username, access: AccountView.Access($0.row)) }
            var table = TextTable(["ID", "ACCOUNT", "NETWORK", "CONNECTOR"], empty: "There are no access rows.")
            for row in rows { table.add(["\(row.access.accessid)", row.username, row.access.network, row.access.connector]) }
            try output.print(["access": rows], text: table.text)
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove an access row.")
        @Argument(help: "Its id.") var id: Int64
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            try store.withConnection { try AccountStore.removeAccess($0, id: id, by: commandUser()) }
            try output.print(["removed": id], text: "Removed access row \(id).")
        }
    }
}
