import ArgumentParser
import Store

/// `signalbox session list|kick`.
struct SessionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "session", abstract: "Who is bound, and where; end sessions.", subcommands: [List.self, Kick.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Open sessions: clients that are bound to us, and providers that we are bound to.")
        @Option(help: "Only those of this account.") var account: String?
        @Option(help: "Only those of this connector.") var connector: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let rows = try store.withConnection { try SessionStore.list($0, SessionStore.Filter(account: account, connector: connector)) }
            var table = TextTable(
                ["SESSION", "KIND", "CONNECTOR", "ACCOUNT", "BIND", "REMOTE", "BOUND", "STATE"], empty: "There are no sessions.")
            for row in rows {
                table.add([
                    row.id, row.kind, row.connector, row.account, row.bind, row.remote, timeText(row.boundAt),
                    row.isKicked ? "is being ended" : "open",
                ])
            }
            try output.print(["sessions": rows], text: table.text)
        }
    }

    struct Kick: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "kick", abstract: "End client sessions in order (unbind), within a second, wherever they are.",
            discussion: "A client may bind again at once: lock its account first where it is not to (`signalbox account lock`).")
        @Argument(help: "One session, by the id that `session list` shows.") var session: String?
        @Option(help: "All sessions of this account.") var account: String?
        @Option(help: "All sessions of this connector.") var connector: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard session != nil || account != nil || connector != nil else {
                throw ValidationError("name a session, or an account or a connector with --account or --connector")
            }
        }

        func run() throws {
            let filter = SessionStore.Filter(id: session, account: account, connector: connector)
            let count = try store.withConnection { try SessionStore.kick($0, filter, by: commandUser()) }
            guard count > 0 else { throw CommandFailure("no such client session is open") }
            try output.print(["kicked": count], text: "\(count) session\(count == 1 ? " is" : "s are") being ended.")
        }
    }
}
