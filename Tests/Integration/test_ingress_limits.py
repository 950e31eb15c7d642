"""What a client may not do: come from elsewhere, come too often, too fast, too silent. And what an operator can do about it."""

import itertools
import socket
import threading
import time

import pytest

from gateway import is_free, wait_for
from http_endpoint import API
from ingress import (
    BIND_RECEIVER, ENQUIRE_LINK, RBINDFAIL, RMSGQFUL, RTHROTTLED, SUBMIT_SM, UNBIND, add_connector, ask, bind, bind_status, free_port,
    new_account, set_options, submit_body)
from smpp_raw import OK, RESPONSE, RINVPASWD, RawSession, pdu


def statuses(session, count):
    """Statuses of the next answers to submit_sm by sequence number, with the moment of each."""
    got = {}
    while len(got) < count:
        command, status, sequence, _ = session.receive()
        if command == SUBMIT_SM | RESPONSE:
            got[sequence] = (status, time.monotonic())
    return got


# Who may come in


def test_an_address_outside_access_is_not_talked_to(gateway):
    account = new_account(gateway)
    _, port = add_connector(gateway, ACCESS=["192.0.2.0/24", "2001:db8::/32"])
    with pytest.raises((EOFError, ConnectionResetError)):
        bind_status(port, account)
    _, port = add_connector(gateway, ACCESS="192.0.2.0/24, 127.0.0.0/8")
    bind(port, account).socket.close()


def test_an_account_is_let_in_from_its_networks_only_of_either_family(gateway):
    allowed, refused = new_account(gateway, network="::1/128"), new_account(gateway, network="2001:db8::/32")
    _, port = add_connector(gateway, "::1")
    for account, status in ((allowed, OK), (refused, RBINDFAIL)):
        session = RawSession.__new__(RawSession)
        session.socket = socket.create_connection(("::1", port), timeout=10)
        with session:
            assert session.bind(account)[1] == status
    assert gateway.one("SELECT lastipstr FROM emguser WHERE username = %s", (allowed,)) == "::1"


def test_maxsessions_and_instances_are_kept_and_a_session_that_ended_counts_no_more(gateway):
    account, other = new_account(gateway, "--max-sessions", "2"), new_account(gateway)
    name, port = add_connector(gateway, INSTANCES=4)
    first, second = bind(port, account), bind(port, account)
    assert bind_status(port, account) == RBINDFAIL
    # Through another connector it is the same account.
    assert bind_status(gateway.smpp_port, account) == RBINDFAIL
    third, fourth = bind(port, other), bind(port, other)
    assert bind_status(port, other) == RBINDFAIL
    first.socket.close()
    wait_for("the place is free", lambda: bind_status(port, account) == OK)
    fourth.ask(UNBIND, 9)
    wait_for("the place is free", lambda: bind_status(port, other) == OK)
    for session in (second, third):
        assert session.is_alive()
        session.socket.close()
    wait_for("no row is left", lambda: gateway.one("SELECT count(*) FROM session WHERE connector = %s", (name,)) == 0)


def test_wrong_passwords_lock_an_account_for_a_while(gateway):
    account = new_account(gateway)
    _, port = add_connector(gateway, MAXFAILEDLOGINS=3, LOCKOUTTIME=2)
    session = bind(port, account)
    assert gateway.one("SELECT lastlogin > now() - interval '1 minute' FROM emguser WHERE username = %s", (account,))
    for _ in range(3):
        assert bind_status(port, account, "wrong") == RINVPASWD
    assert gateway.one("SELECT lastfailedlogin > now() - interval '1 minute' FROM emguser WHERE username = %s", (account,))
    # While it is locked the right password does not help, and a wrong one is not told from it.
    assert bind_status(port, account) == RBINDFAIL
    assert bind_status(port, account, "wrong") == RBINDFAIL
    assert session.is_alive(), "a session that is bound is not concerned"
    wait_for("the lock ends", lambda: bind_status(port, account) == OK, 10)
    session.socket.close()


def test_a_stranger_cannot_lock_an_account_out(gateway):
    account = new_account(gateway, network="192.0.2.0/24")
    _, port = add_connector(gateway, MAXFAILEDLOGINS=2)
    for _ in range(4):
        assert bind_status(port, account, "wrong") == RINVPASWD
    assert gateway.one("SELECT lockeduntil FROM emguser WHERE username = %s", (account,)) is None


def test_no_more_binds_a_minute_than_loginspermin(gateway):
    account = new_account(gateway)
    _, port = add_connector(gateway, LOGINSPERMIN=3)
    assert [bind_status(port, account) for _ in range(4)] == [OK, OK, OK, RBINDFAIL]


def test_a_changed_account_counts_at_its_next_login(gateway):
    account = new_account(gateway)
    session = bind(gateway.smpp_port, account)
    gateway.run("account", "set", account, "--password", "another")
    assert session.is_alive()
    assert bind_status(gateway.smpp_port, account) == RINVPASWD
    assert bind_status(gateway.smpp_port, account, "another") == OK
    session.socket.close()


# How fast


def test_an_account_s_throughput_delays_its_answers(gateway):
    account = new_account(gateway, "--throughput", "20")
    session = bind(gateway.smpp_port, account)
    began = time.monotonic()
    for sequence in range(10, 50):
        session.send(pdu(SUBMIT_SM, sequence, submit_body(registered=0)))
    # Requests that do not submit are not held up.
    session.send(pdu(ENQUIRE_LINK, 900))
    answers, asked = {}, None
    while len(answers) < 40:
        command, status, sequence, _ = session.receive()
        if command == ENQUIRE_LINK | RESPONSE:
            asked = time.monotonic() - began
        elif command == SUBMIT_SM | RESPONSE:
            assert status == OK
            answers[sequence] = time.monotonic() - began
    took = max(answers.values())
    # 2 at once, the other 38 at 20 a second; the machine may be slow, never fast.
    assert 1.8 <= took < 6, took
    assert asked is not None and asked < took / 2
    assert list(answers) == sorted(answers), "they are answered in their order"
    session.socket.close()


def test_throttle_reject_answers_esme_rthrottled(gateway):
    account = new_account(gateway, "--throughput", "10")
    _, port = add_connector(gateway, THROTTLE="REJECT")
    session = bind(port, account)
    for sequence in range(10, 30):
        session.send(pdu(SUBMIT_SM, sequence, submit_body(registered=0)))
    answers = [status for status, _ in statuses(session, 20).values()]
    assert set(answers) == {OK, RTHROTTLED} and 1 <= answers.count(OK) <= 10
    session.socket.close()


def test_a_connector_s_throughput_holds_for_all_its_sessions(gateway):
    accounts = [new_account(gateway), new_account(gateway)]
    _, port = add_connector(gateway, THROUGHPUT=20)
    sessions = [bind(port, account) for account in accounts]
    began = time.monotonic()
    for session in sessions:
        for sequence in range(10, 30):
            session.send(pdu(SUBMIT_SM, sequence, submit_body(registered=0)))
    ends = [at for session in sessions for status, at in statuses(session, 20).values() if status == OK]
    assert len(ends) == 40 and 1.8 <= max(ends) - began < 6
    for session in sessions:
        session.socket.close()


def test_a_client_that_sends_far_more_than_its_rate_is_not_read_from(gateway):
    """The rest waits in its own socket: what the gateway holds stays small, and every message is answered in the end."""
    account = new_account(gateway, "--throughput", "200")
    session = bind(gateway.smpp_port, account)
    count = 700
    began = time.monotonic()
    session.send(b"".join(pdu(SUBMIT_SM, sequence, submit_body(registered=0)) for sequence in range(10, 10 + count)))
    answers = statuses(session, count)
    assert all(status == OK for status, _ in answers.values())
    assert time.monotonic() - began >= count / 200 - 0.3
    session.socket.close()


def test_an_account_s_throughput_holds_for_smpp_and_http_together(gateway):
    rate = 20
    account = new_account(gateway, "--throughput", str(rate))
    session = bind(gateway.smpp_port, account, timeout=60)
    client = API(gateway.http_port, account)
    ending = threading.Event()
    accepted = []

    def by_smpp():
        # As the rate allows: each is answered when it may come in.
        for sequence in itertools.count(10):
            if ending.is_set():
                return
            session.send(pdu(SUBMIT_SM, sequence, submit_body(registered=0)))
            if statuses(session, 1)[sequence][0] == OK:
                accepted.append(("SMPP", time.monotonic()))

    def by_http():
        while not ending.is_set():
            if client.send({"to": "46700000001", "text": "together"}).status == 202:
                accepted.append(("HTTP", time.monotonic()))

    threads = [threading.Thread(target=by_smpp), threading.Thread(target=by_http)]
    for thread in threads:
        thread.start()
    try:
        wait_for("both are seen", lambda: gateway.one("SELECT count(*) FROM account_use WHERE username = %s", (account,)) == 2, 30)
        # A second until each has read what the other wrote, as for any change.
        gateway.changed()
        gateway.wait_applied()
        began = time.monotonic()
        first = len(accepted)
        wait_for("messages of four seconds", lambda: len(accepted) - first >= 4 * rate, 60)
        took = time.monotonic() - began
    finally:
        ending.set()
        for thread in threads:
            thread.join()
        session.socket.close()
    assert {kind for kind, _ in accepted[first:]} == {"SMPP", "HTTP"}
    # Twice the rate would take two seconds; a slow machine takes longer than four.
    assert took > 3, took


def test_more_unanswered_requests_than_allowed_are_refused(gateway):
    account = new_account(gateway, "--throughput", "5")
    _, port = add_connector(gateway, OPS_MAXOUTSTANDING=4)
    session = bind(port, account)
    for sequence in range(10, 20):
        session.send(pdu(SUBMIT_SM, sequence, submit_body(registered=0)))
    answers = [status for status, _ in statuses(session, 10).values()]
    assert answers.count(RTHROTTLED) >= 4 and answers.count(OK) >= 4
    assert session.is_alive()
    session.socket.close()


# How long


def test_a_connection_without_a_bind_is_closed(gateway):
    _, port = add_connector(gateway, BINDTIMEOUT=1)
    with RawSession(port) as session:
        began = time.monotonic()
        assert session.is_closed()
        assert 0.8 <= time.monotonic() - began < 6


def test_a_silent_client_is_asked_and_one_that_does_not_answer_is_dropped(gateway):
    account = new_account(gateway)
    _, port = add_connector(gateway, KEEPALIVE=1)
    session = bind(port, account, timeout=30)
    assert session.receive()[0] == ENQUIRE_LINK
    assert session.is_closed()


def test_an_idle_client_is_unbound(gateway):
    account = new_account(gateway)
    _, port = add_connector(gateway, IDLETIMEOUT=1)
    session = bind(port, account)
    command, _, sequence, _ = session.receive()
    assert command == UNBIND
    session.send(pdu(UNBIND | RESPONSE, sequence))
    assert session.is_closed()


# Operators


def test_a_session_is_listed_and_kicked_within_a_second_or_so(gateway):
    account = new_account(gateway)
    keeps, goes = bind(gateway.smpp_port, account), bind(gateway.smpp_port, account, command=BIND_RECEIVER)
    rows = gateway.json("session", "list", "--account", account)["sessions"]
    assert len(rows) == 2 and {row["kind"] for row in rows} == {"client"}
    assert {row["remote"] for row in rows} == {"127.0.0.1"} and {row["connector"] for row in rows} == {"smpp-in1"}
    (row,) = [row for row in rows if row["bind"] == "receiver"]
    began = time.monotonic()
    assert gateway.json("session", "kick", row["id"])["kicked"] == 1
    assert goes.receive()[0] == UNBIND
    assert time.monotonic() - began < 5
    goes.send(pdu(UNBIND | RESPONSE, 1))
    assert keeps.is_alive()
    assert gateway.json("session", "kick", "--account", account)["kicked"] >= 1
    assert keeps.receive()[0] == UNBIND
    assert gateway.run("session", "kick", "no-such-session", check=False).returncode != 0
    assert gateway.run("session", "kick", check=False).returncode != 0
    assert gateway.one("SELECT count(*) FROM audit WHERE action = 'session kick'") >= 2
    goes.socket.close()
    keeps.socket.close()


def test_a_disabled_connector_stops_to_listen_and_starts_again(gateway):
    account = new_account(gateway)
    name, port = add_connector(gateway)
    session = bind(port, account)
    gateway.sql("UPDATE connector SET disabled = true WHERE name = %s", (name,))
    assert session.receive()[0] == UNBIND
    session.send(pdu(UNBIND | RESPONSE, 1))
    wait_for("nobody listens", lambda: is_free(port), 20)
    gateway.sql("UPDATE connector SET disabled = false WHERE name = %s", (name,))
    wait_for("it listens again", lambda: not is_free(port), 20)
    bind(port, account).socket.close()
    session.socket.close()


# Queues


def test_a_full_queue_makes_the_ingress_refuse_and_others_are_not_concerned(gateway):
    account, other = new_account(gateway), new_account(gateway)
    port = free_port()
    gateway.sql("INSERT INTO connector (name, type, protocol, position) VALUES ('out-full', 'OUTGOING', 'SMPP', 60)")
    # Nobody listens there: what is sent to it waits.
    set_options(
        gateway, "out-full", TYPE="OUTGOING", PROTOCOL="SMPP", ADDRESS=f"127.0.0.1:{port}", USERNAME="x", PASSWORD="y", MAXQUEUESIZE=5)
    gateway.sql("INSERT INTO route (prefix, account, out_connector) VALUES ('', %s, 'out-full')", (account,))
    try:
        gateway.sql("UPDATE route SET disabled = true WHERE account IS NULL")
        gateway.sql("INSERT INTO route (prefix, account, out_connector) VALUES ('', %s, 'smpp-providerA')", (other,))
        session, neighbour = bind(gateway.smpp_port, account), bind(gateway.smpp_port, other)
        sequence, seen = iter(range(10, 100_000)), []

        def is_full():
            status, _ = ask(session, SUBMIT_SM, next(sequence), submit_body(registered=0))
            seen.append(status)
            return status == RMSGQFUL

        wait_for("the queue is full", is_full, 60, 0.2)
        # The marks of transactions count too: it is full a little early.
        assert seen.count(OK) >= 2 and set(seen) == {OK, RMSGQFUL}
        assert ask(neighbour, SUBMIT_SM, 10, submit_body(registered=0))[0] == OK
        set_options(gateway, "out-full", MAXQUEUESIZE=None)
        wait_for("there is room again", lambda: not is_full(), 30, 0.2)
        # The limit of all queues together.
        gateway.sql("INSERT INTO general_option (ordinal, key, value) VALUES (900, 'MAXTOTALQUEUESIZE', '3')")
        wait_for("all queues together are full", is_full, 30, 0.2)
        assert ask(neighbour, SUBMIT_SM, 11, submit_body(registered=0))[0] == RMSGQFUL
        gateway.sql("DELETE FROM general_option WHERE key = 'MAXTOTALQUEUESIZE'")
        wait_for("there is room for all again", lambda: not is_full(), 30, 0.2)
        session.socket.close()
        neighbour.socket.close()
    finally:
        gateway.sql("DELETE FROM general_option WHERE key = 'MAXTOTALQUEUESIZE'")
        gateway.sql("DELETE FROM route WHERE account IS NOT NULL")
        gateway.sql("UPDATE route SET disabled = false")
        gateway.sql("DELETE FROM connector WHERE name = 'out-full'")
        # The tests to come send by the routes that are there again.
        gateway.changed()
        gateway.wait_applied()
