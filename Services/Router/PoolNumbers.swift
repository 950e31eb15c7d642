import Database
import Message
import Routing

/// The table `sat_entry`: which number of a pool stands for which sender towards which phone. All statements are per batch.
///
/// A batch that is processed again finds its entries by message id, and the same numbers. Several routers take turns at a pool by an
/// advisory lock that lasts as long as their transaction.
final class PoolNumbers {
    /// A message whose sender is to be replaced.
    struct Request {
        var msgid: Int64
        var pool: SourcePool
        var phone: String
        var account: String
        var source: Address
        var inConnector: String
        /// The text that an answer is to quote; nil = none.
        var quote: String?
    }

    /// A message from a phone to a number of a pool.
    struct Answer {
        /// Place in the batch.
        var index: Int
        var pools: [SourcePool]
        var number: String
        var phone: String
    }

    /// Whose number it was.
    struct Original {
        var account: String
        var source: Address
        var inConnector: String
        var msgid: Int64
        var quote: String?
    }

    private static let lockSpace: Int64 = 1_397_180_238
    private static let tidyingBatch = 10_000

    private let database: KeptConnection

    init(connect: @escaping () throws -> Connection) { database = KeptConnection(connect: connect) }

    private struct Key: Hashable {
        var pool: String
        var phone: String
    }

    private struct Entry {
        var number: String
        var account: String
        var source: String
        var msgid: Int64
        var isOpen: Bool
    }

    /// - Returns: the number for each message by its id; none where the pool has no free one.
    func assign(_ requests: [Request]) throws -> [Int64: String] {
        guard !requests.isEmpty else { return [:] }
        return try database.inTransaction { connection in
            for pool in Set(requests.map(\.pool.name)).sorted() {
                try connection.query("SELECT pg_advisory_xact_lock($1::int, hashtext($2))", [.int(Self.lockSpace), .text(pool)])
            }
            var entries = try self.entries(for: Set(requests.map { Key(pool: $0.pool.name, phone: $0.phone) }), connection)
            var numbers: [Int64: String] = [:]
            var written: [String: (request: Request, number: String)] = [:]
            for request in requests {
                let key = Key(pool: request.pool.name, phone: request.phone)
                let known = entries[key] ?? []
                let same =
                    known.first { $0.msgid == request.msgid }
                    ?? known.first {
                        request.pool.isThreaded && $0.isOpen && $0.account == request.account && $0.source == request.source.number
                    }
                let taken = Set(known.lazy.filter(\.isOpen).map(\.number))
                guard let number = same?.number ?? request.pool.free(besides: taken, seed: UInt64(bitPattern: request.msgid)) else {
                    continue
                }
                numbers[request.msgid] = number
                entries[key, default: []].removeAll { $0.number == number }
                entries[key, default: []].append(
                    Entry(
                        number: number, account: request.account, source: request.source.number, msgid: request.msgid, isOpen: true))
                written["\(key.pool)\u{0}\(key.phone)\u{0}\(number)"] = (request, number)
            }
            try write(Array(written.values), connection)
            return numbers
        }
    }

    private func entries(for keys: Set<Key>, _ connection: Connection) throws -> [Key: [Entry]] {
        let keys = Array(keys)
        var entries: [Key: [Entry]] = [:]
        for row in try connection.query(
            """
            SELECT s.pool, s.phone, s.number, s.account, s.source, s.msgid, s.expires > now()
            FROM unnest($1::text[], $2::text[]) AS k(pool, phone)
            CROSS JOIN LATERAL (SELECT * FROM sat_entry WHERE pool = k.pool AND phone = k.phone OFFSET 0) AS s
            """, [.textArray(keys.map(\.pool)), .textArray(keys.map(\.phone))])
        {
            entries[Key(pool: try row.text(0), phone: try row.text(1)), default: []].append(
                Entry(
                    number: try row.text(2), account: try row.text(3), source: try row.text(4), msgid: try row.int(5),
                    isOpen: try row.bool(6)))
        }
        return entries
    }

    private func write(_ written: [(request: Request, number: String)], _ connection: Connection) throws {
        try connection.execute(
            """
            INSERT INTO sat_entry (pool, phone, number, account, source, source_ton, source_npi, in_connector, msgid, expires, quote)
            SELECT p, h, n, a, s, t, i, c, m, now() + make_interval(secs => e), q
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::int[], $8::text[], $9::bigint[],
                        $10::int[], $11::text[]) AS u(p, h, n, a, s, t, i, c, m, e, q)
            ON CONFLICT (pool, phone, number) DO UPDATE SET account = excluded.account, source = excluded.source,
                source_ton = excluded.source_ton, source_npi = excluded.source_npi, in_connector = excluded.in_connector,
                msgid = excluded.msgid, created = now(), expires = excluded.expires, quote = excluded.quote
            """,
            [
                .textArray(written.map(\.request.pool.name)), .textArray(written.map(\.request.phone)), .textArray(written.map(\.number)),
                .textArray(written.map(\.request.account)), .textArray(written.map(\.request.source.number)),
                .intArray(written.map { Int64($0.request.source.ton) }), .intArray(written.map { Int64($0.request.source.npi) }),
                .textArray(written.map(\.request.inConnector)), .intArray(written.map(\.request.msgid)),
                .intArray(written.map { Int64($0.request.pool.expirySeconds) }), .textArray(written.map(\.request.quote)),
            ])
    }

    /// Finds who is answered. A conversation that goes on does not expire: a THREADED entry is renewed.
    /// - Returns: by place in the batch.
    func originals(of answers: [Answer]) throws -> [Int: Original] {
        guard !answers.isEmpty else { return [:] }
        let asked = answers.flatMap { answer in answer.pools.map { (answer: answer, pool: $0) } }
        return try database.inTransaction { connection in
            let rows = try connection.query(
                """
                SELECT k.i, s.account, s.source, s.source_ton, s.source_npi, s.in_connector, s.msgid, s.quote
                FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS k(i, pool, phone, number)
                CROSS JOIN LATERAL (
                    SELECT * FROM sat_entry WHERE pool = k.pool AND phone = k.phone AND number = k.number OFFSET 0) AS s
                WHERE s.expires > now() ORDER BY s.msgid
                """,
                [
                    .intArray(asked.map { Int64($0.answer.index) }), .textArray(asked.map(\.pool.name)),
                    .textArray(asked.map { $0.pool.phoneKey($0.answer.phone) }), .textArray(asked.map(\.answer.number)),
                ])
            var originals: [Int: Original] = [:]
            for row in rows {
                var source = Address()
                source.number = try row.text(2)
                source.ton = UInt32(clamping: try row.int(3))
                source.npi = UInt32(clamping: try row.int(4))
                // Of several pools with the number, the newest message is meant.
                originals[Int(try row.int(0))] = Original(
                    account: try row.text(1), source: source, inConnector: try row.text(5), msgid: try row.int(6),
                    quote: try row.optionalText(7))
            }
            let threaded = asked.filter { $0.pool.isThreaded && originals[$0.answer.index] != nil }
            if !threaded.isEmpty {
                // A row that another router changes at this moment stands elsewhere then: it is being renewed.
                try connection.execute(
                    """
                    UPDATE sat_entry s SET expires = now() + make_interval(secs => k.seconds)
                    FROM unnest($1::text[], $2::text[], $3::text[], $4::int[]) AS k(pool, phone, number, seconds)
                    CROSS JOIN LATERAL (
                        SELECT ctid FROM sat_entry
                        WHERE pool = k.pool AND phone = k.phone AND number = k.number AND expires > now() OFFSET 0) AS place
                    WHERE s.ctid = place.ctid
                    """,
                    [
                        .textArray(threaded.map(\.pool.name)), .textArray(threaded.map { $0.pool.phoneKey($0.answer.phone) }),
                        .textArray(threaded.map(\.answer.number)), .intArray(threaded.map { Int64($0.pool.expirySeconds) }),
                    ])
            }
            return originals
        }
    }

    /// Numbers that have been free for a while need not be remembered.
    func tidy() throws {
        try database.inTransaction { connection in
            _ = try connection.execute(
                """
                DELETE FROM sat_entry WHERE ctid IN (
                    SELECT ctid FROM sat_entry WHERE expires < now() - interval '1 hour' LIMIT \(Self.tidyingBatch) FOR UPDATE SKIP LOCKED)
                """)
        }
    }
}
