import Database

extension Migration {
    /// Fewer rows and fewer index entries for a message: PostgreSQL's part was the largest of what a message costs.
    static let leanLog = Migration(
        version: 18, name: "lean log",
        sql: """
            -- A message's options in one row, NAME=value, with the character 30 (record separator) between them.
            CREATE TABLE messageoptions (
                msgid bigint NOT NULL,
                options text NOT NULL,
                PRIMARY KEY (msgid)
            ) PARTITION BY RANGE (msgid);
            CREATE TABLE messageoptions_default PARTITION OF messageoptions DEFAULT;

            -- As before, but each table with the room that its rows need: one of routelog is written again two or three times within
            -- seconds, and where its page has room for that its index entries stay as they are; the others are written once.
            CREATE OR REPLACE FUNCTION signalbox_ensure_partitions(first_day date, days integer) RETURNS integer
            LANGUAGE plpgsql AS $$
            DECLARE
                parent text;
                child text;
                day date;
                low bigint;
                high bigint;
                made integer := 0;
            BEGIN
                PERFORM pg_advisory_xact_lock(1397180238, 1);
                FOREACH parent IN ARRAY ARRAY['routelog', 'messageoptions', 'messagebody'] LOOP
                    FOR offset_days IN 0 .. days - 1 LOOP
                        day := first_day + offset_days;
                        child := parent || '_' || to_char(day, 'YYYYMMDD');
                        CONTINUE WHEN to_regclass(quote_ident(child)) IS NOT NULL;
                        low := signalbox_msgid_floor(day::timestamp AT TIME ZONE 'UTC');
                        high := signalbox_msgid_floor((day + 1)::timestamp AT TIME ZONE 'UTC');
                        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent || '_default');
                        EXECUTE format(
                            'CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH (fillfactor = %s)', child, parent,
                            CASE parent WHEN 'routelog' THEN 50 ELSE 95 END);
                        EXECUTE format(
                            'WITH moved AS (DELETE FROM %I WHERE msgid >= $1 AND msgid < $2 RETURNING *) INSERT INTO %I SELECT * FROM moved',
                            parent || '_default', child) USING low, high;
                        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', parent, child, low, high);
                        made := made + 1;
                    END LOOP;
                END LOOP;
                RETURN made;
            END
            $$;

            -- The days that there are, and what they hold.
            SELECT signalbox_ensure_partitions(to_date(right(c.relname, 8), 'YYYYMMDD'), 1)
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'messageoption'::regclass AND c.relname ~ '^messageoption_[0-9]{8}$';
            INSERT INTO messageoptions (msgid, options)
                SELECT msgid, string_agg(optionname || '=' || COALESCE(optionvalue, ''), chr(30) ORDER BY optionname)
                FROM messageoption GROUP BY msgid;
            DROP TABLE messageoption;

            -- EMG's table of the same, to read.
            CREATE VIEW messageoption AS
                SELECT o.msgid, split_part(p.pair, '=', 1) AS optionname, substr(p.pair, strpos(p.pair, '=') + 1) AS optionvalue
                FROM messageoptions o CROSS JOIN LATERAL string_to_table(o.options, chr(30)) AS p(pair);

            -- When which entries of open_dlr are to be looked at: because they expire, or because they were closed an hour ago. One row for
            -- a batch stands for an index entry for each; and as an entry's closing then changes no column of an index, it stays in its
            -- page and in both indexes as it is. What is due may long be gone: then there is nothing to do.
            CREATE TABLE open_dlr_due (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                due timestamptz NOT NULL,
                msgids bigint[] NOT NULL
            );
            CREATE INDEX open_dlr_due_due ON open_dlr_due (due);
            INSERT INTO open_dlr_due (due, msgids)
                SELECT date_trunc('minute', COALESCE(closed_at + interval '1 hour', expires)) + interval '1 minute', array_agg(msgid)
                FROM open_dlr WHERE COALESCE(closed_at, expires) IS NOT NULL GROUP BY 1;
            -- Ids rise with time: a list of the oldest needs no index of its own.
            DROP INDEX open_dlr_created, open_dlr_expires, open_dlr_closed_at;
            ALTER TABLE open_dlr SET (fillfactor = 50);
            """)
}
