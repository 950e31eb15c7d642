"""What the message log keeps: bodies and options by connector, texts left out or encrypted by account, summaries equal to the log."""

import os
import re
import stat
import subprocess

import pytest

from client import Client
from gateway import executable, wait_for

ACCOUNTS = {"clear": "plain", "silent": "none", "sealed": "encrypted"}
DIFFERENCES = """
    WITH log AS (
        SELECT date_trunc('hour', r.starttime) AS hour, r.username, COALESCE(p.prefix, '') AS prefix,
            COALESCE(r.charge / GREATEST(r.npdus, 1), 0)::numeric(18,6) AS unit, count(*), count(*) FILTER (WHERE status = 11),
            sum(r.npdus), sum(COALESCE(r.charge, 0)), sum(COALESCE(r.charge_cost, 0))
        FROM routelog r LEFT JOIN price p ON p.priceid = r.charge_price_id WHERE r.msgtype = 1 GROUP BY 1, 2, 3, 4),
    kept AS (
        SELECT hour, username, prefix, charge, msgcount, msg_count_ok, npdus, charge_sum, charge_cost_sum FROM routelog_hourly)
    (TABLE log EXCEPT TABLE kept) UNION ALL (TABLE kept EXCEPT TABLE log)
"""
MONTHS = """
    WITH log AS (
        SELECT to_char(starttime, 'YYYY-MM'), userid, sum(npdus), sum(COALESCE(charge, 0)), sum(COALESCE(charge_cost, 0))
        FROM routelog JOIN emguser USING (username) WHERE msgtype = 1 GROUP BY 1, 2),
    kept AS (SELECT month, userid, count, charge, charge_cost FROM monthlysummary)
    (TABLE log EXCEPT TABLE kept) UNION ALL (TABLE kept EXCEPT TABLE log)
"""


@pytest.fixture(scope="module")
def log_gateway(own_gateway):
    for name, form in ACCOUNTS.items():
        own_gateway.run("account", "add", name, "--password", "secret", "--prepaid", "--balance", "100")
        own_gateway.run("access", "add", name, "--network", "127.0.0.0/8", "--connector", "*")
        own_gateway.run("account", "set", name, "--set", f"logbody={form}")
    return own_gateway


def send(gateway, account, count=1):
    client = Client(gateway.smpp_port, count, account=account)
    client.connect()
    client.submit_all()
    client.receive_all()
    client.close()
    ids = [int(submission.message_id) for submission in client.answered]
    wait_for(
        "the log has the ends of all",
        lambda: gateway.one("SELECT count(*) FROM routelog WHERE msgid = ANY(%s) AND status >= 11", (ids,)) == count)
    return ids


def content(gateway, identity):
    bodies = gateway.sql("SELECT body, keyid FROM messagebody WHERE msgid = %s", (identity,))
    return bodies, gateway.one("SELECT count(*) FROM messageoption WHERE msgid = %s", (identity,))


def test_an_account_says_whether_its_texts_are_kept(log_gateway):
    gateway = log_gateway
    text = "message 0 attempt 1"
    (clear,) = send(gateway, "clear")
    bodies, options = content(gateway, clear)
    assert bodies == [(text, None)] and options > 0

    (silent,) = send(gateway, "silent")
    bodies, options = content(gateway, silent)
    assert bodies == [] and options > 0
    assert text not in gateway.run("message", "show", silent).stdout

    (sealed,) = send(gateway, "sealed")
    ((body, key),) = content(gateway, sealed)[0]
    assert body is None and re.fullmatch("k[0-9a-f]{8}", key)
    keys = gateway.data / "body.keys"
    assert stat.S_IMODE(os.stat(keys).st_mode) == 0o600 and key in keys.read_text()
    assert f'"{text}"' in gateway.run("message", "show", sealed).stdout
    assert gateway.json("message", "show", sealed)["body"]["text"] == text

    # Without this key it says so, and shows the rest.
    other = gateway.place / "other.keys"
    other.write_text("other " + "00" * 32 + "\n")
    shown = gateway.run(
        "message", "show", sealed, environment=gateway.environment | {"SIGNALBOX_BODY_KEY_FILE": str(other)}).stdout
    assert text not in shown and f"encrypted with the key {key}, which is not at hand" in shown and "DELIVERED" in shown

    # It stands in the clear in no column of the log.
    for table in ["routelog", "messageoptions", "messagebody"]:
        found = gateway.sql(f"SELECT t::text FROM {table} t WHERE msgid = ANY(%s) AND t::text LIKE %s", ([silent, sealed], "%attempt%"))
        assert found == []


def test_without_a_key_texts_are_left_out_and_the_operator_hears_of_it(log_gateway):
    gateway = log_gateway
    # A second instance, started without the file of keys.
    path = gateway.place / "keyless.log"
    environment = gateway.environment | {
        "SIGNALBOX_INSTANCE": "routelog-1", "SIGNALBOX_DATABASE_URL": gateway.state["database_url"],
        "SIGNALBOX_KAFKA": gateway.state["kafka"]}
    with open(path, "wb") as output:
        keyless = subprocess.Popen(
            [str(executable()), "run", "routelog"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
    try:
        detail = "SELECT detail FROM service_instance WHERE instance = 'routelog-1' AND state = 'healthy'"
        wait_for(
            "the detail says so",
            lambda: any("texts of 1 account are left out" in text for (text,) in gateway.sql(detail)))
        # Two instances share the partitions: some of these are written by the one that has no key, and none in the clear.
        ids = send(gateway, "sealed", 20)
        sealed = gateway.one("SELECT count(*) FROM messagebody WHERE msgid = ANY(%s) AND keyid IS NOT NULL", (ids,))
        assert gateway.one("SELECT count(*) FROM messagebody WHERE msgid = ANY(%s)", (ids,)) == sealed
    finally:
        keyless.terminate()
        assert keyless.wait(30) == 0
    assert path.read_text().count("message texts are left out") == 1


def test_a_connector_says_whether_bodies_and_options_are_kept(log_gateway):
    gateway = log_gateway
    before = gateway.run("config", "show").stdout
    try:
        for connector, keyword, expected in [
            ("smpp-in1", "DISABLE_MESSAGEBODY", (0, True)), ("smpp-providerA", "DISABLE_MESSAGEBODY", (0, True)),
            ("smpp-in1", "DISABLE_MESSAGEOPTION", (1, False)), (None, "DISABLE_MESSAGEOPTION", (1, False)),
        ]:
            path = gateway.place / "log.cfg"
            head = f"CONNECTOR {connector} <"
            path.write_text(before.replace(head, f"{head}\n{keyword}") if connector else f"{keyword}\n{before}")
            done = gateway.run("config", "apply", path)
            assert "not supported" not in done.stdout + done.stderr
            gateway.wait_healthy()
            (identity,) = send(gateway, "clear")

            def kept():
                bodies, options = content(gateway, identity)
                return len(bodies), options > 0

            # One of the two is always written, and both at once: its end may stand in the log a moment before.
            wait_for(f"{keyword} of {connector}", lambda: any(kept()), 20)
            assert kept() == expected, (connector, keyword)
    finally:
        path.write_text(before)
        gateway.run("config", "apply", path)


def test_summaries_become_equal_to_the_log_by_themselves(log_gateway):
    gateway = log_gateway
    send(gateway, "clear", 40)
    send(gateway, "sealed", 10)
    for query in [DIFFERENCES, MONTHS]:
        wait_for("the summaries equal the log", lambda: gateway.sql(query) == [], timeout=60)
    assert gateway.one("SELECT sum(msgcount) FROM emgp_hourly_summary WHERE username = 'clear'") >= 40
    # A price that changed and news of an hour that was summed up already: a report sums up before it answers.
    gateway.run("price", "add", "--prefix", "46701", "--charge", "0.044")
    send(gateway, "clear", 7)
    rows = gateway.json("report", "hourly", "--account", "clear")["hours"]
    assert sum(row["msgcount"] for row in rows) == gateway.one("SELECT count(*) FROM routelog WHERE username = 'clear' AND msgtype = 1")
    assert gateway.sql(DIFFERENCES) == [] and gateway.sql(MONTHS) == []


def test_days_beyond_the_retention_are_dropped_while_everything_runs(log_gateway):
    gateway = log_gateway
    gateway.sql("SELECT signalbox_ensure_partitions((now() AT TIME ZONE 'UTC')::date - 12, 3)")
    before = gateway.run("config", "show").stdout
    path = gateway.place / "retention.cfg"
    path.write_text("LOGRETENTION=9\n" + before)
    gateway.run("config", "apply", path)
    days = "SELECT count(*) FROM pg_class WHERE relname ~ '^(routelog|messageoptions|messagebody)_[0-9]{8}$' AND relkind = 'r'" \
        " AND to_date(right(relname, 8), 'YYYYMMDD') < (now() AT TIME ZONE 'UTC')::date - 9"
    wait_for("old days are gone", lambda: gateway.one(days) == 0)
    assert gateway.one(days.replace("<", ">=")) > 0
    send(gateway, "clear")
    path.write_text(before)
    gateway.run("config", "apply", path)
