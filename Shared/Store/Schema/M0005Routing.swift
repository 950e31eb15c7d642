import Database

extension Migration {
    /// What routes may ask for, black- and whitelists, and the numbers of pools that are given out.
    static let routing = Migration(
        version: 5, name: "routing",
        sql: """
            ALTER TABLE route
                ADD COLUMN usergroup text,
                ADD COLUMN traffic text NOT NULL DEFAULT 'mt' CHECK (traffic IN ('mt', 'mo', 'any')),
                ADD COLUMN source text,
                ADD COLUMN keyword text,
                ADD COLUMN pattern text,
                ADD COLUMN option_name text,
                ADD COLUMN option_value text,
                ADD COLUMN schedule text,
                ADD COLUMN to_account text,
                ADD COLUMN least_cost boolean NOT NULL DEFAULT false,
                ADD COLUMN strip_digits integer NOT NULL DEFAULT 0 CHECK (strip_digits BETWEEN 0 AND 20),
                ADD COLUMN add_prefix text NOT NULL DEFAULT '',
                ADD COLUMN set_source text,
                -- The keyword of server.cfg whose file the row comes from; NULL = entered by hand.
                ADD COLUMN origin text;

            CREATE TABLE address_rule (
                ruleid bigserial PRIMARY KEY,
                list text NOT NULL CHECK (list IN ('blacklist', 'whitelist')),
                field text NOT NULL CHECK (field IN ('SOURCEADDR', 'DESTADDR')),
                address text NOT NULL,
                action text NOT NULL DEFAULT 'REJECT' CHECK (action IN ('REJECT', 'LOG')),
                account text,
                connector text,
                note text,
                origin text,
                updated timestamptz NOT NULL DEFAULT now()
            );
            CREATE UNIQUE INDEX address_rule_unique ON address_rule
                (list, field, address, coalesce(account, ''), coalesce(connector, ''), coalesce(origin, ''));

            -- A number of a pool that stands for a sender towards a phone ('' = towards any).
            CREATE TABLE sat_entry (
                pool text NOT NULL,
                number text NOT NULL,
                phone text NOT NULL,
                account text NOT NULL,
                source text NOT NULL,
                source_ton integer NOT NULL DEFAULT 0,
                source_npi integer NOT NULL DEFAULT 0,
                in_connector text NOT NULL,
                msgid bigint NOT NULL,
                created timestamptz NOT NULL DEFAULT now(),
                expires timestamptz NOT NULL,
                PRIMARY KEY (pool, phone, number)
            ) WITH (fillfactor = 70);
            CREATE INDEX sat_entry_expires ON sat_entry (expires);

            DO $$
            DECLARE
                name text;
            BEGIN
                FOREACH name IN ARRAY ARRAY['notify', 'count'] LOOP
                    EXECUTE format(
                        'CREATE TRIGGER %I AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON address_rule '
                        'FOR EACH STATEMENT EXECUTE FUNCTION signalbox_%s_config()', 'address_rule_' || name, name);
                    -- Balances change with every batch and are of no interest here.
                    EXECUTE format(
                        'CREATE TRIGGER %I AFTER INSERT OR DELETE OR UPDATE OF usergroup, route, routedlr, routesat, satpoolcreate '
                        'ON emguser FOR EACH STATEMENT EXECUTE FUNCTION signalbox_%s_config()', 'emguser_routing_' || name, name);
                END LOOP;
            END
            $$;
            """)
}
