import Database
import Message
import ServiceKit
import SwiftProtobuf

/// The table `message_part`. All statements are per batch.
///
/// Several routers that hold parts of the same message take turns by advisory locks that last as long as their transactions.
final class PartTable {
    private static let lockSpace: Int64 = 1_397_180_239
    private static let locks: UInt64 = 1_024
    private static let sweepBatch = 500
    private static let tidyingBatch = 10_000

    private let database: KeptConnection

    init(connect: @escaping () throws -> Connection) { database = KeptConnection(connect: connect) }

    /// Decides on what is stored and stores what was decided, at once.
    /// - Parameters:
    ///   - sets: the long messages that the batch has parts of.
    ///   - msgids: the batch's parts.
    ///   - positions: their records'.
    func decide(
        sets: Set<[UInt8]>, msgids: [Int64], positions: [String], _ body: (inout PartDesk) -> Void
    ) throws {
        try database.inTransaction { connection in
            try connection.query(
                "SELECT pg_advisory_xact_lock($1::int, k) FROM unnest($2::int[]) AS k",
                [.int(Self.lockSpace), .intArray(Set(sets.map(Self.lock)).sorted())])
            var desk = PartDesk(try stored(sets, msgids, positions, connection))
            body(&desk)
            let parts = desk.parts.values.sorted { $0.msgid < $1.msgid }
            try insert(parts.filter(\.isNew), connection)
            try close(parts.filter { $0.isChanged && !$0.isNew }, connection)
        }
    }

    /// What waits of a set is asked for in the order of its index: the index of deadlines has the same rows, and to a planner who takes
    /// them for one or none it is as good.
    private func stored(
        _ sets: Set<[UInt8]>, _ msgids: [Int64], _ positions: [String], _ connection: Connection
    ) throws -> [StoredPart] {
        try connection.query(
            """
            SELECT p.* FROM unnest($1::bytea[]) AS k(key) CROSS JOIN LATERAL (
                SELECT msgid, set_key, number, total, record, closed_by, whole FROM message_part
                WHERE set_key BETWEEN k.key AND k.key AND closed_by IS NULL ORDER BY set_key OFFSET 0) AS p
            UNION ALL SELECT msgid, set_key, number, total, record, closed_by, whole FROM message_part WHERE closed_by = ANY($2::text[])
            UNION ALL SELECT msgid, set_key, number, total, record, closed_by, whole FROM message_part
                WHERE msgid = ANY($3::bigint[]) AND closed_by <> ALL($2::text[])
            """, [.bytesArray(sets.map { $0 }), .textArray(positions.map { $0 }), .intArray(msgids.map { $0 })]
        ).map { row in
            StoredPart(
                msgid: try row.int(0), set: try row.bytes(1), number: Int(try row.int(2)), total: Int(try row.int(3)),
                message: try ShortMessage(serializedBytes: try row.bytes(4)), closedBy: try row.optionalText(5),
                whole: try row.optionalInt(6))
        }
    }

    private func insert(_ parts: [StoredPart], _ connection: Connection) throws {
        guard !parts.isEmpty else { return }
        try connection.execute(
            """
            INSERT INTO message_part (msgid, set_key, number, total, record, deadline, closed_by, closed_at, whole)
            SELECT m, s, n, t, r, now() + make_interval(secs => d), c, CASE WHEN c IS NOT NULL THEN now() END, w
            FROM unnest($1::bigint[], $2::bytea[], $3::smallint[], $4::smallint[], $5::bytea[], $6::int[], $7::text[], $8::bigint[])
                AS u(m, s, n, t, r, d, c, w)
            """,
            [
                .intArray(parts.map(\.msgid)), .bytesArray(parts.map(\.set)), .intArray(parts.map { Int64($0.number) }),
                .intArray(parts.map { Int64($0.total) }), .bytesArray(parts.map { encode($0.message) }),
                .intArray(parts.map { Int64($0.seconds) }), .textArray(parts.map(\.closedBy)), .intArray(parts.map(\.whole)),
            ])
    }

    private func close(_ parts: [StoredPart], _ connection: Connection) throws {
        guard !parts.isEmpty else { return }
        try connection.execute(
            """
            UPDATE message_part p SET closed_by = u.c, closed_at = now(), whole = u.w
            FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS u(m, c, w)
            WHERE p.msgid = ANY($1::bigint[]) AND p.msgid = u.m
            """, [.intArray(parts.map(\.msgid)), .textArray(parts.map(\.closedBy)), .intArray(parts.map(\.whole))])
    }

    /// Parts whose time is up, oldest first; each is given again a minute later where it still waits, for the first time may
    /// have been lost in a crash.
    func overdue() throws -> [ShortMessage] {
        try database.inTransaction { connection in
            try connection.query(
                """
                UPDATE message_part SET given_up = now() WHERE msgid = ANY(ARRAY(
                    SELECT msgid FROM message_part WHERE closed_by IS NULL AND deadline < now()
                        AND (given_up IS NULL OR given_up < now() - interval '1 minute')
                    ORDER BY deadline LIMIT \(Self.sweepBatch) FOR UPDATE SKIP LOCKED))
                RETURNING record
                """
            ).map { try ShortMessage(serializedBytes: try $0.bytes(0)) }.sorted { $0.msgid < $1.msgid }
        }
    }

    /// What went on a day ago is not given again.
    func tidy() throws {
        try database.inTransaction { connection in
            _ = try connection.execute(
                """
                DELETE FROM message_part WHERE msgid = ANY(ARRAY(
                    SELECT msgid FROM message_part WHERE closed_at < now() - interval '1 day' LIMIT \(Self.tidyingBatch)
                    FOR UPDATE SKIP LOCKED))
                """)
        }
    }

    /// FNV-1a: the same in every process.
    private static func lock(_ set: [UInt8]) -> Int64 {
        Int64(set.reduce(14_695_981_039_346_656_037 as UInt64) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 } % locks)
    }
}
