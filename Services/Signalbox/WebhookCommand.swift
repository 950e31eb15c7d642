import ArgumentParser
import Store

/// `signalbox webhook`: where accounts hear of their messages by HTTP, and what could not be told them.
struct WebhookCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook", abstract: "Addresses that reports and messages for clients go to by HTTP.",
        subcommands: [Set.self, Show.self, Remove.self, List.self, Push.self])

    struct View: Encodable {
        var username: String
        var report_url: String?
        var message_url: String?
        var style: String
        var secret: String
        var concurrency: Int?

        init(_ webhook: Webhook) {
            username = webhook.username
            report_url = webhook.reportURL
            message_url = webhook.messageURL
            style = webhook.style.rawValue
            secret = webhook.secret
            concurrency = webhook.concurrency
        }

        var text: String {
            """
            account      \(username)
            reports      \(report_url ?? "-")
            messages     \(message_url ?? "-")
            style        \(style)
            secret       \(secret)
            concurrency  \(concurrency.map(String.init) ?? "the connector's")
            """
        }
    }

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Say where an account hears of its messages; what is not named stays.")
        @Argument(help: "Login name of the account.") var account: String
        @Option(help: "Address for delivery reports; an empty text takes it away.") var url: String?
        @Option(help: "Address for messages from phones; an empty text takes it away.") var messageUrl: String?
        @Option(help: "json (signed), or as emg, kannel or jasmin call their clients.", transform: styleArgument) var style: Webhook.Style?
        @Option(help: "Requests to one server at a time, 1 to 1000.") var concurrency: Int?
        @Flag(help: "Make a new secret for the signatures.") var newSecret = false
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            for (name, text) in [("--url", url), ("--message-url", messageUrl)] {
                guard let text, !text.isEmpty else { continue }
                guard text.utf8.count <= 2_000, text.hasPrefix("http://") || text.hasPrefix("https://") else {
                    throw ValidationError("\(name) begins with http:// or https:// and has at most 2000 characters")
                }
            }
            if let concurrency, !(1...1_000).contains(concurrency) { throw ValidationError("--concurrency lies between 1 and 1000") }
        }

        func run() throws {
            var changes = WebhookStore.Changes()
            changes.reportURL = url
            changes.messageURL = messageUrl
            changes.style = style
            changes.concurrency = concurrency
            changes.newSecret = newSecret
            let webhook = try store.withConnection { try WebhookStore.set($0, username: account, changes, by: commandUser()) }
            try output.print(View(webhook), text: View(webhook).text)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "show", abstract: "The webhook of an account.")
        @Argument(help: "Login name of the account.") var account: String
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            guard let webhook = try store.withConnection({ try WebhookStore.load($0)[account] }) else {
                throw StoreError.notFound("webhook of \(account)")
            }
            try output.print(View(webhook), text: View(webhook).text)
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove the webhook of an account.")
        @Argument(help: "Login name of the account.") var account: String
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            try store.withConnection { try WebhookStore.remove($0, username: account, by: commandUser()) }
            try output.print(["removed": account], text: "Removed the webhook of \(account).")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "What no endpoint took in time and is parked.")
        @Argument(help: "Login name of an account; without one all.") var account: String?
        @Option(help: "How many at most.") var limit = 1_000
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            struct Item: Encodable {
                var id: Int64
                var username: String
                var connector: String
                var msgid: String
                var url: String
                var reason: String
                var parked_ms: Int64
                var expires_ms: Int64
                var pushed: Bool
            }
            let rows = try store.withConnection { try ParkedWebhookStore.list($0, username: account, limit: max(1, limit)) }
            var table = TextTable(["ID", "ACCOUNT", "MESSAGE", "PARKED", "EXPIRES", "ADDRESS", "REASON"], empty: "Nothing is parked.")
            for row in rows {
                table.add([
                    "\(row.id)", row.username, "\(row.msgid)", timeText(row.parked), timeText(row.expires), row.url,
                    row.reason + (row.isPushed ? " (pushed)" : ""),
                ])
            }
            let items = rows.map { row in
                Item(
                    id: row.id, username: row.username, connector: row.connector, msgid: String(row.msgid), url: row.url,
                    reason: row.reason, parked_ms: row.parked, expires_ms: row.expires, pushed: row.isPushed)
            }
            try output.print(["parked": items], text: table.text)
        }
    }

    struct Push: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "push", abstract: "Try what is parked again, within a few seconds.")
        @Argument(help: "Ids, as `list` shows them.") var ids: [Int64] = []
        @Option(help: "All of this account.") var account: String?
        @Flag(help: "Everything that is parked.") var all = false
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard !ids.isEmpty || account != nil || all else { throw ValidationError("name ids, --account, or --all") }
        }

        func run() throws {
            let count = try store.withConnection {
                try ParkedWebhookStore.push($0, username: account, ids: ids.isEmpty ? nil : ids, by: commandUser())
            }
            try output.print(["pushed": count], text: "\(count) will be tried again.")
        }
    }
}

@Sendable private func styleArgument(_ text: String) throws -> Webhook.Style {
    guard let style = Webhook.Style(rawValue: text.lowercased()) else {
        throw ValidationError("\(text): a style is one of \(Webhook.Style.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return style
}
