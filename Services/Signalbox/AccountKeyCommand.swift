import ArgumentParser
import Store

extension AccountCommand {
    /// `signalbox account key`: what programs log in with over HTTP.
    struct Key: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "key", abstract: "Keys that an account's programs log in with over HTTP.",
            subcommands: [Add.self, List.self, Revoke.self])

        private struct View: Encodable {
            var id: Int64
            var username: String
            var name: String
            var hint: String
            var created_ms: Int64
            var last_used_ms: Int64?
            var revoked_ms: Int64?
            /// Only where it was made just now.
            var key: String?

            init(_ stored: APIKey, key: String? = nil) {
                id = stored.id
                username = stored.username
                name = stored.name
                hint = stored.hint
                created_ms = stored.created
                last_used_ms = stored.lastUsed
                revoked_ms = stored.revoked
                self.key = key
            }
        }

        struct Add: ParsableCommand {
            static let configuration = CommandConfiguration(
                commandName: "add", abstract: "Make a key. It is shown this once; only its hash is kept.")
            @Argument(help: "Login name of the account.") var account: String
            @Option(help: "What it is for.") var name: String = ""
            @OptionGroup var store: StoreOptions
            @OptionGroup var output: OutputOptions

            func run() throws {
                let made = try store.withConnection { try APIKeyStore.add($0, username: account, name: name, by: commandUser()) }
                try output.print(View(made.stored, key: made.key), text: made.key)
            }
        }

        struct List: ParsableCommand {
            static let configuration = CommandConfiguration(commandName: "list", abstract: "The keys of an account, or all.")
            @Argument(help: "Login name of the account.") var account: String?
            @OptionGroup var store: StoreOptions
            @OptionGroup var output: OutputOptions

            func run() throws {
                let keys = try store.withConnection { try APIKeyStore.list($0, username: account) }
                var table = TextTable(["ID", "ACCOUNT", "NAME", "ENDS IN", "MADE", "LAST USED", "REVOKED"], empty: "There are no keys.")
                for key in keys {
                    table.add([
                        "\(key.id)", key.username, key.name, key.hint, timeText(key.created), timeText(key.lastUsed), timeText(key.revoked),
                    ])
                }
                try output.print(["keys": keys.map { View($0) }], text: table.text)
            }
        }

        struct Revoke: ParsableCommand {
            static let configuration = CommandConfiguration(
                commandName: "revoke", abstract: "Make a key worthless, within two seconds and for good.")
            @Argument(help: "Its id.") var id: Int64
            @OptionGroup var store: StoreOptions
            @OptionGroup var output: OutputOptions

            func run() throws {
                try store.withConnection { try APIKeyStore.revoke($0, id: id, by: commandUser()) }
                try output.print(["revoked": id], text: "Revoked key \(id).")
            }
        }
    }
}
