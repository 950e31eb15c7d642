"""Two ingress instances are one gateway: sessions are counted together, and reports find their client wherever it is bound."""

import os
import signal
import urllib.request

import pytest

from gateway import wait_for
from ingress import (
    BIND_RECEIVER, BIND_TRANSMITTER, RBINDFAIL, SUBMIT_SM, UNBIND, Instance, add_connector, ask, bind, bind_status, new_account,
    receive_deliveries, submit_body, text_of)
from smpp_raw import OK, RESPONSE, pdu

OFFSET = 27  # the second instance listens at the first's port plus this

#: an account whose reports are read by the gateway's own instance
read_here = []


@pytest.fixture(scope="module")
def second(own_gateway):
    instance = Instance(own_gateway, "ingress-smpp-1", OFFSET).start()
    yield instance
    instance.stop()


def submit_many(session, count, destination_prefix):
    """Messages with reports to destinations of their own. Returns their ids."""
    ids = set()
    for number in range(count):
        status, body = ask(session, SUBMIT_SM, 100 + number, submit_body(destination=f"{destination_prefix}{number:04}"))
        assert status == OK
        ids.add(text_of(body))
    return ids


def forwarded(gateway):
    """Deliveries that the gateway's own ingress has passed on; the counter shows with the first."""
    name = "signalbox_ingress_smpp_deliveries_forwarded_total"
    for port in range(gateway.base + 10, gateway.base + 20):
        try:
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith(name + " "):
                return int(line.split()[1])
    return 0


@pytest.mark.parametrize("there", [0, OFFSET], ids=["received here", "received at the other instance"])
def test_reports_reach_the_only_receiver_on_whichever_instance_it_is(own_gateway, second, there):
    """One queue's partitions are shared by both instances: about half of the accounts' reports are read by the wrong one."""
    port = own_gateway.smpp_port
    accounts = [new_account(own_gateway) for _ in range(3)]
    parked = own_gateway.one("SELECT count(*) FROM parked_delivery")
    for number, account in enumerate(accounts):
        receiver = bind(port + there, account, command=BIND_RECEIVER)
        sender = bind(port + OFFSET - there, account, command=BIND_TRANSMITTER)
        ids = submit_many(sender, 5, f"4670{number}{there}")
        assert {report.receipt_id for report in receive_deliveries(receiver, 5, timeout=30)} == ids
        sender.socket.close()
        receiver.socket.close()
    assert own_gateway.one("SELECT count(*) FROM parked_delivery") == parked


def test_what_the_wrong_instance_reads_comes_through_the_mailbox(own_gateway, second):
    """Which instance reads an account's reports hangs on its name: some name will do."""
    port, before = own_gateway.smpp_port, forwarded(own_gateway)
    for _ in range(40):
        account = new_account(own_gateway)
        receiver = bind(port + OFFSET, account, command=BIND_RECEIVER)
        sender = bind(port, account, command=BIND_TRANSMITTER)
        ids = submit_many(sender, 3, "467044")
        assert {report.receipt_id for report in receive_deliveries(receiver, 3)} == ids
        receiver.socket.close()
        sender.socket.close()
        if forwarded(own_gateway) > before:
            read_here.append(account)
            return
    raise AssertionError("none of forty accounts' reports was read by the other instance")


def test_a_receiver_on_another_connector_gets_the_reports(own_gateway, second):
    account = new_account(own_gateway)
    _, port = add_connector(own_gateway)
    receiver, sender = bind(port, account, command=BIND_RECEIVER), bind(own_gateway.smpp_port, account, command=BIND_TRANSMITTER)
    ids = submit_many(sender, 3, "467055")
    assert {report.receipt_id for report in receive_deliveries(receiver, 3)} == ids
    receiver.socket.close()
    sender.socket.close()


def test_sessions_are_counted_over_both_instances(own_gateway, second):
    account = new_account(own_gateway, "--max-sessions", "2")
    port = own_gateway.smpp_port
    first, other = bind(port, account), bind(port + OFFSET, account)
    assert [bind_status(port, account), bind_status(port + OFFSET, account)] == [RBINDFAIL, RBINDFAIL]
    # A kick reaches a session wherever it is.
    (row,) = [row for row in own_gateway.json("session", "list", "--account", account)["sessions"] if row["instance"] == second.name]
    own_gateway.run("session", "kick", row["id"])
    assert other.receive()[0] == UNBIND
    other.send(pdu(UNBIND | RESPONSE, 1))
    wait_for("the place is free", lambda: bind_status(port, account) == OK)
    assert first.is_alive()
    for session in (first, other):
        session.socket.close()


def test_reports_wait_while_the_client_is_away_and_come_at_its_bind_on_any_instance(own_gateway, second):
    account = new_account(own_gateway)
    port = own_gateway.smpp_port
    sender = bind(port, account, command=BIND_TRANSMITTER)
    ids = submit_many(sender, 10, "467066")
    sender.socket.close()
    wait_for(
        "all are parked", lambda: own_gateway.one("SELECT count(*) FROM parked_delivery WHERE username = %s", (account,)) == 10, 30)
    order = wait_for(
        "their lines are in the log",
        lambda: (lambda rows: [str(row[0]) for row in rows] if len(rows) == 10 else None)(own_gateway.sql(
            "SELECT r.origid FROM parked_delivery p JOIN routelog r USING (msgid) WHERE p.username = %s ORDER BY p.id", (account,))), 30)
    receiver = bind(port + OFFSET, account, command=BIND_RECEIVER)
    reports = receive_deliveries(receiver, 10, timeout=30)
    assert {report.receipt_id for report in reports} == ids
    assert [report.receipt_id for report in reports] == order, "in the order in which they were parked"
    wait_for(
        "none is left", lambda: own_gateway.one("SELECT count(*) FROM parked_delivery WHERE username = %s", (account,)) == 0, 30)
    receiver.socket.close()


def test_a_killed_instance_s_sessions_stop_to_count_and_what_lay_in_its_mailbox_is_delivered(own_gateway, second):
    account = new_account(own_gateway, "--max-sessions", "1")
    (waiting,) = read_here
    port, before = own_gateway.smpp_port, forwarded(own_gateway)
    lost = bind(port + OFFSET, account)
    receiver = bind(port + OFFSET, waiting, command=BIND_RECEIVER)
    sender = bind(port, waiting, command=BIND_TRANSMITTER)
    # It stands still, and is taken for alive for some seconds: what is passed on to it stays in its mailbox.
    os.kill(second.process.pid, signal.SIGSTOP)
    ids = submit_many(sender, 8, "467077")
    wait_for("they are passed on", lambda: forwarded(own_gateway) == before + 8, 7)
    assert bind_status(port, account) == RBINDFAIL
    second.kill()
    lost.socket.close()
    receiver.socket.close()
    wait_for("the dead session does not count", lambda: bind_status(port, account) == OK, 30, 0.5)
    # Its mailbox goes to the one that lives.
    receiver = bind(port, waiting, command=BIND_RECEIVER, timeout=100)
    assert {report.receipt_id for report in receive_deliveries(receiver, 8, timeout=90)} == ids
    assert "looks after the mailbox of an instance that is gone" in own_gateway.log.read_text(errors="replace")
    receiver.socket.close()
    sender.socket.close()


def test_it_comes_back_and_takes_its_part_again(own_gateway, second):
    assert second.process.poll() is not None
    second.start()
    account = new_account(own_gateway)
    receiver = bind(own_gateway.smpp_port + OFFSET, account, command=BIND_RECEIVER, timeout=60)
    sender = bind(own_gateway.smpp_port, account, command=BIND_TRANSMITTER)
    ids = submit_many(sender, 5, "467088")
    assert {report.receipt_id for report in receive_deliveries(receiver, 5, timeout=60)} == ids
    receiver.socket.close()
    sender.socket.close()
