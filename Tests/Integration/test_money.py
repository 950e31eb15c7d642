"""Money while everything moves at once: prices, top-ups, deaths, several billing instances. Nothing is ever off by a millionth."""

import os
import random
import subprocess
import threading
import time
from decimal import Decimal

import pytest

from client import Client, Submission
from gateway import executable, free_port_base, wait_for

DEFAULT_CHARGE = Decimal("0.02")
MESSAGES = int(os.environ.get("SIGNALBOX_MONEY_MESSAGES", "400"))
REFUSED_FOR_MONEY = 0x45  # ESME_RSUBMITFAIL


class PayingClient(Client):
    """Takes a refusal for want of money as an answer."""

    def _error(self, pdu):
        if pdu.command == "submit_sm_resp" and pdu.status == REFUSED_FOR_MONEY:
            self.refused.append((self.unanswered.pop(pdu.sequence), pdu.status))
            return
        super()._error(pdu)

    def _answered(self, pdu):
        # smpplib calls this for refusals too, behind the handler of errors.
        if pdu.status == 0:
            super()._answered(pdu)


class Provider:
    """A simulated SMSC of its own, with faults of its own, and its connector in the gateway."""

    def __init__(self, gateway, *faults):
        self.port = free_port_base()
        self.process = subprocess.Popen(
            [str(executable()), "smsc", "--listen", f"127.0.0.1:{self.port}", *map(str, faults)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=gateway.environment)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def configure(gateway, faulty, extra=""):
    text = gateway.run("config", "show").stdout.replace("PASSWORD=***", "PASSWORD=provider")
    text = text.replace("CONNECTOR smpp-in1 <", f"CONNECTOR smpp-in1 <\nDEFAULT_CHARGE={DEFAULT_CHARGE}")
    text += f"""
CONNECTOR faulty <
TYPE=OUTGOING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:{faulty.port}
USERNAME=x
PASSWORD=x
STATIC
WINDOWSIZE=20
{extra}
>
"""
    path = gateway.place / "money.cfg"
    path.write_text(text)
    gateway.run("config", "apply", path)


def add_account(gateway, name, *options, **columns):
    gateway.run("account", "add", name, "--password", "secret", *options)
    gateway.run("access", "add", name, "--network", "127.0.0.0/8", "--connector", "*")
    if columns:
        gateway.run("account", "set", name, *[word for item in columns.items() for word in ("--set", "%s=%s" % item)])


def reconcile(gateway):
    done = gateway.run("report", "reconcile", "--settle", "30", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def money_gateway(own_gateway):
    faulty = Provider(own_gateway, "--refuse", 15, "--undelivered", 20, "--receipt-delay", 50, "--id-format", "hex", "--receipt-id-format", "decimal")
    configure(own_gateway, faulty)
    own_gateway.run("route", "add", "--prefix", "4799", "--connector", "faulty")
    own_gateway.wait_applied()
    own_gateway.wait_healthy()
    yield own_gateway
    faulty.stop()


def finished(gateway, before):
    return gateway.one("SELECT count(*) FROM routelog WHERE msgid > %s AND msgtype = 1 AND status < 10", (before,)) == 0


def last_message(gateway):
    return gateway.one("SELECT coalesce(max(msgid), 0) FROM routelog")


def test_the_default_charge_is_taken_on_receipt_and_the_difference_on_sending(money_gateway):
    gateway = money_gateway
    # The demo's price for 4670 is 0.032.
    add_account(gateway, "two-steps", "--prepaid", "--balance", "0.052")
    client = PayingClient(gateway.smpp_port, 2, account="two-steps")
    client.connect()
    client.submit_all()
    client.receive_all()
    # The balance pays for one; the second has its default charge covered, and then not the difference.
    identity, rejected = [submission.message_id for submission in client.answered]
    assert dict(client.receipts) == {identity: "DELIVRD", rejected: "REJECTD"}
    rows = gateway.sql("SELECT kind, amount FROM ledger WHERE msgid = %s ORDER BY at", (int(identity),))
    assert rows == [(3, Decimal("-0.02")), (1, Decimal("-0.012"))]
    assert gateway.balance("two-steps") == Decimal("0.02")
    assert gateway.one("SELECT sum(amount) FROM ledger WHERE msgid = %s", (int(rejected),)) == 0
    # Now nothing but the default charge is left, and then nothing.
    gateway.run("account", "topup", "two-steps", "-0.01")
    client.to_submit = [Submission(9, 1)]
    client.submit_all()
    assert [status for _, status in client.refused] == [REFUSED_FOR_MONEY]
    client.close()
    assert gateway.balance("two-steps") == Decimal("0.01")
    reconcile(gateway)


def test_no_balance_falls_below_zero_and_every_millionth_is_accounted_for(money_gateway):
    gateway = money_gateway
    seed = random.randrange(1 << 30)
    print("seed", seed)
    dice = random.Random(seed)
    add_account(gateway, "on-send", "--prepaid", "--balance", "3")
    add_account(gateway, "on-delivery", "--prepaid", "--balance", "3", charge_on="delivery")
    add_account(gateway, "on-accept", "--postpaid", "--limit", "-3", charge_on="accept")
    add_account(gateway, "by-credits", "--credits", "150")
    accounts = ["on-send", "on-delivery", "on-accept", "by-credits"]
    before = last_message(gateway)

    state = gateway.state

    def second_billing():
        return subprocess.Popen(
            [str(executable()), "run", "billing"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**gateway.environment, "SIGNALBOX_DATABASE_URL": state["database_url"], "SIGNALBOX_KAFKA": state["kafka"],
                 "SIGNALBOX_INSTANCE": "billing-1"})

    second = second_billing()
    clients = []
    failures = []
    stop = threading.Event()

    def guarded(body):
        def run():
            try:
                body()
            except BaseException as error:  # noqa: B902: it is raised again in the test's own thread
                failures.append(error)
                stop.set()
        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def traffic(account):
        # Half of it to a provider that refuses some and fails to deliver others.
        halves = [
            PayingClient(gateway.smpp_port, MESSAGES // 2, account=account, destination=destination)
            for destination in ("46701234567", "4799123456")]
        clients.extend(halves)
        for client in halves:
            client.connect()
            client.submit_all()
            client.close()

    def changes():
        rounds = 0
        prices = []
        while not stop.is_set():
            rounds += 1
            charge = Decimal(dice.randrange(0, 60_000)) / 1_000_000
            prices.append(gateway.json(
                "price", "add", "--prefix", dice.choice(["46", "4670", "47"]), "--account", dice.choice(accounts), "--charge", charge,
                "--cost", "0.01")["priceid"])
            if len(prices) > 3:
                gateway.run("price", "rm", prices.pop(0))
            amount = Decimal(dice.randrange(-300_000, 1_200_000)) / 1_000_000
            # A deduction that the balance does not cover is refused, and that is right.
            gateway.run("account", "topup", dice.choice(accounts[:3]), str(amount or 1), check=False)
            stop.wait(0.1)

    def lowest():
        while not stop.is_set():
            low = gateway.sql(
                "SELECT username, charge_balance FROM emguser WHERE allowpostpaid = 0 AND charge_balance < 0"
                " OR charge_balance < charge_balance_postpaid_limit OR creditssend < 0")
            assert low == []
            stop.wait(0.02)

    helpers = [guarded(changes), guarded(lowest)]
    senders = [guarded(lambda account=account: traffic(account)) for account in accounts]
    try:
        def answered():
            return sum(len(client.answered) + len(client.refused) for client in clients)

        total = MESSAGES * len(accounts)
        for victim, share in [("billing", 0.15), ("ingress-smpp", 0.3), ("billing", 0.5), ("ingress-smpp", 0.7)]:
            wait_for("some traffic", lambda: answered() > total * share or stop.is_set() or not any(s.is_alive() for s in senders), 120)
            gateway.wait_restarted(victim, gateway.kill(victim))
        # The second billing instance dies too, and comes again.
        second.kill()
        second.wait()
        second = second_billing()
        for sender in senders:
            sender.join(180)
            assert not sender.is_alive()
    finally:
        stop.set()
        for helper in helpers:
            helper.join(60)
        # In order this time: it is gone for good, and its partitions go to the first.
        second.terminate()
        second.wait(60)
    if failures:
        raise failures[0]

    ids = {int(submission.message_id) for client in clients for submission in client.answered}
    wait_for("every message is logged", lambda: gateway.one(
        "SELECT count(*) FROM routelog WHERE msgid = ANY(%s)", (list(ids),)) == len(ids), 120)
    wait_for("every message has ended", lambda: finished(gateway, before), 120)
    print(reconcile(gateway))
    kinds = dict(gateway.sql("SELECT kind, count(*) FROM ledger WHERE msgid > %s OR msgid < 0 GROUP BY kind", (before,)))
    print("entries by kind", kinds, "answered", len(ids), "reconnects", sum(client.reconnects for client in clients))
    # Everything that the test is about has happened: reservations, charges, refunds, top-ups, and deaths in between.
    assert {1, 2, 3, 100} <= set(kinds) and sum(client.reconnects for client in clients) > 0

    # No booking ever left a prepaid balance below zero, nor a postpaid one below its limit.
    assert gateway.sql(
        "SELECT l.username, l.kind, l.balance_after FROM ledger l JOIN emguser u USING (userid)"
        " WHERE l.balance_after < CASE WHEN u.allowpostpaid = 1 THEN coalesce(u.charge_balance_postpaid_limit, l.balance_after) ELSE 0 END"
    ) == []
    # Each message is paid once or given back whole, by its account's policy.
    ended = gateway.sql(
        "SELECT username, status, charge, count(*), sum(paid) FROM (SELECT r.username, r.status, r.charge > 0 AS charge,"
        " -(SELECT coalesce(sum(amount), 0) FROM ledger l WHERE l.msgid = r.msgid) AS paid FROM routelog r"
        " WHERE r.msgid > %s AND r.msgtype = 1) AS x GROUP BY 1, 2, 3", (before,))
    outcomes = {(username, status) for username, status, _, _, _ in ended}
    assert ("on-delivery", 11) in outcomes and ("on-send", 11) in outcomes
    for username, status, charged, count, paid in ended:
        if status in (11, 10):
            continue
        if username == "on-delivery":
            assert not charged and paid == 0, (username, status, count, paid)
        if username in ("on-send", "by-credits") and status == 16:
            assert not charged and paid == 0, (username, status, count, paid)
    # Credits go by parts: what is left and what was paid for are what there was.
    left = gateway.one("SELECT creditssend FROM emguser WHERE username = 'by-credits'")
    paid = gateway.one(
        "SELECT coalesce(sum(charge), 0) FROM routelog WHERE username = 'by-credits' AND msgid > %s AND msgtype = 1", (before,))
    assert left + paid == 150
    gateway.wait_healthy()


def test_reconcile_finds_a_difference_of_one_millionth(money_gateway):
    gateway = money_gateway
    add_account(gateway, "off", "--prepaid", "--balance", "1")
    for statement in ("UPDATE emguser SET charge_balance = charge_balance + %s WHERE username = 'off'",):
        gateway.sql(statement, (Decimal("0.000001"),))
        done = gateway.run("report", "reconcile", "--settle", "0", check=False)
        assert done.returncode == 1
        assert "off: the balance (charges) is 1.000001, and its ledger adds up to 1.00" in done.stdout
        gateway.sql(statement, (Decimal("-0.000001"),))
    msgid = gateway.one("SELECT max(msgid) FROM routelog WHERE charge > 0 AND status >= 10")
    gateway.sql("UPDATE routelog SET charge = charge + 0.000001 WHERE msgid = %s", (msgid,))
    done = gateway.run("report", "reconcile", "--settle", "0", check=False)
    assert done.returncode == 1 and f"message {msgid}: the ledger charged" in done.stdout
    gateway.sql("UPDATE routelog SET charge = charge - 0.000001 WHERE msgid = %s", (msgid,))
    reconcile(gateway)


def test_the_summaries_equal_the_log(money_gateway):
    gateway = money_gateway
    hours = gateway.json("report", "hourly")["hours"]
    logged = gateway.sql(
        "SELECT count(*), count(*) FILTER (WHERE status = 11), coalesce(sum(charge), 0), coalesce(sum(npdus), 0) FROM routelog"
        " WHERE msgtype = 1")
    assert [(sum(hour["msgcount"] for hour in hours), sum(hour["msg_count_ok"] for hour in hours),
             sum(Decimal(hour["charge_sum"]) for hour in hours), sum(hour["npdus"] for hour in hours))] == logged
    month = time.strftime("%Y-%m", time.gmtime())
    answer = {row["username"]: (row["count"], Decimal(row["charge"]), Decimal(row["charge_cost"])) for row in
              gateway.json("report", "monthly", month)["months"]}
    # EMG's own statement (user documentation, "Monthly totals"), with a half-open range for its last day.
    emg = gateway.sql(
        "SELECT u.username, sum(r.npdus), sum(r.charge), sum(r.charge_cost) FROM routelog r JOIN emguser u ON u.username = r.username"
        " WHERE r.starttime >= to_date(%s, 'YYYY-MM') AND r.starttime < to_date(%s, 'YYYY-MM') + interval '1 month'"
        " AND r.msgtype = 1 AND r.inconnector NOT IN (SELECT name FROM connector WHERE type = 'OUTGOING') GROUP BY u.username",
        (month, month))
    assert answer == {name: (count, charge or 0, cost or 0) for name, count, charge, cost in emg}
    stored = gateway.sql("SELECT u.username, m.count, m.charge, m.charge_cost FROM monthlysummary m JOIN emguser u USING (userid)")
    assert {name: (count, charge, cost) for name, count, charge, cost in stored} == answer
