"""What is to happen later: scheduled messages and retries. None early, none twice, none lost."""

import re
import signal
import subprocess
import time
from collections import Counter

import pytest

from client import Client
from gateway import ROOT, JournalEvent, executable, wait_for

FLAKY_PREFIX = "4699"


class Provider:
    """A simulated SMSC of our own, that refuses everything for now, or nothing."""

    def __init__(self, gateway):
        self.port = gateway.base + 30
        self.place = gateway.place / "flaky.journal"
        self.process = None

    def restart(self, *arguments):
        self.stop()
        self.process = subprocess.Popen(
            [executable(), "smsc", "--listen", f"127.0.0.1:{self.port}", "--journal", self.place, "--receipt-delay", "50", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process = None

    def events(self, kind):
        text = self.place.read_text(errors="replace") if self.place.exists() else ""
        events = [JournalEvent(line) for line in text.split("\n")[:-1] if line and not line.startswith("#")]
        return [event for event in events if event.event == kind]


@pytest.fixture(scope="module")
def provider(own_gateway):
    """Numbers that begin with 4699 go to it."""
    gateway = own_gateway
    text = (ROOT / "docs/demo.cfg").read_text()
    text = re.sub(r":2775\b", f":{gateway.smpp_port}", text)
    text = re.sub(r":2776\b", f":{gateway.smsc_port}", text)
    text = re.sub(r":8080\b", f":{gateway.http_port}", text)
    running = Provider(gateway)
    text += f"""
CONNECTOR smpp-flaky <
TYPE=OUTGOING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:{running.port}
INSTANCES=1
USERNAME=x
PASSWORD=x
STATIC
WINDOWSIZE=10
>
"""
    running.restart()
    path = gateway.place / "delay.cfg"
    path.write_text(text)
    gateway.run("config", "apply", path)
    gateway.run("route", "add", "--prefix", FLAKY_PREFIX, "--connector", "smpp-flaky")
    yield running
    running.stop()


def rows(gateway, client):
    """status, note, reason text, charge of each message, by the log."""
    ids = [int(submission.message_id) for submission in client.answered]
    return gateway.sql(
        "SELECT status, coalesce(note, ''), coalesce(reasontext, ''), coalesce(charge, 0) FROM routelog WHERE msgid = ANY(%s)", (ids,))


def start(gateway, count, **fields):
    client = Client(gateway.smpp_port, count, **fields)
    client.connect()
    client.submit_all()
    assert len(client.answered) == count
    return client


def finish(client):
    """Each message has one report."""
    client.receive_all(60)
    client.linger(1)
    client.close()
    reports = Counter(identity for identity, _ in client.receipts)
    assert reports == {submission.message_id: 1 for submission in client.answered}
    return {stat for _, stat in client.receipts}


def kill_delay(gateway):
    gateway.wait_restarted("delay", gateway.kill("delay"))


def test_a_scheduled_message_arrives_when_it_is_due_and_not_before(own_gateway, provider):
    gateway = own_gateway
    balance = gateway.balance()
    began = time.time()
    client = start(gateway, 10, first=1000, schedule_delivery_time="000000000003000R")
    wait_for("the log says what they wait for", lambda: [row[1][:13] for row in rows(gateway, client)] == ["scheduled for"] * 10, 2.5, 0.02)
    assert {row[0] for row in rows(gateway, client)} == {1}
    # Not priced before it is due.
    assert gateway.balance() == balance
    assert finish(client) == {"DELIVRD"}
    texts = {submission.text for submission in client.answered}
    submits = [event for event in gateway.journal() if event.event == "SUBMIT" and event.text in texts]
    assert Counter(event.text for event in submits) == {text: 1 for text in texts}
    delays = [event.milliseconds / 1000 - began for event in submits]
    assert 3 <= min(delays) and max(delays) < 6
    assert gateway.balance() < balance


def test_a_scheduled_message_survives_the_death_of_the_delay_service(own_gateway, provider):
    gateway = own_gateway
    began = time.time()
    client = start(gateway, 40, first=2000, schedule_delivery_time="000000000006000R")
    for pause in (0.5, 2):
        time.sleep(pause)
        kill_delay(gateway)
    # Once more in the middle of handing them over.
    texts = {submission.text for submission in client.answered}
    wait_for(
        "the first one fires", lambda: any(event.event == "SUBMIT" and event.text in texts for event in gateway.journal()), 30, 0.01)
    kill_delay(gateway)
    assert finish(client) == {"DELIVRD"}
    submits = [event for event in gateway.journal() if event.event == "SUBMIT" and event.text in texts]
    assert Counter(event.text for event in submits) == {text: 1 for text in texts}
    assert min(event.milliseconds / 1000 for event in submits) >= began + 6
    gateway.wait_healthy()


def test_a_message_whose_validity_ends_before_its_schedule_expires_at_once(own_gateway, provider):
    client = start(
        own_gateway, 1, first=3000, schedule_delivery_time="000000000100000R", validity_period="000000000030000R")
    assert finish(client) == {"EXPIRED"}


def test_a_passing_error_is_tried_again_later_and_each_message_arrives_once(own_gateway, provider):
    gateway = own_gateway
    provider.restart("--refuse", "100", "--refuse-status", "ESME_RSYSERR")
    gateway.wait_healthy()
    client = start(gateway, 20, first=4000, destination=FLAKY_PREFIX + "1234567")
    try:
        wait_for(
            "each met the error twice",
            lambda: [row[1][:9] for row in rows(gateway, client)] == ["attempt 2"] * 20, 20)
        # They wait for ten seconds now: the provider recovers, and the delay service dies meanwhile.
        status = gateway.json("status")
        assert status["delayed"] == 20
        assert {row["name"]: row["queued"] for row in status["connectors"]}["smpp-flaky"] == 0
        refused = len(provider.events("SUBMIT"))
        assert refused == 40
        provider.restart()
        kill_delay(gateway)
        assert finish(client) == {"DELIVRD"}
        assert Counter(event.text for event in provider.events("SUBMIT")[refused:]) == {
            submission.text: 1 for submission in client.answered}
        assert {row[0] for row in rows(gateway, client)} == {11}
    finally:
        provider.restart()


def test_a_message_that_expires_before_its_next_attempt_ends_at_once_and_costs_nothing(own_gateway, provider):
    gateway = own_gateway
    provider.restart("--refuse", "100", "--refuse-status", "ESME_RSYSERR")
    gateway.wait_healthy()
    try:
        balance = gateway.balance()
        client = start(gateway, 3, first=5000, destination=FLAKY_PREFIX + "1234567", validity_period="000000000006000R")
        # The second attempt fails after a second; the third would be due ten seconds later.
        assert finish(client) == {"EXPIRED"}
        wait_for("the charge is given back", lambda: gateway.balance() == balance, 10)
        assert {row[0] for row in rows(gateway, client)} == {13}
    finally:
        provider.restart()
