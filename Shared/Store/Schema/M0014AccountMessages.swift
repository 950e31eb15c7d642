import Database

extension Migration {
    /// An account's own messages by their ids, for lists in pages; and where accounts send at present.
    static let accountMessages = Migration(
        version: 14, name: "account messages",
        sql: """
            -- Ids rise with time, so of each account a new row comes at the right edge: cheap for the log, which writes all of them. New
            -- partitions get theirs when they are attached.
            CREATE INDEX routelog_account ON routelog (username, msgid) WHERE msgtype = 1;

            -- Which instances share an account's allowed rate at present. A row counts while its instance lives, which knows what it wrote
            -- and writes it again: not worth a line in the server's log.
            CREATE UNLOGGED TABLE account_use (
                username text NOT NULL,
                instance text NOT NULL,
                -- Sessions that use the rate; 1 where a protocol has none.
                weight bigint NOT NULL,
                PRIMARY KEY (username, instance)
            );
            """)
}
