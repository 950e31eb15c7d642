import Database

extension Migration {
    /// Orders to connectors at run time, and what each instance that runs one says of it.
    static let connectors = Migration(
        version: 4, name: "connectors",
        sql: """
            -- Held: its sessions stay bound and nothing is sent. `bounces` rises with each order to bind anew.
            ALTER TABLE connector ADD COLUMN held boolean NOT NULL DEFAULT false, ADD COLUMN bounces integer NOT NULL DEFAULT 0;

            CREATE TABLE connector_state (
                connector text NOT NULL,
                instance text NOT NULL,
                -- bound, connecting, held or idle
                state text NOT NULL,
                sessions integer NOT NULL,
                -- Sessions that this instance is to have.
                wanted integer NOT NULL,
                -- Submits that may be unanswered, all sessions together, and those that are.
                window_size integer NOT NULL,
                unanswered integer NOT NULL,
                -- Messages that were read from the queue and are not answered.
                waiting integer NOT NULL,
                -- Accepted by the provider per second, of late.
                rate double precision NOT NULL,
                -- Messages per second that the provider seems to stand, where it complained of late.
                throttled_to double precision,
                detail text NOT NULL DEFAULT '',
                beat timestamptz NOT NULL DEFAULT now(),
                PRIMARY KEY (connector, instance)
            ) WITH (fillfactor = 50);
            """)
}
