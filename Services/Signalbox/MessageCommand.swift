import ArgumentParser
import Pricing
import ServiceKit
import Store

struct MessageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "message", abstract: "What became of a message.", subcommands: [Show.self, Search.self])

    struct Search: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "search", abstract: "Messages in the log, the newest first.",
            discussion: "Looks back 24 hours unless --from says otherwise.")
        @Option(help: "Of this account.") var account: String?
        @Option(help: "From or to this number; 4670* for how it begins.") var number: String?
        @Option(help: "In this state (DELIVERED, FAILED, ...; see docs/status.md); may be given several times.") var status: [String] = []
        @Option(help: "Accepted from then on (UTC).", transform: timeArgument) var from: Int64?
        @Option(help: "Accepted before then (UTC).", transform: timeArgument) var until: Int64?
        @Flag(help: "Delivery reports too.") var reports = false
        @Option(help: "At most so many.") var limit = 50
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        private static let statuses: [String: Int64] = Dictionary(
            (1...17).map { (LoggedMessage.statusName($0), $0) }, uniquingKeysWith: { first, _ in first })

        func validate() throws {
            for word in status where Self.statuses[word.uppercased()] == nil { throw ValidationError("there is no state \(word)") }
            guard (1...100_000).contains(limit) else { throw ValidationError("--limit lies between 1 and 100000") }
        }

        func run() throws {
            let now = wallClockMilliseconds()
            var search = MessageSearch(from: from ?? (until ?? now) - 86_400_000, until: until ?? now + 60_000, limit: limit)
            search.account = account
            search.number = number
            search.statuses = status.compactMap { Self.statuses[$0.uppercased()] }
            search.includesReports = reports
            let messages = try store.withConnection { try search.run($0) }
            var table = TextTable(
                ["MESSAGE", "ACCEPTED", "ACCOUNT", "FROM", "TO", "STATUS", "OUT", "CHARGE", "REASON"], empty: "No message fits.")
            for message in messages {
                table.add([
                    String(message.msgid), timeText(message.acceptedAt), message.account ?? "-", message.source ?? "-",
                    message.destination ?? "-", LoggedMessage.statusName(message.status), message.outConnector ?? "-",
                    message.charge?.description ?? "-", MessageText.printable(message.reasonText ?? ""),
                ])
            }
            try output.print(["messages": messages], text: table.text)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "The whole story of a message: every stage with its time, the money, and the reports.")
        @Argument(help: "Message id, as the client was given it.") var id: Int64
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let keys = try store.bodyKeys()
            guard let story = try store.withConnection({ try MessageStore.show($0, msgid: id, keys: keys) }) else {
                throw StoreError.notFound("message \(id) in the log (a message appears there within a second or so)")
            }
            try output.print(story, text: MessageText.text(story))
        }
    }
}

/// A message's story for a terminal.
enum MessageText {
    static func text(_ story: MessageStory) -> String {
        let message = story.message
        var lines = ["message   \(message.msgid)  \(LoggedMessage.statusName(message.status))"]
        func add(_ label: String, _ value: String?) {
            guard let value, !value.isEmpty else { return }
            lines.append(label + String(repeating: " ", count: max(1, 10 - label.count)) + value)
        }
        add("from", message.source)
        add("to", message.destination)
        add("account", message.account)
        add("way", [message.inConnector, message.outConnector].compactMap { $0 }.joined(separator: " -> "))
        add("smscid", message.smscid)
        if let text = story.body?.text {
            let parts = message.parts.map { $0 == 1 ? ", 1 part" : ", \($0) parts" } ?? ""
            add("text", "\"\(printable(text))\" (\(story.body?.charcode ?? "?")\(parts))")
        }
        if let missing = story.body?.missing { add("text", "(\(missing))") }
        add("original", message.originalID.map(String.init))
        for (label, time) in [
            ("accepted", message.acceptedAt), ("routed", message.routedAt), ("priced", message.pricedAt),
            ("submitted", message.submittedAt), ("answered", message.answeredAt), ("reported", message.reportedAt),
            ("ended", message.endedAt),
        ] {
            guard let time else { continue }
            add(label, timeText(time) + (message.acceptedAt.map { label == "accepted" ? "" : "  +\(time - $0) ms" } ?? ""))
        }
        add("charge", money(message.charge, message.currency, message.chargePriceID))
        add("cost", money(message.cost, message.currency, message.costPriceID))
        for booking in story.bookings {
            add(
                "booked",
                "\(booking.amount) (\(booking.word)\(booking.note.map { ": \(printable($0))" } ?? ""))"
                    + (booking.balanceAfter.map { ", balance then \($0)" } ?? ""))
        }
        if let reason = message.reason, reason != 0 || message.reasonText != nil {
            add("reason", "\(reason)" + (message.reasonText.map { " \(printable($0))" } ?? ""))
        } else {
            add("reason", message.reasonText.map(printable))
        }
        add("note", message.note.map(printable))
        for (name, value) in story.options.sorted(by: { $0.key < $1.key }) { add("option", "\(name)=\(printable(value))") }
        for report in story.reports {
            let times = [("made", report.acceptedAt), ("delivered", report.endedAt)].compactMap { label, time in
                time.map { "\(label) \(timeText($0))" }
            }
            add("report", ([String(report.msgid), LoggedMessage.statusName(report.status)] + times).joined(separator: "  "))
        }
        return lines.joined(separator: "\n")
    }

    private static func money(_ amount: Money?, _ currency: String?, _ priceID: Int64?) -> String? {
        amount.map { "\($0)\(currency.map { " \($0)" } ?? "")" + (priceID.map { " (price \($0))" } ?? "") }
    }

    /// A stranger's text must not move the cursor of the operator's terminal.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? Unicode.Scalar(0x2423) ?? $0 : $0 }))
    }
}
