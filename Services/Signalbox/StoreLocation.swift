import ArgumentParser
import Database
import Foundation
import Store

/// Where the database and Kafka are: from a running `up`, or from the environment. For every command that needs one.
///
/// `--data DIR` given explicitly wins; then the variables SIGNALBOX_DATABASE_URL and SIGNALBOX_KAFKA; then the
/// `up` of `./.signalbox`.
struct StoreOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Data directory of a running `up` (default: ./.signalbox).", valueName: "DIR"))
    var data: String?

    static let defaultDirectory = "./.signalbox"

    func databaseURL() throws -> String {
        try locate("SIGNALBOX_DATABASE_URL") { $0.databaseURL }
    }

    /// `host:port[,host:port]`
    func kafka() throws -> String {
        try locate("SIGNALBOX_KAFKA") { $0.kafka }
    }

    private func locate(_ variable: String, _ part: (UpState) -> String?) throws -> String {
        if data == nil, let value = ProcessInfo.processInfo.environment[variable], !value.isEmpty { return value }
        let directory = data ?? Self.defaultDirectory
        let path = directory + "/up.json"
        guard let contents = FileManager.default.contents(atPath: path) else {
            let hint = data == nil ? ", or set \(variable)" : ""
            throw CommandFailure(
                "no gateway is running in \(directory) (there is no \(path)): start one with `signalbox up`, name its directory with --data\(hint)"
            )
        }
        guard let state = try? JSONDecoder().decode(UpState.self, from: contents), let value = part(state) else {
            throw CommandFailure("\(path) cannot be read")
        }
        return value
    }

    /// What `up` leaves in its data directory; other tools may add to it.
    private struct UpState: Decodable {
        var databaseURL: String?
        var kafka: String?

        enum CodingKeys: String, CodingKey {
            case databaseURL = "database_url"
            case kafka
        }
    }

    /// The keys of encrypted texts, where they are at hand: SIGNALBOX_BODY_KEY_FILE, else those that `up` keeps in its directory.
    func bodyKeys() throws -> BodyKeys? {
        if let path = ProcessInfo.processInfo.environment[BodyKeys.variable], !path.isEmpty { return try BodyKeys.load(path: path) }
        let path = (data ?? Self.defaultDirectory) + "/body.keys"
        return FileManager.default.isReadableFile(atPath: path) ? try BodyKeys.load(path: path) : nil
    }

    /// Runs `body` with a connection to the database.
    func withConnection<T>(_ body: (Connection) throws -> T) throws -> T {
        let url = try databaseURL()
        do {
            return try body(try Connection(url: url, applicationName: "signalbox command"))
        } catch let error as DatabaseError where error.isUndefinedTable {
            throw CommandFailure("the database \(ConnectionURL.printable(url)) has no schema yet, or an old one: run `signalbox migrate`")
        } catch let error as DatabaseError where error.kind == .connection {
            throw CommandFailure("cannot work with the database \(ConnectionURL.printable(url)): \(error)")
        }
    }
}

/// A failure in words for the person at the terminal; exit status 1.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Who gave the command, for the audit and the balance history.
func commandUser() -> String { "cli:" + NSUserName() }
