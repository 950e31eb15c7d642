import ArgumentParser
import Configuration
import Database
import Foundation
import Store

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check, apply and show a configuration in server.cfg syntax.",
        subcommands: [Check.self, Apply.self, Show.self])

    /// Far more than any real configuration; what is larger is some other file.
    private static let maximumFileOctets = 16 * 1_024 * 1_024

    static func read(_ path: String) throws -> String {
        guard let file = FileHandle(forReadingAtPath: path), let data = try? file.read(upToCount: maximumFileOctets + 1) ?? Data() else {
            throw CommandFailure("cannot read \(path)")
        }
        guard data.count <= maximumFileOctets else { throw CommandFailure("\(path) is too large to be a configuration") }
        guard let text = String(data: data, encoding: .utf8) else { throw CommandFailure("\(path) is not UTF-8 text") }
        return text
    }

    /// The files that a configuration names (BLACKLIST, WHITELIST, ROUTING), by names relative to its own directory.
    static func readFiles(
        of configuration: ConfigurationFile, at path: String
    ) -> (contents: RoutingFileContents, diagnostics: [ConfigurationDiagnostic]) {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent()
        return RoutingFileContents.read(configuration) { name in try read(URL(fileURLWithPath: name, relativeTo: directory).path) }
    }

    /// The files that accounts name (`emguser.routing`, `emguser.charges`), likewise.
    static func readAccountFiles(
        _ connection: Connection, for configuration: ConfigurationFile, at path: String
    ) throws -> (files: [AccountFile], faults: [String]) {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent()
        let (files, faults) = AccountFile.read(try AccountFileStore.references(connection)) { name in
            try read(URL(fileURLWithPath: name, relativeTo: directory).path)
        }
        return (files, faults + (try AccountFileStore.problems(connection, files, configuration: configuration)))
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check", abstract: "Report everything wrong with a file; exit status 1 if there is an error.")
        @Argument(help: "A file in server.cfg syntax.") var file: String
        @OptionGroup var output: OutputOptions

        func run() throws {
            let (parsed, connectors, found) = ConfigurationFile.check(try ConfigCommand.read(file))
            let diagnostics = found + ConfigCommand.readFiles(of: parsed, at: file).diagnostics
            struct Answer: Encodable {
                var file: String
                var errors: Int
                var warnings: Int
                var diagnostics: [ConfigurationDiagnostic]
                var connectors: [String]
            }
            let errors = diagnostics.count { $0.severity == .error }
            let lines = diagnostics.map { "\(file): \($0)" }
            if !output.json { for line in lines { printError(line) } }
            try output.print(
                Answer(
                    file: file, errors: errors, warnings: diagnostics.count - errors, diagnostics: diagnostics,
                    connectors: connectors.map(\.name)),
                text: "\(file): \(errors) errors, \(diagnostics.count - errors) warnings, \(connectors.count) sound connectors")
            if errors > 0 { throw ExitCode(1) }
        }
    }

    struct Apply: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "apply", abstract: "Make a file the configuration; running services follow at once.",
            discussion: "Shows what changes (+ comes, - goes). What the file does not name is removed. Nothing changes if it has an error.")
        @Argument(help: "A file in server.cfg syntax.") var file: String
        @Flag(help: "Only show what would change.") var dryRun = false
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let (parsed, _, found) = ConfigurationFile.check(try ConfigCommand.read(file))
            let files = ConfigCommand.readFiles(of: parsed, at: file)
            let diagnostics = found + files.diagnostics
            for diagnostic in diagnostics { printError("\(file): \(diagnostic)") }
            let errors = diagnostics.count { $0.severity == .error }
            guard errors == 0 else { throw CommandFailure("\(file) has \(errors) errors; nothing was applied") }
            let (difference, rows) = try store.withConnection { connection in
                let difference = try ConnectorStore.difference(connection, parsed)
                let (accountFiles, faults) = try ConfigCommand.readAccountFiles(connection, for: parsed, at: file)
                for fault in faults { printError(fault) }
                guard faults.isEmpty else {
                    throw CommandFailure(
                        "files that accounts name have \(faults.count) errors; nothing was applied "
                            + "(`account set NAME --set routing=` or `--set charges=` does without)")
                }
                let rows =
                    try RoutingFileStore.difference(connection, files.contents)
                    + AccountFileStore.difference(connection, accountFiles)
                // First what is about to change, then the change.
                if !output.json { for line in difference.lines + rows { print(line) } }
                guard !dryRun else { return (difference, rows) }
                return (
                    try ConnectorStore.apply(connection, parsed, files: files.contents, accountFiles: accountFiles, by: commandUser()), rows
                )
            }
            struct Answer: Encodable {
                var applied: Bool
                var changes: ConfigurationDifference
                var files: [String]
                var warnings: [ConfigurationDiagnostic]
            }
            let conclusion = difference.isEmpty && rows.isEmpty ? "Nothing to change." : dryRun ? "Nothing was applied." : "Applied."
            try output.print(
                Answer(applied: !dryRun, changes: difference, files: rows, warnings: diagnostics), text: conclusion)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Print a file as it is understood, or the applied configuration; passwords as ***.")
        @Argument(help: "A file in server.cfg syntax; without it, what the database holds.") var file: String?
        @OptionGroup var store: StoreOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let configuration: ConfigurationFile
            if let file {
                let (parsed, diagnostics) = ConfigurationParser.parse(try ConfigCommand.read(file))
                for diagnostic in diagnostics { printError("\(file): \(diagnostic)") }
                configuration = parsed
            } else {
                configuration = try store.withConnection { try ConnectorStore.file($0) }
            }
            struct Entry: Encodable {
                var key: String
                var value: String?
            }
            struct Section: Encodable {
                var kind: String
                var name: String
                var entries: [Entry]
            }
            struct Answer: Encodable {
                var general: [Entry]
                var sections: [Section]
            }
            func entries(_ entries: [ConfigurationEntry]) -> [Entry] { entries.map { Entry(key: $0.key, value: $0.printableValue) } }
            try output.print(
                Answer(
                    general: entries(configuration.general),
                    sections: configuration.sections.map { Section(kind: $0.kind.rawValue, name: $0.name, entries: entries($0.entries)) }),
                text: configuration.rendered(hidingSecrets: true))
        }
    }
}
