import Database

extension Migration {
    /// Sessions that count only while their instance lives, kicks, and orders to cancel or replace what waits.
    static let sessions = Migration(
        version: 3, name: "sessions",
        sql: """
            -- 'client' = bound to us (they count for maxsessions and INSTANCES), 'provider' = we bound.
            ALTER TABLE session ADD COLUMN kind text NOT NULL DEFAULT 'provider', ADD COLUMN kicked timestamptz, ADD COLUMN kicked_by text;
            CREATE INDEX session_instance ON session (instance);
            CREATE INDEX session_connector ON session (connector) WHERE kind = 'client' AND NOT closed;
            -- A session is as alive as its instance, which writes its row once a second: no row is written per session and second.
            CREATE VIEW live_session AS
                SELECT s.* FROM session s WHERE NOT s.closed AND EXISTS (
                    SELECT 1 FROM service_instance i
                    WHERE i.instance = s.instance AND i.state <> 'stopped' AND i.beat > now() - interval '8 seconds');

            -- What the sender of a scheduled message ordered meanwhile; read when its time has come.
            CREATE TABLE message_order (
                msgid bigint PRIMARY KEY,
                username text NOT NULL,
                kind text NOT NULL CHECK (kind IN ('cancel', 'replace')),
                -- When the message fires, in milliseconds since 1970.
                due bigint NOT NULL,
                -- A ShortMessage with what replaces the original's.
                record bytea,
                at timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX message_order_due ON message_order (due);
            """)
}
