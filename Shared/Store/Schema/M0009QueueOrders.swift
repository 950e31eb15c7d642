import Database

extension Migration {
    /// Orders to cancel or replace what waits for a provider; what is learnt of providers' receipts.
    static let queueOrders = Migration(
        version: 9, name: "queue orders",
        sql: """
            CREATE SEQUENCE queue_order_change;
            -- What a sender ordered of a message that is on its way to a provider (docs/smpp.md, "Cancel and replace").
            CREATE TABLE queue_order (
                id bigint PRIMARY KEY,
                -- Rises with each change of any row; rows become visible in this order, for their writers hold a lock.
                changed bigint NOT NULL,
                msgid bigint NOT NULL,
                username text NOT NULL,
                kind text NOT NULL CHECK (kind IN ('cancel', 'replace')),
                state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'granted', 'refused', 'ended')),
                -- What the owners of the queues said: a provider may have it; it waits, and is held back.
                late boolean NOT NULL DEFAULT false,
                held boolean NOT NULL DEFAULT false,
                -- A ShortMessage with what replaces the original's.
                record bytea,
                at timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX queue_order_changed ON queue_order (changed);
            CREATE INDEX queue_order_msgid ON queue_order (msgid);
            CREATE INDEX queue_order_standing ON queue_order (state) WHERE state IN ('asked', 'granted');

            -- Every process that sends what is queued, and up to which change it knows and follows the orders.
            CREATE TABLE queue_order_reader (
                instance text PRIMARY KEY,
                seen bigint NOT NULL,
                beat timestamptz NOT NULL DEFAULT now()
            );

            -- Vendors' parameters of the receipt that closed the entry: a Report that has nothing else.
            ALTER TABLE open_dlr ADD COLUMN options bytea;

            -- How a provider was found to write an answer's message id in its receipts.
            CREATE TABLE connector_id_rule (
                connector text PRIMARY KEY,
                -- ADDRESS as it was then: another provider writes them otherwise.
                address text NOT NULL,
                answer_base smallint NOT NULL,
                receipt_base smallint NOT NULL,
                uppercase boolean NOT NULL,
                width smallint NOT NULL,
                at timestamptz NOT NULL DEFAULT now()
            );
            """)
}
