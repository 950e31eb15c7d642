import Configuration
package import Database
import Store

/// What of a message's content the log keeps: by connector (DISABLE_MESSAGEBODY, DISABLE_MESSAGEOPTION) and by account (`logbody`).
package struct LogPolicy: Sendable, Equatable {
    package enum Form: String, Sendable {
        case plain, none, encrypted
    }

    /// The general keywords, for connectors that say nothing.
    var general = LogOptions(disablesBody: false, disablesOptions: false)
    /// Of connectors that say something.
    var connectors: [String: LogOptions] = [:]
    /// Of accounts that want something else than `plain`.
    var accounts: [String: Form] = [:]

    package init() {}

    package init(_ connection: Connection) throws {
        general = LogOptions(
            disablesBody: try Self.flag(connection, "DISABLE_MESSAGEBODY"),
            disablesOptions: try Self.flag(connection, "DISABLE_MESSAGEOPTION"))
        for connector in try ConnectorStore.load(connection).connectors where connector.log != LogOptions() {
            connectors[connector.name] = connector.log
        }
        for row in try connection.query("SELECT username, logbody FROM emguser WHERE logbody <> 'plain'") {
            // A word of a later version is not taken for leave to write in the clear.
            accounts[try row.text(0)] = Form(rawValue: try row.text(1)) ?? Form.none
        }
    }

    /// A bare keyword means yes.
    private static func flag(_ connection: Connection, _ key: String) throws(DatabaseError) -> Bool {
        (try ConnectorStore.general(connection, key)).map { !["0", "no", "false", "off"].contains($0.lowercased()) } ?? false
    }

    /// Everything is kept of everybody.
    var isTrivial: Bool {
        accounts.isEmpty && connectors.isEmpty && general.disablesBody != true && general.disablesOptions != true
    }

    package var encryptedAccounts: Int { accounts.values.count { $0 == .encrypted } }

    func disablesBody(_ connector: String) -> Bool {
        !connector.isEmpty && (connectors[connector]?.disablesBody ?? general.disablesBody ?? false)
    }

    func disablesOptions(_ connector: String) -> Bool {
        !connector.isEmpty && (connectors[connector]?.disablesOptions ?? general.disablesOptions ?? false)
    }

    /// Empty = not known (yet).
    func form(account: String, inConnector: String, outConnector: String) -> Form {
        if disablesBody(inConnector) || disablesBody(outConnector) { return .none }
        return accounts[account] ?? .plain
    }

    func logsOptions(inConnector: String, outConnector: String) -> Bool {
        !disablesOptions(inConnector) && !disablesOptions(outConnector)
    }
}
