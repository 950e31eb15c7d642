import ArgumentParser
import Foundation
import Pricing
import Store

/// What the imports share.
enum ImportFile {
    /// A million prices and more; what is larger is some other file.
    private static let maximumOctets = 512 * 1_024 * 1_024

    static func read(_ path: String) throws -> [UInt8] {
        guard let file = FileHandle(forReadingAtPath: path), let data = try? file.read(upToCount: maximumOctets + 1) ?? Data() else {
            throw CommandFailure("cannot read \(path)")
        }
        guard data.count <= maximumOctets else { throw CommandFailure("\(path) is larger than \(maximumOctets) octets") }
        return [UInt8](data)
    }

    /// Every fault goes to standard error with its line, or into the answer; then the command fails.
    /// - Parameter second: another file, whose faults begin with a word that is left out then.
    static func refuse(
        _ path: String, _ faults: [LineFault], _ output: OutputOptions, second: (word: String, path: String)? = nil
    ) throws -> Never {
        struct Answer: Encodable {
            var imported = 0
            var faults: [LineFault]
        }
        if output.json {
            try output.print(Answer(faults: faults), text: "")
        } else {
            for fault in faults {
                if let second, fault.what.hasPrefix(second.word) {
                    printError("\(second.path): \(LineFault(line: fault.line, what: String(fault.what.dropFirst(second.word.count))))")
                } else {
                    printError("\(path): \(fault)")
                }
            }
        }
        printError("Error: nothing was imported: \(faults.count) faults")
        throw ExitCode(1)
    }
}

/// A bar on the terminal; nothing where standard error is none.
struct ProgressBar {
    private let total: Int
    private let isShown = isatty(2) == 1
    private static let width = 40

    init(total: Int) { self.total = max(1, total) }

    func show(_ done: Int) {
        guard isShown else { return }
        let filled = min(Self.width, done * Self.width / total)
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
        FileHandle.standardError.write(Data("\r[\(bar)] \(done) of \(total)\(done >= total ? "\n" : "")".utf8))
    }
}

extension PriceCommand {
    /// Charges that never count are named up to so many.
    private static let listedMisfits = 20

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import", abstract: "Add prices from a CSV file; all of them, or none if a line has a fault.",
            discussion: """
                The first line names the columns: \(PriceImport.columns.joined(separator: ", ")). An empty field matches everything, or
                says nothing. Amounts are for one part. Every fault is listed with its line.
                """)
        @Argument(help: "A CSV file.") var file: String
        @Flag(help: "The prices that are there now go.") var replace = false
        @Flag(help: "Only check.") var dryRun = false
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let (rows, faults) = PriceImport.read(try ImportFile.read(file))
            guard faults.isEmpty else { try ImportFile.refuse(file, faults, output) }
            if !dryRun {
                let bar = ProgressBar(total: rows.count)
                let late = try store.withConnection {
                    try PriceImport.apply($0, rows, replacing: replace, by: commandUser(), progress: { bar.show($0) })
                }
                guard late.isEmpty else { try ImportFile.refuse(file, late, output) }
                let misfits = try store.withConnection { try PriceStore.misfits($0, limit: PriceCommand.listedMisfits + 1) }
                for misfit in misfits.prefix(PriceCommand.listedMisfits) { printError("Warning: \(misfit.words)") }
                if misfits.count > PriceCommand.listedMisfits { printError("Warning: there are more charges that never count") }
            }
            try output.print(
                [dryRun ? "sound" : "imported": rows.count],
                text: dryRun ? "\(rows.count) prices are sound." : "Imported \(rows.count) prices.")
        }
    }
}

extension AccountCommand {
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import", abstract: "Take accounts over from a CSV dump of EMG's emguser; all of them, or none.",
            discussion: """
                The first line names emguser's columns. Passwords, in clear text or MD5, are replaced by a hash at the next good login.
                Without access rows (--access, a dump of emguseraccess) nobody can log in.
                """)
        @Argument(help: "A CSV dump of emguser.") var file: String
        @Option(help: ArgumentHelp("A CSV dump of emguseraccess.", valueName: "FILE")) var access: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let users = try ImportFile.read(file)
            let rows = try access.map { try ImportFile.read($0) }
            let done = try store.withConnection { try AccountImport.run($0, users: users, access: rows, by: commandUser()) }
            guard done.faults.isEmpty else {
                try ImportFile.refuse(file, done.faults, output, second: access.map { (word: "access: ", path: $0) })
            }
            let named = try store.withConnection { try AccountFileStore.references($0) }.count
            try output.print(
                ["accounts": done.accounts, "access": done.access],
                text: "Imported \(done.accounts) accounts and \(done.access) access rows."
                    + (named > 0 ? " Accounts name \(named) files (routing, charges): the next `config apply` reads them." : ""))
        }
    }

    struct History: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "history", abstract: "Top-ups and deductions of an account, newest first.")
        @Argument(help: "Login name.") var name: String
        @Option(help: "At most so many.") var limit = 100
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func validate() throws { try checkLimit(limit) }

        private struct Line: Encodable {
            var created_ms: Int64
            var amount_before: String?
            var amount: String
            var created_by: String?
        }

        func run() throws {
            let rows = try store.withConnection { connection in
                guard try AccountStore.find(connection, username: name) != nil else { throw StoreError.notFound("account \(name)") }
                return try LedgerStore.history(connection, username: name, limit: limit)
            }
            var table = TextTable(["TIME", "BEFORE", "AMOUNT", "BY"], empty: "Nothing was topped up.")
            for row in rows { table.add([timeText(row.at), row.before?.description ?? "-", "\(row.amount)", row.by ?? "-"]) }
            try output.print(
                [
                    "history": rows.map {
                        Line(created_ms: $0.at, amount_before: $0.before?.description, amount: $0.amount.description, created_by: $0.by)
                    }
                ],
                text: table.text)
        }
    }
}
