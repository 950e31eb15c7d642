"""cancel_sm and replace_sm of messages that are on their way to a provider."""

import datetime

import pytest

from client import Client
from egress_provider import Provider, apply, connector, hold, state
from gateway import wait_for
from ingress import (
    CANCEL_SM, QUERY_SM, RCANCELFAIL, REPLACE_SM, RREPLACEFAIL, SUBMIT_SM, address, ask, bind, new_account, receive_deliveries,
    submit_body, text_of)
from smpp_raw import OK, c_string

PREFIX = "9977"
DELETED = 4


@pytest.fixture(scope="module")
def provider(own_gateway):
    running = Provider(own_gateway, "alpha", 0).start()
    apply(own_gateway, connector("alpha", running.port, RETRYSCHEME="15s,15s"))
    own_gateway.run("route", "add", "--prefix", PREFIX, "--connector", "alpha")
    own_gateway.run("route", "add", "--prefix", "999", "--connector", "alpha")
    own_gateway.run("price", "add", "--prefix", "99", "--charge", "0.10", "--cost", "0.05", "--currency", "EUR")
    own_gateway.wait_applied()
    yield running
    running.stop()


@pytest.fixture
def session(own_gateway, provider):
    account = new_account(own_gateway)
    # Every service is to know of it before its messages come.
    own_gateway.changed()
    own_gateway.wait_applied()
    session = bind(own_gateway.smpp_port, account)
    session.account = account
    yield session
    session.socket.close()


def unhold(gateway):
    gateway.run("connector", "unhold", "alpha")
    wait_for("it goes on", lambda: state(gateway, "alpha")["state"] == "bound", 20, 0.2)


def submit(session, sequence, destination=PREFIX + "1", **more):
    status, body = ask(session, SUBMIT_SM, sequence, submit_body(destination=destination, **more))
    assert status == OK
    return text_of(body)


def cancel(session, identity, sequence=50):
    return ask(session, CANCEL_SM, sequence, c_string("") + c_string(identity) + address("") + address(""))[0]


def cancel_between(session, source, destination, service_type="", passed=None, sequence=55):
    """Without an id: all that waits between the two addresses."""
    body = c_string(service_type) + c_string("") + address(source, 5, 0) + address(destination)
    return ask(session, CANCEL_SM, sequence, body, 40, passed)[0]


def insist(order, *arguments):
    """A busy machine may not decide in time; then the sender asks again."""
    wait_for("the order stands", lambda: order(*arguments) == OK, 60, 0.2)


def replace(session, identity, text, sequence=60, schedule=""):
    body = c_string(identity) + address("") + c_string(schedule) + c_string("") + bytes([1, 0, len(text)]) + text
    return ask(session, REPLACE_SM, sequence, body)[0]


def texts(provider):
    return [event.text for event in provider.events("SUBMIT")]


def final(gateway, identity):
    return gateway.one("SELECT status FROM routelog WHERE msgid = %s", (int(identity),))


def spent(gateway, session):
    return 100 - gateway.one("SELECT charge_balance FROM emguser WHERE username = %s", (session.account,))


def test_what_a_held_connector_holds_is_cancelled_and_replaced(own_gateway, provider, session):
    gateway = own_gateway
    hold(gateway, "alpha")
    gone = submit(session, 5, text=b"it must not go")
    stays = submit(session, 6, text=b"the old words")
    other = submit(session, 7, text=b"it goes as it is")
    insist(cancel, session, gone)
    # Its end comes now, and not when the connector goes on.
    (report,) = receive_deliveries(session, 1)
    assert (report.receipt_id, report.stat) == (gone, "DELETED")
    status, body = ask(session, QUERY_SM, 8, c_string(gone) + address(""))
    assert status == OK and body[-2] == DELETED
    assert cancel(session, gone) == OK, "once more changes nothing"
    assert replace(session, gone, b"it must not go either") == RREPLACEFAIL
    long = b"the second correction, which is longer than one part can hold: " + b"0123456789" * 15
    assert replace(session, stays, b"later", schedule="000000010000000R") == 0x61
    insist(replace, session, stays, b"the first correction")
    insist(replace, session, stays, long)
    unhold(gateway)
    reports = receive_deliveries(session, 2)
    assert {(one.receipt_id, one.stat) for one in reports} == {(stays, "DELIVRD"), (other, "DELIVRD")}
    sent = texts(provider)
    assert "it goes as it is" in sent and "the second correction" in "".join(sent)
    assert not any(text in sent for text in ("it must not go", "it must not go either", "the old words", "the first correction"))
    assert (final(gateway, gone), final(gateway, stays)) == (14, 11)
    assert gateway.one("SELECT body FROM messagebody WHERE msgid = %s", (int(stays),)) == long.decode()
    # Two parts of the replaced one, one of the other, nothing for what was cancelled.
    wait_for("what was cancelled is given back, what became longer is paid", lambda: float(spent(gateway, session)) == pytest.approx(0.3), 20, 0.2)
    assert cancel(session, stays) == RCANCELFAIL and replace(session, stays, b"too late") == RREPLACEFAIL


def test_all_that_waits_between_two_addresses_is_cancelled(own_gateway, provider, session):
    gateway = own_gateway
    to = PREFIX + "6"
    soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=10)).strftime("%y%m%d%H%M%S000+")
    stranger = bind(gateway.smpp_port, new_account(gateway))
    gateway.changed()
    gateway.wait_applied()
    assert cancel_between(session, "Signalbox", to) == RCANCELFAIL, "nothing waits"
    assert cancel_between(session, "", to) == RCANCELFAIL, "both addresses are to be given"
    hold(gateway, "alpha")
    queued = [submit(session, 10 + number, to, text=b"many of these") for number in range(3)]
    scheduled = submit(session, 20, to, text=b"one of them later", schedule=soon)
    typed = submit(session, 21, to, text=b"another service", service_type="WAP")
    other = submit(session, 22, to, text=b"another sender", source="Somebody")
    elsewhere = submit(session, 23, PREFIX + "7", text=b"another recipient")
    foreign = submit(stranger, 5, to, text=b"another account")
    # Some reports come before the answer.
    reports = []
    insist(cancel_between, session, "Signalbox", to, "WAP", reports)
    reports += receive_deliveries(session, 1 - len(reports))
    assert [report.receipt_id for report in reports] == [typed]
    reports = []
    insist(cancel_between, session, "Signalbox", to, "", reports)
    reports += receive_deliveries(session, 4 - len(reports))
    assert {(one.receipt_id, one.stat) for one in reports} == {(one, "DELETED") for one in queued + [scheduled]}
    wait_for("the log has their ends", lambda: {final(gateway, one) for one in queued + [scheduled, typed]} == {14}, 20, 0.2)
    assert cancel_between(session, "Signalbox", to) == RCANCELFAIL, "nothing waits any more"
    unhold(gateway)
    reports = receive_deliveries(session, 2)
    assert {(one.receipt_id, one.stat) for one in reports} == {(other, "DELIVRD"), (elsewhere, "DELIVRD")}
    assert [report.receipt_id for report in receive_deliveries(stranger, 1)] == [foreign]
    sent = texts(provider)
    assert not any(text in sent for text in ("many of these", "one of them later", "another service"))
    assert all(sent.count(text) == 1 for text in ("another sender", "another recipient", "another account"))
    wait_for("only what was sent is paid", lambda: float(spent(gateway, session)) == pytest.approx(0.2), 20, 0.2)
    stranger.socket.close()


def test_what_waits_for_a_lost_provider_or_for_a_retry_is_cancelled(own_gateway, provider, session):
    gateway = own_gateway
    refused = submit(session, 5, destination="99902008", text=b"not twice")
    wait_for("it waits for its retry", lambda: gateway.sql("SELECT 1 FROM routelog WHERE msgid = %s AND note LIKE 'attempt 1%%'", (int(refused),)), 20)
    insist(cancel, session, refused)
    # The router passes over a connector without a session: the message is in its queue before.
    hold(gateway, "alpha")
    waiting = submit(session, 6, text=b"nobody is there")
    wait_for("it is in the queue", lambda: state(gateway, "alpha")["queued"] >= 1, 30, 0.2)
    provider.stop()
    try:
        wait_for("the provider is gone", lambda: state(gateway, "alpha")["sessions"] == 0, 20, 0.2)
        insist(cancel, session, waiting)
    finally:
        provider.start()
    reports = receive_deliveries(session, 2, timeout=60)
    assert {(one.receipt_id, one.stat) for one in reports} == {(refused, "DELETED"), (waiting, "DELETED")}
    wait_for("the provider is back", lambda: state(gateway, "alpha")["sessions"] == 1, 60, 0.2)
    unhold(gateway)
    gateway.wait_healthy()
    later = submit(session, 7, text=b"the next one")
    (report,) = receive_deliveries(session, 1)
    assert (report.receipt_id, report.stat) == (later, "DELIVRD")
    assert texts(provider).count("not twice") == 1 and "nobody is there" not in texts(provider)
    wait_for("one is paid", lambda: float(spent(gateway, session)) == pytest.approx(0.1), 20, 0.2)


def test_what_a_provider_may_have_is_not_cancelled(own_gateway, provider, session):
    late = submit(session, 5, destination="99904050", text=b"answered late")
    wait_for("it is under way", lambda: "answered late" in texts(provider), 20)
    assert cancel(session, late) == RCANCELFAIL
    (report,) = receive_deliveries(session, 1, timeout=60)
    assert (report.receipt_id, report.stat) == (late, "DELIVRD")
    assert cancel(session, late) == RCANCELFAIL
    assert submit(session, 6, text=b"and on it goes")
    receive_deliveries(session, 1)


def test_a_cancelled_message_deep_in_the_queue_stays_cancelled_when_its_owner_is_killed(own_gateway, provider, session):
    gateway = own_gateway
    apply(gateway, connector("alpha", provider.port, WINDOWSIZE=100))
    gateway.changed()
    gateway.wait_applied()
    hold(gateway, "alpha")
    # More than the connector takes into memory.
    crowd = Client(gateway.smpp_port, 1_200, destination=PREFIX + "2")
    crowd.connect()
    crowd.submit_all()
    deep = submit(session, 5, destination=PREFIX + "2", text=b"deep in the queue")
    changed = submit(session, 6, destination=PREFIX + "2", text=b"deep and old")
    insist(cancel, session, deep)
    insist(replace, session, changed, b"deep and new")
    gateway.wait_restarted("egress-smpp", gateway.kill("egress-smpp"))
    gateway.wait_healthy()
    unhold(gateway)
    crowd.receive_all(120)
    crowd.close()
    wait_for("it ended", lambda: (final(gateway, deep), final(gateway, changed)) == (14, 11), 60, 0.2)
    sent = texts(provider)
    assert "deep in the queue" not in sent and "deep and old" not in sent and sent.count("deep and new") == 1
    done = gateway.run("report", "reconcile", "--settle", "30", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
