import Database

extension Migration {
    /// Policies and reservations, reports by part, provider ids in any notation, and the summaries of the log.
    static let money = Migration(
        version: 6, name: "money",
        sql: [policies, openings, reportKeys, summaries].joined(separator: "\n"))
}

/// An account's columns that services keep a copy of count as configuration; balances and logins do not.
private let policies = """
    ALTER TABLE emguser
        ADD COLUMN charge_on text NOT NULL DEFAULT 'send' CHECK (charge_on IN ('accept', 'send', 'delivery')),
        ADD COLUMN dlr_per_part boolean NOT NULL DEFAULT false;
    CREATE TRIGGER emguser_count
        AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF username, usergroup, route, routedlr, routing, routesat, foresourceaddr,
            satpoolcreate, charges, charge_on, dlr_per_part
        ON emguser FOR EACH STATEMENT EXECUTE FUNCTION signalbox_count_config();

    ALTER TABLE routelog ADD COLUMN charge_revision integer NOT NULL DEFAULT -1;
    UPDATE routelog SET charge_revision = CASE WHEN refunded THEN 60001 ELSE 10 END WHERE charge IS NOT NULL;
    ALTER TABLE routelog DROP COLUMN refunded;

    -- A removed price stays for the messages that name it.
    ALTER TABLE price ADD COLUMN removed timestamptz;

    CREATE INDEX ledger_reservation ON ledger (msgid) WHERE kind = 3;
    """

/// From here on each balance is the sum of its ledger rows: what was there before gets an opening row.
private let openings = """
    INSERT INTO ledger (msgid, kind, userid, username, amount, balance_after, mechanism, currency, note)
    SELECT nextval('ledger_topup'), 100, u.userid, u.username, u.charge_balance - COALESCE(l.total, 0), u.charge_balance, 2, u.currency,
        'balance before the ledger'
    FROM emguser u LEFT JOIN (SELECT userid, sum(amount) AS total FROM ledger WHERE mechanism = 2 GROUP BY userid) l USING (userid)
    WHERE u.charge_balance IS NOT NULL AND u.charge_balance <> COALESCE(l.total, 0);
    INSERT INTO ledger (msgid, kind, userid, username, amount, balance_after, mechanism, note)
    SELECT nextval('ledger_topup'), 100, u.userid, u.username, c.credits - COALESCE(l.total, 0), c.credits, 3, 'credits before the ledger'
    FROM emguser u CROSS JOIN LATERAL (SELECT (u.creditssend + u.creditssenddec / 1000000.0)::numeric(18,6) AS credits) c
        LEFT JOIN (SELECT userid, sum(amount) AS total FROM ledger WHERE mechanism = 3 GROUP BY userid) l ON l.userid = u.userid
    WHERE c.credits <> COALESCE(l.total, 0);
    """

/// `match_key` is the provider's id without the freedom that providers take: lower case, no zeros in front.
private let reportKeys = """
    ALTER TABLE open_dlr ADD COLUMN match_key text;
    UPDATE open_dlr SET match_key = lower(ltrim(smscid, '0'));
    ALTER TABLE open_dlr ALTER COLUMN match_key SET NOT NULL, DROP CONSTRAINT open_dlr_pkey,
        ADD PRIMARY KEY (connector, match_key, msgid, part);

    ALTER TABLE early_receipt ADD COLUMN match_key text, ADD COLUMN other_keys text[] NOT NULL DEFAULT '{}';
    UPDATE early_receipt SET match_key = lower(ltrim(smscid, '0'));
    ALTER TABLE early_receipt ALTER COLUMN match_key SET NOT NULL;
    DROP INDEX early_receipt_smscid;
    CREATE INDEX early_receipt_key ON early_receipt (connector, match_key);
    CREATE INDEX orphan_receipt_received ON orphan_receipt (received);
    """

/// Hours of the log that changed since their summary was made are in `summary_due`. EMG Portal's table of the same is a view.
private let summaries = """
    CREATE TABLE routelog_hourly (
        hour timestamp NOT NULL,
        username text NOT NULL,
        prefix text NOT NULL,
        charge numeric(18,6) NOT NULL,
        msgcount bigint NOT NULL,
        msg_count_ok bigint NOT NULL,
        msg_count_relayed bigint NOT NULL,
        npdus bigint NOT NULL,
        charge_sum numeric(24,6) NOT NULL,
        charge_cost_sum numeric(24,6) NOT NULL,
        PRIMARY KEY (hour, username, prefix, charge)
    );
    CREATE TABLE summary_due (hour bigint PRIMARY KEY);
    INSERT INTO summary_due SELECT DISTINCT startsecs / 3600 FROM routelog WHERE startsecs IS NOT NULL;

    CREATE VIEW emgp_hourly_summary AS
        SELECT username, to_char(hour, 'YYYY-MM-DD HH24') AS time, prefix, charge, msgcount, msg_count_ok, msg_count_relayed
        FROM routelog_hourly;
    """
