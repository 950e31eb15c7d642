public import Database
import Foundation

/// Where an account hears of its messages by HTTP.
public struct Webhook: Sendable, Equatable {
    public enum Style: String, Sendable, CaseIterable {
        case json, emg, kannel, jasmin
    }

    public var username: String
    /// For delivery reports; nil = only where a message names its own address.
    public var reportURL: String?
    /// For messages from phones.
    public var messageURL: String?
    public var style: Style
    /// What requests are signed with.
    public var secret: String
    /// Requests at a time; nil = the connector's WEBHOOKCONCURRENCY.
    public var concurrency: Int?

    public init(
        username: String, reportURL: String? = nil, messageURL: String? = nil, style: Style = .json, secret: String, concurrency: Int? = nil
    ) {
        self.username = username
        self.reportURL = reportURL
        self.messageURL = messageURL
        self.style = style
        self.secret = secret
        self.concurrency = concurrency
    }
}

/// `webhook`.
public enum WebhookStore {
    /// What is to be changed; nil leaves a thing as it is, an empty text takes it away.
    public struct Changes: Sendable {
        public var reportURL: String?
        public var messageURL: String?
        public var style: Webhook.Style?
        public var concurrency: Int?
        public var newSecret = false

        public init() {}
    }

    public static func load(_ connection: Connection) throws(DatabaseError) -> [String: Webhook] {
        var found: [String: Webhook] = [:]
        for row in try connection.query("SELECT username, report_url, message_url, style, secret, concurrency FROM webhook") {
            let webhook = try read(row)
            found[webhook.username] = webhook
        }
        return found
    }

    private static func read(_ row: Row) throws(DatabaseError) -> Webhook {
        Webhook(
            username: try row.text("username"), reportURL: try row.optionalText("report_url"),
            messageURL: try row.optionalText("message_url"), style: Webhook.Style(rawValue: try row.text("style")) ?? .json,
            secret: try row.text("secret"), concurrency: try row.optionalInt("concurrency").map { Int($0) })
    }

    /// A new account's webhook gets a secret of its own.
    /// - Throws: `StoreError.notFound` for an unknown account.
    public static func set(_ connection: Connection, username: String, _ changes: Changes, by who: String) throws -> Webhook {
        var generator = SystemRandomNumberGenerator()
        let secret = "whsec_" + Data((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }).base64EncodedString()
        return try connection.transaction {
            guard try AccountStore.find(connection, username: username) != nil else { throw StoreError.notFound("account \(username)") }
            let row = try connection.query(
                """
                INSERT INTO webhook AS w (username, report_url, message_url, style, secret, concurrency)
                VALUES ($1, nullif($2, ''), nullif($3, ''), coalesce($4, 'json'), $5, $6::int)
                ON CONFLICT (username) DO UPDATE SET
                    report_url = CASE WHEN $2 IS NULL THEN w.report_url ELSE nullif($2, '') END,
                    message_url = CASE WHEN $3 IS NULL THEN w.message_url ELSE nullif($3, '') END,
                    style = coalesce($4, w.style), secret = CASE WHEN $7 THEN EXCLUDED.secret ELSE w.secret END,
                    concurrency = coalesce($6::int, w.concurrency), changed = now()
                RETURNING username, report_url, message_url, style, secret, concurrency
                """,
                [
                    .text(username), .optional(changes.reportURL), .optional(changes.messageURL), .optional(changes.style?.rawValue),
                    .text(secret), .optional(changes.concurrency), .bool(changes.newSecret),
                ])[0]
            try Audit.write(connection, who: who, action: "webhook set", detail: username)
            return try read(row)
        }
    }

    public static func remove(_ connection: Connection, username: String, by who: String) throws {
        try connection.transaction {
            guard try connection.execute("DELETE FROM webhook WHERE username = $1", [.text(username)]) == 1 else {
                throw StoreError.notFound("webhook of \(username)")
            }
            try Audit.write(connection, who: who, action: "webhook rm", detail: username)
        }
    }
}

/// A report (or message) that could not be handed to its client's endpoint.
public struct ParkedWebhook: Sendable, Equatable {
    public var id: Int64
    public var username: String
    public var connector: String
    public var msgid: Int64
    public var url: String
    public var reason: String
    /// Milliseconds since 1970.
    public var parked: Int64
    public var expires: Int64
    /// An operator wants it tried again.
    public var isPushed: Bool
}

/// `parked_webhook`. All calls are per batch.
public enum ParkedWebhookStore {
    public struct New: Sendable {
        public var username: String
        public var msgid: Int64
        public var url: String
        public var reason: String
        /// The serialized message.
        public var record: [UInt8]

        public init(username: String, msgid: Int64, url: String, reason: String, record: [UInt8]) {
            self.username = username
            self.msgid = msgid
            self.url = url
            self.reason = reason
            self.record = record
        }
    }

    /// One that is parked already stays as it is.
    public static func park(_ connection: Connection, connector: String, _ new: [New], lifeSeconds: Int) throws(DatabaseError) {
        try connection.execute(
            """
            INSERT INTO parked_webhook (username, connector, msgid, url, reason, record, expires)
            SELECT u, $1, m, l, w, r, now() + make_interval(secs => $2::int)
            FROM unnest($3::text[], $4::bigint[], $5::text[], $6::text[], $7::bytea[]) AS t(u, m, l, w, r)
            ON CONFLICT (msgid) DO UPDATE SET pushed = NULL, reason = EXCLUDED.reason
            """,
            [
                .text(connector), .int(lifeSeconds), .textArray(new.map(\.username)), .intArray(new.map(\.msgid)),
                .textArray(new.map(\.url)),
                .textArray(new.map(\.reason)), .bytesArray(new.map(\.record)),
            ])
    }

    public static func list(
        _ connection: Connection, username: String?, limit: Int
    ) throws(DatabaseError) -> [ParkedWebhook] {
        var found: [ParkedWebhook] = []
        for row in try connection.query(
            """
            SELECT id, username, connector, msgid, url, reason, parked, expires, pushed IS NOT NULL AS ispushed FROM parked_webhook
            WHERE $1::text IS NULL OR username = $1 ORDER BY id LIMIT $2::int
            """, [.optional(username), .int(limit)])
        {
            found.append(
                ParkedWebhook(
                    id: try row.int("id"), username: try row.text("username"), connector: try row.text("connector"),
                    msgid: try row.int("msgid"), url: try row.text("url"), reason: try row.text("reason"),
                    parked: try row.milliseconds("parked"), expires: try row.milliseconds("expires"), isPushed: try row.bool("ispushed")))
        }
        return found
    }

    /// Asks for another try; the connector's service does it within seconds.
    /// - Parameters:
    ///   - username: nil = of all accounts.
    ///   - ids: nil = all.
    /// - Returns: how many.
    public static func push(_ connection: Connection, username: String?, ids: [Int64]?, by who: String) throws -> Int {
        try connection.transaction {
            let count = try connection.execute(
                """
                UPDATE parked_webhook SET pushed = now()
                WHERE ($1::text IS NULL OR username = $1) AND ($2::bigint[] IS NULL OR id = ANY($2::bigint[]))
                """, [.optional(username), ids.map { .intArray($0.map { $0 }) } ?? .null])
            try Audit.write(connection, who: who, action: "webhook push", detail: "\(username ?? "all accounts"): \(count)")
            return Int(count)
        }
    }

    /// Those that an operator wants tried again. Whoever asks has a minute to do so before another instance gets them.
    public static func pushed(
        _ connection: Connection, connector: String, limit: Int
    ) throws(DatabaseError) -> [(id: Int64, record: [UInt8])] {
        var found: [(id: Int64, record: [UInt8])] = []
        for row in try connection.query(
            """
            UPDATE parked_webhook SET pushed = now() + interval '1 minute' WHERE id IN (
                SELECT id FROM parked_webhook WHERE connector = $1 AND pushed <= now() ORDER BY id LIMIT $2::int FOR UPDATE SKIP LOCKED)
            RETURNING id, record
            """, [.text(connector), .int(limit)])
        {
            found.append((try row.int(0), try row.bytes(1)))
        }
        return found
    }

    /// Removes what is in the queue again. What was parked anew meanwhile stays.
    public static func remove(_ connection: Connection, ids: [Int64]) throws(DatabaseError) {
        try connection.execute(
            "DELETE FROM parked_webhook WHERE id = ANY($1::bigint[]) AND pushed IS NOT NULL", [.intArray(ids.map { $0 })])
    }

    /// Takes out what nobody asked for in time.
    public static func expire(_ connection: Connection) throws(DatabaseError) -> [[UInt8]] {
        var records: [[UInt8]] = []
        for row in try connection.query(
            """
            DELETE FROM parked_webhook WHERE id IN (
                SELECT id FROM parked_webhook WHERE expires < now() LIMIT 1000 FOR UPDATE SKIP LOCKED)
            RETURNING record
            """)
        {
            records.append(try row.bytes(0))
        }
        return records
    }
}
