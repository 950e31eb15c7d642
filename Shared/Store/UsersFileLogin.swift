public import Configuration
public import Database
import Foundation

/// Logins to a connector with USERS: who is in the file is checked by the file, anybody else by `emguser` where there is USERDB.
public enum UsersFileLogin {
    /// More is no file of users.
    private static let maxBytes = 16 << 20

    /// The file is read at each login, so that a change acts on the next. A user without an account gets one, postpaid and without a limit:
    /// EMG asks no balance of users of a file. An account's access rows hold where it has any.
    /// - Throws: `StoreError` where the file cannot be read; `DatabaseError`.
    public static func find(
        _ connection: Connection, username: String, connector: ConnectorConfiguration
    ) throws -> LoginRecord? {
        guard let path = connector.usersFile else { return try AccountStore.findLogin(connection, username: username) }
        guard let user = try users(path)[username] else {
            return connector.userDatabase == nil ? nil : try AccountStore.findLogin(connection, username: username)
        }
        var found = try AccountStore.findLogin(connection, username: username)
        if found == nil {
            try AccountStore.addOfFile(connection, username: username, file: path)
            found = try AccountStore.findLogin(connection, username: username)
        }
        return found.map { LoginRecord(ofFile: $0, password: user.password, connector: connector.name) }
    }

    private static func users(_ path: String) throws(StoreError) -> [String: UsersFile.User] {
        guard let data = FileManager.default.contents(atPath: path), data.count <= maxBytes else {
            throw .invalid("the file of USERS cannot be read: \(path)")
        }
        return UsersFile.parse(String(decoding: data, as: UTF8.self)).users
    }
}

extension AccountStore {
    static func addOfFile(_ connection: Connection, username: String, file: String) throws {
        try checkName(username)
        try connection.transaction {
            let added = try connection.execute(
                """
                INSERT INTO emguser (username, allowpostpaid, charge_balance) VALUES ($1, 1, 0) ON CONFLICT (username) DO NOTHING
                """, [.text(username)])
            if added == 1 { try Audit.write(connection, who: file, action: "account add", detail: username) }
        }
    }
}
