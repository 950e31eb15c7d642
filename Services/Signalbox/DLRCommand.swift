import ArgumentParser
import Store

struct DLRCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlr", abstract: "Delivery reports: awaited ones, orphans, and reports made by hand.",
        subcommands: [Open.self, Orphans.self, Inject.self])

    struct Open: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "open", abstract: "Messages whose report is awaited, oldest first.")
        @Option(help: "Only of this connector.") var connector: String?
        @Option(help: "At most so many.") var limit = 100
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws { try checkLimit(limit) }

        func run() throws {
            let rows = try store.withConnection { try ReportStore.open($0, connector: connector, limit: limit) }
            var table = TextTable(["MESSAGE", "PART", "CONNECTOR", "SMSCID", "SINCE", "EXPIRES"], empty: "No report is awaited.")
            for row in rows {
                table.add([
                    row.msgid, "\(row.part)/\(row.parts)", row.connector, row.smscid, timeText(row.openedAt), timeText(row.expiresAt),
                ])
            }
            try output.print(["open": rows], text: table.text)
        }
    }

    struct Orphans: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "orphans", abstract: "Receipts that name no message of ours, newest first.",
            discussion: "For ORPHANTIME (an hour) a receipt waits for its submission, in case it came early; then it stays here for people."
        )
        @Option(help: "Only from this connector.") var connector: String?
        @Option(help: "At most so many.") var limit = 100
        @Option(help: "Forget those that came before then.", transform: timeArgument) var clearBefore: Int64?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws { try checkLimit(limit) }

        func run() throws {
            if let clearBefore {
                let gone = try store.withConnection { try ReportStore.clearOrphans($0, before: clearBefore, by: commandUser()) }
                return try output.print(["cleared": gone], text: "Forgot \(gone) orphans.")
            }
            let rows = try store.withConnection { try ReportStore.orphans($0, connector: connector, limit: limit) }
            var table = TextTable(
                ["RECEIVED", "CONNECTOR", "SMSCID", "NUMBER", "STATUS", "ERROR", "STATE"], empty: "There are no orphans.")
            for row in rows {
                table.add([
                    timeText(row.receivedAt), row.connector, row.smscid, row.number, row.status, row.error,
                    row.isWaiting ? "waits for its submission" : "orphan",
                ])
            }
            try output.print(["orphans": rows], text: table.text)
        }
    }

    struct Inject: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "inject", abstract: "Report on a message by hand, as if its provider had.",
            discussion: "Names the message by our id (--id), or by its provider's (--connector and --smscid).")
        @Option(help: "Message id, as the client was given it.") var id: Int64?
        @Option(help: "The provider's connector.") var connector: String?
        @Option(help: "The provider's message id.") var smscid: String?
        @Option(help: "DELIVERED, FAILED, EXPIRED, DELETED, UNDELIVERABLE, REJECTED, UNKNOWN, or BUFFERED, which is no end.")
        var status: String
        @Option(help: "The provider's error code.") var error: String?
        @Option(help: "Why, in words.") var text: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard InjectedReport.states.contains(status.uppercased()) else {
                throw ValidationError("--status is one of \(InjectedReport.states.joined(separator: ", "))")
            }
            guard (id != nil) != (connector != nil && smscid != nil) else {
                throw ValidationError("name the message by --id, or by --connector and --smscid")
            }
        }

        func run() throws {
            let open = try store.withConnection {
                try ReportStore.open($0, msgid: id, connector: id == nil ? connector : nil, smscid: id == nil ? smscid : nil, limit: 300)
            }
            guard let first = open.first else {
                throw StoreError.notFound("open report for \(id.map { "message \($0)" } ?? "\(smscid ?? "") of \(connector ?? "")")")
            }
            try InjectedReport.send(
                msgid: id, connector: first.connector, smscid: id == nil ? smscid ?? "" : first.smscid, state: status.uppercased(),
                error: error, text: text, kafka: try store.kafka())
            let messages = Set(open.map(\.msgid)).sorted()
            try output.print(
                ["msgid": messages], text: "Reported \(status.uppercased()) on \(messages.joined(separator: ", ")).")
        }
    }
}
