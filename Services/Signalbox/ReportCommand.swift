import ArgumentParser
import Foundation
import Pricing
import ServiceKit
import Store

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Traffic and money by hour and by month, and whether the books are right.",
        subcommands: [Hourly.self, Monthly.self, Reconcile.self])

    struct Hourly: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "hourly", abstract: "Messages and charges by hour, account, prefix and price (UTC).")
        @Option(help: "From then on (default: 24 hours ago).", transform: timeArgument) var from: Int64?
        @Option(help: "Until then (default: now).", transform: timeArgument) var until: Int64?
        @Option(help: "Only this account.") var account: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let now = wallClockMilliseconds()
            let rows = try store.withConnection { connection in
                try SummaryStore.refresh(connection)
                return try SummaryStore.hours(
                    connection, from: from ?? now - 86_400_000, until: until ?? now + 1, username: account)
            }
            var table = TextTable(
                ["HOUR", "ACCOUNT", "PREFIX", "PRICE", "MESSAGES", "OK", "RELAYED", "FAILED", "PARTS", "CHARGE", "COST"],
                empty: "There were no messages.")
            for row in rows {
                table.add([
                    row.time, row.username.isEmpty ? "-" : row.username, row.prefix.isEmpty ? "*" : row.prefix, "\(row.charge)",
                    "\(row.msgcount)", "\(row.ok)", "\(row.relayed)", "\(row.failed)", "\(row.npdus)", "\(row.chargeSum)", "\(row.costSum)",
                ])
            }
            try output.print(["hours": rows], text: table.text)
        }
    }

    struct Monthly: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "monthly", abstract: "Parts, charges and costs of a month by account; fills EMG's table monthlysummary.")
        @Argument(help: "The month, such as 2026-11.") var month: String
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let rows = try store.withConnection { try SummaryStore.month($0, month) }
            var table = TextTable(["MONTH", "ACCOUNT", "PARTS", "CHARGE", "COST"], empty: "There were no messages in \(month).")
            for row in rows { table.add([row.month, row.username, "\(row.count)", "\(row.charge)", "\(row.cost)"]) }
            try output.print(["months": rows], text: table.text)
        }
    }

    struct Reconcile: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reconcile", abstract: "Compare balances, ledger and message log to the last digit; exit status 1 if they differ.",
            discussion: """
                While messages pass, the log is a moment behind the ledger: a difference counts when it is still there after --settle.
                """)
        @Option(help: ArgumentHelp("How long a difference may take to settle.", valueName: "seconds")) var settle = 5
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (0...3_600).contains(settle) else { throw ValidationError("--settle lies between 0 and 3600") }
        }

        func run() throws {
            let report = try store.withConnection { connection in
                let deadline = wallClockMilliseconds() + Int64(settle) * 1_000
                var report = try ReconcileStore.run(connection, now: wallClockMilliseconds())
                // Only what differs in the same words at the end differed all the time or does so for good.
                while !report.differences.isEmpty, wallClockMilliseconds() < deadline {
                    Thread.sleep(forTimeInterval: 0.5)
                    report = try ReconcileStore.run(connection, now: wallClockMilliseconds())
                }
                return report
            }
            var table = TextTable(
                ["ACCOUNT", "BY", "BALANCE", "LEDGER", "CHARGED (LEDGER)", "CHARGED (LOG)", "UNDER WAY"], empty: "There are no accounts.")
            for line in report.accounts {
                table.add([
                    line.username, line.mechanism, "\(line.balance)", "\(line.ledger)", "\(line.chargedByLedger)", "\(line.chargedByLog)",
                    "\(line.underWay) in \(line.messagesUnderWay) messages",
                ])
            }
            var lines = [table.text]
            for difference in report.differences {
                lines.append("\(difference.username)\(difference.msgid.map { ", message \($0)" } ?? ""): \(difference.what)")
            }
            if report.isCut { lines.append("There are more differences than are listed.") }
            lines += report.misfits.map(\.words)
            lines.append(report.differences.isEmpty ? "Balances, ledger and log agree." : "Balances, ledger and log do NOT agree.")
            try output.print(report, text: lines.joined(separator: "\n"))
            if !report.differences.isEmpty { throw ExitCode(1) }
        }
    }
}
