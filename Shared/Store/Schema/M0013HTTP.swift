import Database

extension Migration {
    /// Clients over HTTP: their keys, what they asked before, and where they want to hear of their messages.
    static let http = Migration(
        version: 13, name: "http clients",
        sql: """
            -- A key is shown once, when it is made; only its hash is kept.
            CREATE TABLE api_key (
                id bigserial PRIMARY KEY,
                username text NOT NULL REFERENCES emguser (username) ON DELETE CASCADE ON UPDATE CASCADE,
                name text NOT NULL DEFAULT '',
                hash bytea NOT NULL UNIQUE,
                hint text NOT NULL,
                created timestamptz NOT NULL DEFAULT now(),
                lastused timestamptz,
                revoked timestamptz
            );
            CREATE INDEX api_key_username ON api_key (username);

            -- The answer that an idempotency key gets for good. Without an answer it is claimed: by a request that is under way, or by
            -- one whose instance died; then the log tells whether its messages were kept.
            CREATE TABLE http_idempotency (
                username text NOT NULL,
                key text NOT NULL,
                fingerprint bytea NOT NULL,
                msgids bigint[] NOT NULL,
                claimed timestamptz NOT NULL DEFAULT now(),
                status integer,
                answer bytea,
                PRIMARY KEY (username, key)
            );
            CREATE INDEX http_idempotency_claimed ON http_idempotency (claimed);

            CREATE TABLE webhook (
                username text PRIMARY KEY REFERENCES emguser (username) ON DELETE CASCADE ON UPDATE CASCADE,
                report_url text,
                message_url text,
                style text NOT NULL DEFAULT 'json' CHECK (style IN ('json', 'emg', 'kannel', 'jasmin')),
                secret text NOT NULL,
                concurrency integer CHECK (concurrency BETWEEN 1 AND 1000),
                changed timestamptz NOT NULL DEFAULT now()
            );
            CREATE TRIGGER webhook_count AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON webhook
                FOR EACH STATEMENT EXECUTE FUNCTION signalbox_count_config();

            -- What could not be handed over within WEBHOOKMAXAGE. It waits for an operator's word until it expires.
            CREATE TABLE parked_webhook (
                id bigserial PRIMARY KEY,
                username text NOT NULL,
                connector text NOT NULL,
                msgid bigint NOT NULL UNIQUE,
                url text NOT NULL,
                reason text NOT NULL,
                record bytea NOT NULL,
                parked timestamptz NOT NULL DEFAULT now(),
                expires timestamptz NOT NULL,
                pushed timestamptz
            );
            CREATE INDEX parked_webhook_username ON parked_webhook (username, id);
            CREATE INDEX parked_webhook_expires ON parked_webhook (expires);
            CREATE INDEX parked_webhook_pushed ON parked_webhook (connector, id) WHERE pushed IS NOT NULL;
            """)
}
