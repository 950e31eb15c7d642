import Database

extension Migration {
    /// What the stages need beside the tables: a version of the configuration to watch, the order of closings, refunds.
    static let stages = Migration(
        version: 2, name: "stages",
        sql: """
            -- One row, so that its change becomes visible with the change that it announces (a sequence would run ahead).
            CREATE TABLE configuration_version (
                singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
                version bigint NOT NULL DEFAULT 0
            );
            INSERT INTO configuration_version DEFAULT VALUES;
            CREATE FUNCTION signalbox_count_config() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                UPDATE configuration_version SET version = version + 1;
                RETURN NULL;
            END
            $$;
            DO $$
            DECLARE
                name text;
            BEGIN
                FOREACH name IN ARRAY ARRAY['connector', 'connector_option', 'general_option', 'config_section', 'config_section_option',
                                            'route', 'price'] LOOP
                    EXECUTE format(
                        'CREATE TRIGGER %I AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I '
                        'FOR EACH STATEMENT EXECUTE FUNCTION signalbox_count_config()', name || '_count', name);
                END LOOP;
            END
            $$;

            ALTER TABLE ledger ADD COLUMN currency text;

            ALTER TABLE open_dlr ADD COLUMN closed_sequence bigint, ADD COLUMN received_at bigint;
            CREATE SEQUENCE open_dlr_closing;
            CREATE INDEX open_dlr_expires ON open_dlr (expires) WHERE closed_by IS NULL;
            CREATE INDEX open_dlr_closed_at ON open_dlr (closed_at) WHERE closed_at IS NOT NULL;
            CREATE INDEX early_receipt_received ON early_receipt (received);

            ALTER TABLE routelog ADD COLUMN refunded boolean NOT NULL DEFAULT false;

            ALTER TABLE parked_delivery ADD COLUMN claimed_until timestamptz;
            CREATE INDEX parked_delivery_expires ON parked_delivery (expires);
            """)
}
