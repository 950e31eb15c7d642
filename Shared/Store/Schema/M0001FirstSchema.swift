import Database

extension Migration {
    /// EMG's tables with EMG's column names (user documentation, "Understanding EMG database usage"), in
    /// PostgreSQL's types, and ours beside them.
    static let firstSchema = Migration(
        version: 1, name: "first schema",
        sql: [accountTables, messageTables, partitionFunctions, gatewayTables, moneyTables, reportTables, runningTables, notifyTriggers]
            .joined(separator: "\n"))
}

/// Additions of ours come last: `password_scrypt` and `currency`. The balance changes with
/// every batch, hence the room left in each page for updates that touch no index.
private let accountTables = """
    CREATE TABLE emguser (
        userid bigserial PRIMARY KEY,
        created timestamptz NOT NULL DEFAULT now(),
        username text NOT NULL UNIQUE,
        password text,
        md5password text,
        creditssend bigint NOT NULL DEFAULT 0,
        creditssenddec integer NOT NULL DEFAULT 0 CHECK (creditssenddec BETWEEN 0 AND 999999),
        creditsreceive bigint NOT NULL DEFAULT 0,
        charge_balance numeric(18,6),
        charge_balance_postpaid_limit numeric(18,6),
        maxsessions integer NOT NULL DEFAULT 0,
        throughput integer NOT NULL DEFAULT 0,
        lastlogin timestamptz,
        lastfailedlogin timestamptz,
        lastip bigint,
        lastipstr text,
        lockeduntil timestamptz,
        allowpostpaid smallint NOT NULL DEFAULT 0,
        failedlogins integer NOT NULL DEFAULT 0,
        usergroup text,
        fullname text,
        company text,
        phone text,
        route text,
        routedlr text,
        routing text,
        routesat text,
        foresourceaddr text,
        satpoolcreate text,
        charges text,
        extra1 text, extra2 text, extra3 text, extra4 text, extra5 text,
        extra6 text, extra7 text, extra8 text, extra9 text,
        password_scrypt text,
        currency text NOT NULL DEFAULT 'EUR'
    ) WITH (fillfactor = 50);

    CREATE TABLE emguseraccess (
        accessid bigserial PRIMARY KEY,
        userid bigint NOT NULL REFERENCES emguser ON DELETE CASCADE,
        ipaddress bigint,
        ipmask integer,
        connector text NOT NULL DEFAULT '*',
        ipstr text,
        ipwidth integer CHECK (ipwidth BETWEEN 0 AND 128)
    );
    CREATE INDEX emguseraccess_userid ON emguseraccess (userid);
    """

/// One row a message, partitioned by message id, whose upper bits are its time of acceptance.
private let messageTables = """
    CREATE TABLE routelog (
        msgid bigint NOT NULL,
        starttime timestamp(0),
        startmsecs integer,
        endtime timestamp(0),
        endmsecs integer,
        inconnector text,
        outconnector text,
        sourceaddr text,
        destaddr text,
        status integer,
        reason integer,
        startsecs bigint,
        endsecs bigint,
        note text,
        username text,
        smscid text,
        reasontext text,
        lastdlrsecs bigint,
        lastdlrmsecs integer,
        npdus integer,
        bufferedstatus integer,
        msgtype integer,
        origid bigint,
        charge numeric(18,6),
        charge_cost numeric(18,6),
        charge_price_id bigint,
        charge_cost_price_id bigint,
        routedat bigint,
        pricedat bigint,
        submittedat bigint,
        answeredat bigint,
        reportedat bigint,
        account_currency text,
        PRIMARY KEY (msgid)
    ) PARTITION BY RANGE (msgid);
    CREATE INDEX routelog_origid ON routelog (origid) WHERE origid IS NOT NULL;
    CREATE TABLE routelog_default PARTITION OF routelog DEFAULT;

    CREATE TABLE messageoption (
        msgid bigint NOT NULL,
        optionname text NOT NULL,
        optionvalue text,
        PRIMARY KEY (msgid, optionname)
    ) PARTITION BY RANGE (msgid);
    CREATE TABLE messageoption_default PARTITION OF messageoption DEFAULT;

    CREATE TABLE messagebody (
        msgid bigint NOT NULL,
        body text,
        udh text,
        charcode text,
        datacoding integer,
        PRIMARY KEY (msgid)
    ) PARTITION BY RANGE (msgid);
    CREATE TABLE messagebody_default PARTITION OF messagebody DEFAULT;

    CREATE TABLE monthlysummary (
        month text NOT NULL,
        userid bigint NOT NULL,
        count bigint NOT NULL DEFAULT 0,
        charge numeric(24,6) NOT NULL DEFAULT 0,
        charge_cost numeric(24,6) NOT NULL DEFAULT 0,
        PRIMARY KEY (month, userid)
    );
    """

/// A message id is (milliseconds since 2020-01-01T00:00:00Z) << 22 | node slot << 12 | sequence.
private let partitionFunctions = """
    CREATE FUNCTION signalbox_msgid_floor(moment timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT ((extract(epoch FROM moment) * 1000)::bigint - 1577836800000) << 22
    $$;

    CREATE FUNCTION signalbox_msgid_time(id bigint) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT to_timestamp(((id >> 22) + 1577836800000) / 1000.0)
    $$;

    -- Makes one partition a day and table. Rows of a new partition's range that waited in the default partition
    -- move over first: a range that the default partition holds rows of cannot be attached.
    CREATE FUNCTION signalbox_ensure_partitions(first_day date, days integer) RETURNS integer
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
        FOREACH parent IN ARRAY ARRAY['routelog', 'messageoption', 'messagebody'] LOOP
            FOR offset_days IN 0 .. days - 1 LOOP
                day := first_day + offset_days;
                child := parent || '_' || to_char(day, 'YYYYMMDD');
                CONTINUE WHEN to_regclass(quote_ident(child)) IS NOT NULL;
                low := signalbox_msgid_floor(day::timestamp AT TIME ZONE 'UTC');
                high := signalbox_msgid_floor((day + 1)::timestamp AT TIME ZONE 'UTC');
                EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent || '_default');
                EXECUTE format(
                    'CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH (fillfactor = 80)', child, parent);
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

    CREATE SEQUENCE node_slot AS integer MINVALUE 0 MAXVALUE 1023 START 0 CYCLE;
    """

private let gatewayTables = """
    CREATE TABLE connector (
        name text PRIMARY KEY,
        type text NOT NULL CHECK (type IN ('INCOMING', 'OUTGOING')),
        protocol text NOT NULL,
        position integer NOT NULL DEFAULT 0,
        disabled boolean NOT NULL DEFAULT false,
        note text,
        updated timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE connector_option (
        connector text NOT NULL REFERENCES connector ON DELETE CASCADE ON UPDATE CASCADE,
        ordinal integer NOT NULL,
        key text NOT NULL,
        value text,
        PRIMARY KEY (connector, ordinal)
    );
    CREATE TABLE general_option (
        ordinal integer PRIMARY KEY,
        key text NOT NULL,
        value text
    );
    -- DB, PLUGIN, SATPOOL, DOMAIN and CONNECTORGROUP sections, kept as they are written.
    CREATE TABLE config_section (
        kind text NOT NULL,
        name text NOT NULL,
        position integer NOT NULL DEFAULT 0,
        PRIMARY KEY (kind, name)
    );
    CREATE TABLE config_section_option (
        kind text NOT NULL,
        name text NOT NULL,
        ordinal integer NOT NULL,
        key text NOT NULL,
        value text,
        PRIMARY KEY (kind, name, ordinal),
        FOREIGN KEY (kind, name) REFERENCES config_section ON DELETE CASCADE
    );
    CREATE TABLE route (
        routeid bigserial PRIMARY KEY,
        prefix text NOT NULL DEFAULT '',
        account text,
        in_connector text,
        out_connector text NOT NULL,
        priority integer NOT NULL DEFAULT 0,
        weight integer NOT NULL DEFAULT 1 CHECK (weight >= 0),
        disabled boolean NOT NULL DEFAULT false,
        note text,
        updated timestamptz NOT NULL DEFAULT now()
    );
    """

/// `kind` of a ledger row: 100 is a top-up, whose msgid is a negative number from `ledger_topup`.
private let moneyTables = """
    CREATE TABLE price (
        priceid bigserial PRIMARY KEY,
        prefix text NOT NULL DEFAULT '',
        account text,
        in_connector text,
        out_connector text,
        charge numeric(18,6),
        charge_cost numeric(18,6),
        currency text NOT NULL DEFAULT 'EUR',
        valid_from timestamptz,
        valid_until timestamptz,
        disabled boolean NOT NULL DEFAULT false,
        note text,
        updated timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE ledger (
        msgid bigint NOT NULL,
        kind smallint NOT NULL,
        userid bigint NOT NULL,
        username text NOT NULL,
        amount numeric(18,6) NOT NULL,
        balance_after numeric(18,6),
        mechanism smallint NOT NULL,
        charge_cost numeric(18,6),
        charge_price_id bigint,
        charge_cost_price_id bigint,
        at timestamptz NOT NULL DEFAULT now(),
        note text,
        PRIMARY KEY (msgid, kind)
    );
    CREATE SEQUENCE ledger_topup INCREMENT -1 MAXVALUE -1 START -1;
    CREATE TABLE emgp_balance_history (
        id bigserial PRIMARY KEY,
        emguser_id bigint NOT NULL,
        amount_before numeric(18,6),
        amount numeric(18,6) NOT NULL,
        created timestamptz NOT NULL DEFAULT now(),
        created_by text
    );
    CREATE INDEX emgp_balance_history_user ON emgp_balance_history (emguser_id, created);
    """

private let reportTables = """
    CREATE TABLE open_dlr (
        connector text NOT NULL,
        smscid text NOT NULL,
        msgid bigint NOT NULL,
        part integer NOT NULL DEFAULT 1,
        parts integer NOT NULL DEFAULT 1,
        record bytea,
        created timestamptz NOT NULL DEFAULT now(),
        expires timestamptz,
        closed_by text,
        status smallint,
        error text,
        reason_text text,
        done_at bigint,
        closed_at timestamptz,
        PRIMARY KEY (connector, smscid, msgid)
    ) WITH (fillfactor = 70);
    CREATE INDEX open_dlr_msgid ON open_dlr (msgid);
    CREATE INDEX open_dlr_created ON open_dlr (created);

    CREATE TABLE early_receipt (
        connector text NOT NULL,
        smscid text NOT NULL,
        source text PRIMARY KEY,
        record bytea NOT NULL,
        received timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX early_receipt_smscid ON early_receipt (connector, smscid);

    CREATE TABLE orphan_receipt (
        connector text NOT NULL,
        smscid text NOT NULL,
        source text PRIMARY KEY,
        record bytea NOT NULL,
        received timestamptz NOT NULL DEFAULT now(),
        note text
    );
    CREATE INDEX orphan_receipt_smscid ON orphan_receipt (connector, smscid);

    CREATE TABLE parked_delivery (
        id bigserial PRIMARY KEY,
        username text NOT NULL,
        connector text,
        msgid bigint NOT NULL UNIQUE,
        record bytea NOT NULL,
        created timestamptz NOT NULL DEFAULT now(),
        expires timestamptz
    );
    CREATE INDEX parked_delivery_username ON parked_delivery (username, id);
    """

private let runningTables = """
    CREATE TABLE session (
        sessionid text PRIMARY KEY,
        connector text NOT NULL,
        username text,
        instance text NOT NULL,
        bind text,
        remote text,
        bound timestamptz NOT NULL DEFAULT now(),
        beat timestamptz NOT NULL DEFAULT now(),
        closed boolean NOT NULL DEFAULT false,
        closed_at timestamptz
    ) WITH (fillfactor = 70);
    CREATE INDEX session_username ON session (username) WHERE NOT closed;

    CREATE TABLE service_instance (
        service text NOT NULL,
        instance text NOT NULL,
        pid integer,
        started timestamptz NOT NULL DEFAULT now(),
        beat timestamptz NOT NULL DEFAULT now(),
        state text,
        detail text,
        endpoint text,
        PRIMARY KEY (service, instance)
    ) WITH (fillfactor = 50);

    CREATE TABLE audit (
        id bigserial PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        who text,
        action text NOT NULL,
        detail text
    );
    """

/// Statement triggers: a batch of changes makes one notification, and PostgreSQL folds equal ones of a transaction.
private let notifyTriggers = """
    CREATE FUNCTION signalbox_notify_config() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('signalbox_config', TG_TABLE_NAME);
        RETURN NULL;
    END
    $$;
    DO $$
    DECLARE
        name text;
    BEGIN
        FOREACH name IN ARRAY ARRAY['connector', 'connector_option', 'general_option', 'config_section', 'config_section_option',
                                    'route', 'price', 'emguseraccess'] LOOP
            EXECUTE format(
                'CREATE TRIGGER %I AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I '
                'FOR EACH STATEMENT EXECUTE FUNCTION signalbox_notify_config()', name || '_notify', name);
        END LOOP;
    END
    $$;
    """
