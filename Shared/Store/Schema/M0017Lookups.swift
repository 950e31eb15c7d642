import Database

extension Migration {
    /// Messages by their recipient, ids that receipts may repeat, and a version of the prices alone.
    static let lookups = Migration(
        version: 17, name: "lookups",
        sql: """
            -- By a filter for each half megabyte of the log: a few hundredths of what an ordinary index costs to keep, and read a few
            -- times a day (cancel_sm without an id). New pages are taken in by autovacuum.
            CREATE INDEX routelog_destaddr ON routelog USING brin (destaddr text_bloom_ops)
                WITH (pages_per_range = 64, autosummarize = on);

            -- Provider ids whose entry in open_dlr was closed and is gone, as hashes of connector and id: a receipt that repeats one is no
            -- orphan. Not logged: after a crash of the database such a receipt is listed as an orphan, and nothing worse.
            CREATE UNLOGGED TABLE closed_dlr (
                key bigint PRIMARY KEY,
                at timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX closed_dlr_at ON closed_dlr (at);
            CREATE FUNCTION signalbox_receipt_key(connector text, match_key text) RETURNS bigint
            LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT hashtextextended(connector || chr(31) || match_key, 0) $$;

            -- Rises with each change of a price, in its transaction: a hundred thousand of them are not read again for a connector's sake.
            ALTER TABLE configuration_version ADD COLUMN prices bigint NOT NULL DEFAULT 0;
            CREATE FUNCTION signalbox_count_prices() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                UPDATE configuration_version SET prices = prices + 1;
                RETURN NULL;
            END
            $$;
            CREATE TRIGGER price_count_prices AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON price
                FOR EACH STATEMENT EXECUTE FUNCTION signalbox_count_prices();
            """)
}
