public import Database

/// `http_idempotency`: the same key gives the same answer, whichever instance is asked. Keys are clients', or providers' ids of phones'
/// messages (under names that no account can have).
public enum IdempotencyStore {
    /// How long an answer is given again, in hours.
    public static let hours = 24
    /// After so many seconds without an answer the instance that claimed a key is taken for dead: longer than a broker may take to
    /// acknowledge.
    private static let patienceSeconds = 45

    public struct Claim: Sendable {
        public var username: String
        public var key: String
        /// Of what was asked: the same key for something else is a mistake.
        public var fingerprint: [UInt8]
        /// The ids that the messages get where the key is new.
        public var msgids: [Int64]

        public init(username: String, key: String, fingerprint: [UInt8], msgids: [Int64]) {
            self.username = username
            self.key = key
            self.fingerprint = fingerprint
            self.msgids = msgids
        }
    }

    public enum Verdict: Sendable, Equatable {
        /// Nobody has asked so before: send, under the ids of the claim.
        case new
        /// Somebody claimed it and died: these ids are in the log, the others are to be sent under the ids given here.
        case takenOver(msgids: [Int64], known: Set<Int64>)
        case answered(status: Int, answer: [UInt8])
        /// Another request is at it.
        case underWay
        case otherRequest
    }

    /// Claims keys for requests, in one round trip for the new ones.
    /// - Returns: a verdict for each, in their order. Of two claims for one key the first wins.
    public static func claim(_ connection: Connection, _ claims: [Claim]) throws -> [Verdict] {
        try connection.transaction {
            var won: Set<String> = []
            func name(_ username: String, _ key: String) -> String { "\(username)\u{0}\(key)" }
            for row in try connection.query(
                """
                INSERT INTO http_idempotency (username, key, fingerprint, msgids)
                SELECT DISTINCT ON (u, k) u, k, f, string_to_array(m, ',')::bigint[]
                FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[]) WITH ORDINALITY AS t(u, k, f, m, n)
                ORDER BY u, k, n ON CONFLICT DO NOTHING RETURNING username, key
                """,
                [
                    .textArray(claims.map(\.username)), .textArray(claims.map(\.key)), .bytesArray(claims.map(\.fingerprint)),
                    .textArray(claims.map { $0.msgids.map(String.init).joined(separator: ",") }),
                ])
            {
                won.insert(name(try row.text(0), try row.text(1)))
            }
            return try claims.map { claim in
                // The first of this batch for its key; the next one finds its row.
                if won.remove(name(claim.username, claim.key)) != nil { return .new }
                return try look(connection, claim)
            }
        }
    }

    private static func look(_ connection: Connection, _ claim: Claim) throws -> Verdict {
        guard
            let row = try connection.query(
                """
                SELECT fingerprint, status, answer, array_to_string(msgids, ',') AS msgids,
                    claimed < now() - make_interval(secs => $3::int) AS isold
                FROM http_idempotency WHERE username = $1 AND key = $2 FOR UPDATE
                """, [.text(claim.username), .text(claim.key), .int(patienceSeconds)]
            ).first
        else { return .underWay }
        guard try row.bytes("fingerprint") == claim.fingerprint else { return .otherRequest }
        if let status = try row.optionalInt("status") {
            return .answered(status: Int(status), answer: try row.optionalBytes("answer") ?? [])
        }
        guard try row.bool("isold") else { return .underWay }
        let msgids = try row.text("msgids").split(separator: ",").compactMap { Int64($0) }
        var known: Set<Int64> = []
        for row in try connection.query(
            "SELECT msgid FROM routelog WHERE msgid = ANY($1::bigint[])", [.intArray(msgids.map { $0 })])
        {
            known.insert(try row.int(0))
        }
        try connection.execute(
            "UPDATE http_idempotency SET claimed = now() WHERE username = $1 AND key = $2", [.text(claim.username), .text(claim.key)])
        return .takenOver(msgids: msgids, known: known)
    }

    public struct Answer: Sendable {
        public var username: String
        public var key: String
        /// nil: nothing was kept; the key is free again.
        public var status: Int?
        public var answer: [UInt8]

        public init(username: String, key: String, status: Int?, answer: [UInt8]) {
            self.username = username
            self.key = key
            self.status = status
            self.answer = answer
        }
    }

    public static func settle(_ connection: Connection, _ answers: [Answer]) throws {
        let free = answers.filter { $0.status == nil }
        let final = answers.filter { $0.status != nil }
        try connection.transaction {
            if !final.isEmpty {
                try connection.execute(
                    """
                    UPDATE http_idempotency h SET status = t.s, answer = t.a
                    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[]) AS t(u, k, s, a)
                    WHERE h.username = ANY($1::text[]) AND h.key = ANY($2::text[]) AND h.username = t.u AND h.key = t.k
                    """,
                    [
                        .textArray(final.map(\.username)), .textArray(final.map(\.key)), .intArray(final.map { $0.status.map(Int64.init) }),
                        .bytesArray(final.map(\.answer)),
                    ])
            }
            if !free.isEmpty {
                try connection.execute(
                    """
                    DELETE FROM http_idempotency h USING unnest($1::text[], $2::text[]) AS t(u, k)
                    WHERE h.username = ANY($1::text[]) AND h.key = ANY($2::text[]) AND h.username = t.u AND h.key = t.k AND h.status IS NULL
                    """, [.textArray(free.map(\.username)), .textArray(free.map(\.key))])
            }
        }
    }

    public static func removeOld(_ connection: Connection) throws(DatabaseError) {
        try connection.execute("DELETE FROM http_idempotency WHERE claimed < now() - make_interval(hours => \(hours))")
    }
}
