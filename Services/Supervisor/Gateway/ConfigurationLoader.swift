import Configuration
import Database
import Foundation
import Pricing
import Store

/// Brings what `--config` and `--demo` describe into the database, before the services start.
struct ConfigurationLoader: Sendable {
    private static let actor = "up"

    let options: UpOptions
    let ports: Ports
    let say: @Sendable (String) -> Void

    /// - Throws: `UpError` with every fault of the file, by line; nothing is changed then.
    func load(_ connection: Connection) throws {
        guard options.configuration != nil || options.demo else { return }
        var file: ConfigurationFile
        var files: RoutingFileContents?
        if let path = options.configuration { (file, files) = try read(path) } else { file = try ConnectorStore.file(connection) }
        var demo: String?
        if options.demo {
            let text = DemoConfiguration.text(smppPort: ports.smpp, httpPort: ports.web, smscPort: ports.smsc)
            demo = text
            // What is unchanged since the last start is not laid over what an operator did to it meanwhile.
            let last = try? String(contentsOfFile: options.data.demoConfiguration, encoding: .utf8)
            merge(ConfigurationFile.check(text).file, into: &file, replacing: last != text || options.configuration != nil)
        }
        let difference = try ConnectorStore.apply(
            connection, file, files: files, accountFiles: try accountFiles(connection, file), by: Self.actor)
        // The sections; `config show` tells the rest.
        for line in difference.lines where !line.hasPrefix(" ") { say("configuration: \(line)") }
        if let demo {
            try loadDemoAccount(connection)
            try DataDirectory.write(Array(demo.utf8), to: options.data.demoConfiguration, mode: 0o600)
        }
    }

    private func read(_ path: String) throws -> (ConfigurationFile, RoutingFileContents) {
        let (file, _, found) = ConfigurationFile.check(try text(of: path))
        // Names are relative to the configuration's own directory.
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent()
        let files = RoutingFileContents.read(file) { try text(of: URL(fileURLWithPath: $0, relativeTo: directory).path) }
        let diagnostics = found + files.diagnostics
        let errors = diagnostics.filter { $0.severity == .error }
        guard errors.isEmpty else { throw UpError(errors.map { "\(path): \($0)" }.joined(separator: "\n")) }
        for warning in diagnostics { say("\(path): \(warning)") }
        return (file, files.contents)
    }

    /// The files that accounts name, by names relative to the configuration's directory. A fault of theirs is told and leaves what was
    /// read before: nobody could mend an account while the gateway does not start.
    private func accountFiles(_ connection: Connection, _ configuration: ConfigurationFile) throws -> [AccountFile]? {
        guard let path = options.configuration else { return nil }
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent()
        let (files, faults) = AccountFile.read(try AccountFileStore.references(connection)) {
            try text(of: URL(fileURLWithPath: $0, relativeTo: directory).path)
        }
        let problems = faults + (try AccountFileStore.problems(connection, files, configuration: configuration))
        for problem in problems { say("\(problem); the rows of accounts' files stay as they were") }
        return problems.isEmpty ? files : nil
    }

    private func text(of path: String) throws -> String {
        do { return try String(contentsOfFile: path, encoding: .utf8) } catch {
            throw UpError("\(path) cannot be read: \(error.localizedDescription)")
        }
    }

    private func merge(_ demo: ConfigurationFile, into file: inout ConfigurationFile, replacing: Bool) {
        for section in demo.sections {
            if let index = file.sections.firstIndex(where: { $0.kind == section.kind && $0.name == section.name }) {
                if replacing { file.sections[index] = section }
            } else {
                file.sections.append(section)
            }
        }
    }

    /// Once: an account that is there keeps its balance, its access rows, its routes and its prices as they are.
    private func loadDemoAccount(_ connection: Connection) throws {
        // The file is written last of all: without it a first start was interrupted, and what is missing is made now.
        guard !FileManager.default.fileExists(atPath: options.data.demoConfiguration) else { return }
        if try RouteStore.load(connection).allSatisfy({ $0.outConnector != DemoConfiguration.provider }) {
            _ = try RouteStore.add(connection, RouteRow(prefix: "", outConnector: DemoConfiguration.provider, note: "demo"), by: Self.actor)
        }
        if try PriceStore.load(connection).isEmpty {
            for (prefix, charge, cost) in DemoConfiguration.prices {
                _ = try PriceStore.add(
                    connection, PriceRow(prefix: prefix, charge: Money(parsing: charge), cost: Money(parsing: cost)), by: Self.actor)
            }
        }
        if try AccountStore.find(connection, username: DemoAccount.name) == nil {
            var changes = AccountStore.Changes()
            changes.password = DemoAccount.password
            changes.fullName = "The demo's account"
            try AccountStore.add(
                connection, username: DemoAccount.name, balance: Money(parsing: DemoAccount.balance), changes: changes,
                by: Self.actor)
        }
        if let anywhere = IPNetwork("0.0.0.0/0") {
            _ = try AccountStore.addAccess(
                connection, username: DemoAccount.name, network: anywhere, connector: "*", by: Self.actor)
        }
        say("made the account \(DemoAccount.name) with a balance of \(DemoAccount.balance) EUR, a route and prices")
    }
}
