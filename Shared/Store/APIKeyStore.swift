import Crypto
public import Database
import Foundation

/// A key that an account's programs log in with over HTTP, without its secret.
public struct APIKey: Sendable, Equatable {
    public var id: Int64
    public var username: String
    public var name: String
    /// Its last characters, so that its owner recognizes it.
    public var hint: String
    /// Milliseconds since 1970.
    public var created: Int64
    public var lastUsed: Int64?
    public var revoked: Int64?
}

/// `api_key`. A key has 256 random bits, so that its plain SHA-256 is as good as a slow hash of a password.
public enum APIKeyStore {
    private static let prefix = "sb_"

    /// What is kept of a key.
    public static func hash(_ key: String) -> [UInt8] { Array(SHA256.hash(data: Array(key.utf8))) }

    /// Makes a key.
    /// - Returns: the key itself, which nobody can be told again.
    /// - Throws: `StoreError.notFound` for an unknown account.
    public static func add(
        _ connection: Connection, username: String, name: String, by who: String
    ) throws -> (key: String, stored: APIKey) {
        guard name.utf8.count <= 100 else { throw StoreError.invalid("a key's name has at most 100 octets") }
        var generator = SystemRandomNumberGenerator()
        let secret = Data((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }).base64EncodedString()
        let key = prefix + secret.filter { $0.isLetter || $0.isNumber }
        return try connection.transaction {
            guard try AccountStore.find(connection, username: username) != nil else { throw StoreError.notFound("account \(username)") }
            let row = try connection.query(
                "INSERT INTO api_key (username, name, hash, hint) VALUES ($1, $2, $3, $4) RETURNING \(columns)",
                [.text(username), .text(name), .bytes(hash(key)), .text(String(key.suffix(4)))])[0]
            let stored = try read(row)
            try Audit.write(connection, who: who, action: "account key add", detail: "\(username) \(stored.id)")
            return (key, stored)
        }
    }

    public static func list(_ connection: Connection, username: String?) throws(DatabaseError) -> [APIKey] {
        var keys: [APIKey] = []
        for row in try connection.query(
            "SELECT \(columns) FROM api_key WHERE $1::text IS NULL OR username = $1 ORDER BY id", [.optional(username)])
        {
            keys.append(try read(row))
        }
        return keys
    }

    public static func revoke(_ connection: Connection, id: Int64, by who: String) throws {
        try connection.transaction {
            guard try connection.execute("UPDATE api_key SET revoked = now() WHERE id = $1 AND revoked IS NULL", [.int(id)]) == 1 else {
                throw StoreError.notFound("valid key \(id)")
            }
            try Audit.write(connection, who: who, action: "account key revoke", detail: "\(id)")
        }
    }

    /// The account that a key belongs to, with what its logins are decided on; nil where the key is unknown or revoked.
    public static func findLogin(_ connection: Connection, key: String) throws(DatabaseError) -> LoginRecord? {
        guard
            let username = try connection.query(
                "UPDATE api_key SET lastused = now() WHERE hash = $1 AND revoked IS NULL RETURNING username", [.bytes(hash(key))]
            ).first?.text(0)
        else { return nil }
        return try AccountStore.findLogin(connection, username: username)
    }

    private static let columns = "id, username, name, hint, created, lastused, revoked"

    private static func read(_ row: Row) throws(DatabaseError) -> APIKey {
        APIKey(
            id: try row.int("id"), username: try row.text("username"), name: try row.text("name"), hint: try row.text("hint"),
            created: try row.milliseconds("created"), lastUsed: try row.optionalMilliseconds("lastused"),
            revoked: try row.optionalMilliseconds("revoked"))
    }
}

extension LoginDecision {
    /// Decides a login with a key that is good: the account's lock and its access rows hold as for one with a password.
    public static func decide(keyOf record: LoginRecord?, ip: IPAddress, connector: String, nowMilliseconds: Int64) -> LoginDecision {
        guard let record else { return .unknownUser }
        if record.account.isLocked(atMilliseconds: nowMilliseconds) { return .locked(until: record.account.lockedUntil ?? 0) }
        guard AccessRules.allows(record.access, ip: ip, connector: connector) else { return .notAllowedFromHere }
        return .accepted(record.account)
    }
}
