import ArgumentParser
import Foundation
import Store

struct RouteImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Add routes from a CSV file: all of them, or none where one is wrong.",
        discussion: "The first line names the columns, of these: \(RouteImport.columns.joined(separator: ", ")).")
    /// A hundred thousand routes are some megabytes.
    private static let maximumFileOctets = 256 * 1_024 * 1_024
    /// More faults than that are one fault: it is the wrong file.
    private static let shownFaults = 1_000

    @Argument(help: "A CSV file in UTF-8.") var file: String
    @Flag(help: "Remove all routes that were entered by hand or imported before.") var replace = false
    @Flag(help: "Only check.") var dryRun = false
    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        guard let data = FileManager.default.contents(atPath: file) else { throw CommandFailure("cannot read \(file)") }
        guard data.count <= Self.maximumFileOctets else { throw CommandFailure("\(file) is too large") }
        guard let text = String(data: data, encoding: .utf8) else { throw CommandFailure("\(file) is not UTF-8 text") }
        var (rows, faults) = RouteImport.parse(text)
        let isSound = faults.isEmpty
        faults += try store.withConnection { connection in
            isSound && !dryRun
                ? try RouteStore.addAll(connection, rows, replacing: replace, by: commandUser())
                : try RouteStore.check(connection, rows)
        }
        // In the order of the file, each once: what cannot be read may be told a second time as what makes no sense.
        var told: Set<String> = []
        faults = faults.filter { told.insert("\($0.line) \($0.message)").inserted }
        faults.sort { $0.line < $1.line }
        guard faults.isEmpty else {
            for fault in faults.prefix(Self.shownFaults) { printError("\(file): line \(fault.line): \(fault.message)") }
            throw CommandFailure("\(file): \(faults.count) errors; nothing was imported")
        }
        struct Answer: Encodable {
            var routes: Int
            var imported: Bool
        }
        try output.print(
            Answer(routes: rows.count, imported: !dryRun),
            text: dryRun ? "\(file): \(rows.count) routes, no errors; nothing was imported." : "Imported \(rows.count) routes.")
    }
}
