import Database

extension Migration {
    /// Parts of long messages that wait for each other (REASSEMBLE).
    static let parts = Migration(
        version: 7, name: "parts",
        sql: """
            -- closed_by: position of the record with which it went on. whole: the message that it went on in; null = alone.
            CREATE TABLE message_part (
                msgid bigint PRIMARY KEY,
                set_key bytea NOT NULL,
                number smallint NOT NULL,
                total smallint NOT NULL,
                record bytea NOT NULL,
                arrived timestamptz NOT NULL DEFAULT now(),
                deadline timestamptz NOT NULL,
                given_up timestamptz,
                closed_by text,
                closed_at timestamptz,
                whole bigint
            );
            CREATE INDEX message_part_waiting ON message_part (set_key) WHERE closed_by IS NULL;
            CREATE INDEX message_part_deadline ON message_part (deadline) WHERE closed_by IS NULL;
            CREATE INDEX message_part_closed_by ON message_part (closed_by) WHERE closed_by IS NOT NULL;
            CREATE INDEX message_part_closed_at ON message_part (closed_at) WHERE closed_at IS NOT NULL;
            """)
}
