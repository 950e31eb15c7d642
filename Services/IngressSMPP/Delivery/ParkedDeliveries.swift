import Database
import Message
import ServiceKit
import SwiftProtobuf

/// Reports and messages for clients that are away: kept in `parked_delivery` until their account binds again, or they expire.
///
/// All calls are per batch. Draining claims rows for a while, so that two instances do not deliver the same one.
struct ParkedDeliveries: Sendable {
    private static let claimSeconds = 60
    private static let drainBatch = 200

    struct Row: Sendable {
        var id: Int64
        var message: ShortMessage
    }

    let database: Database
    let connector: String
    /// How long a client may stay away (PARKTIME).
    let lifeSeconds: Int

    /// Keeps `messages`; one that is kept already stays as it is.
    func park(_ messages: [ShortMessage]) async throws {
        let (connector, lifeSeconds) = (connector, lifeSeconds)
        try await database.run { connection in
            _ = try connection.execute(
                """
                INSERT INTO parked_delivery (username, connector, msgid, record, created, expires)
                SELECT u, $2, m, r, now(), now() + make_interval(secs => $5::int)
                FROM unnest($1::text[], $3::bigint[], $4::bytea[]) AS t(u, m, r)
                ON CONFLICT (msgid) DO UPDATE SET claimed_until = NULL
                """,
                [
                    .textArray(messages.map(\.account)), .text(connector), .intArray(messages.map(\.msgid)),
                    .bytesArray(messages.map { encode($0) }), .int(lifeSeconds),
                ])
        }
    }

    /// The oldest rows of an account that nobody else is delivering, whatever connector they came for: a client may come back
    /// through another one.
    func drain(account: String) async throws -> [Row] {
        try await database.run { connection in
            let rows = try connection.query(
                """
                UPDATE parked_delivery p SET claimed_until = now() + make_interval(secs => \(ParkedDeliveries.claimSeconds))
                WHERE username = $1 AND id = ANY(ARRAY(
                    SELECT id FROM parked_delivery WHERE username = $1 AND (claimed_until IS NULL OR claimed_until < now())
                    ORDER BY id LIMIT \(ParkedDeliveries.drainBatch) FOR UPDATE SKIP LOCKED))
                RETURNING p.id, p.record
                """, [.text(account)])
            return try rows.map { Row(id: try $0.int("id"), message: try ShortMessage(serializedBytes: try $0.bytes("record"))) }
                .sorted { $0.id < $1.id }
        }
    }

    func remove(_ ids: [Int64]) async throws {
        try await database.run { connection in
            _ = try connection.execute("DELETE FROM parked_delivery WHERE id = ANY($1::bigint[])", [.intArray(ids.map { $0 })])
        }
    }

    /// Gives rows back that were claimed and not delivered.
    func release(_ ids: [Int64]) async throws {
        try await database.run { connection in
            _ = try connection.execute(
                "UPDATE parked_delivery SET claimed_until = NULL WHERE id = ANY($1::bigint[])", [.intArray(ids.map { $0 })])
        }
    }

    /// Takes out what has expired, for this connector or for one that is no more.
    func expire() async throws -> [ShortMessage] {
        try await database.run { connection in
            let rows = try connection.query(
                """
                DELETE FROM parked_delivery WHERE id IN (
                    SELECT id FROM parked_delivery WHERE expires < now() LIMIT 1000 FOR UPDATE SKIP LOCKED)
                RETURNING record
                """)
            return try rows.map { try ShortMessage(serializedBytes: try $0.bytes("record")) }
        }
    }
}
