"""Kannel takes the gateway as its SMSC: messages of every alphabet and length go through, and their reports come back."""

import pytest

from gateway import wait_for
from ingress import free_port, set_options
from interop.kannel import Kannel
from provider import PythonProvider

LONG = "A long message that Kannel cuts into parts by itself. " * 6


@pytest.fixture(scope="module")
def kannel(gateway):
    running = Kannel(gateway.smpp_port, "demo", "secret")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def phones(gateway):
    """A provider that brings messages from phones, for the account that Kannel binds with."""
    running = PythonProvider(free_port()).start()
    gateway.sql("INSERT INTO connector (name, type, protocol, position) VALUES ('phones', 'OUTGOING', 'SMPP', 70)")
    set_options(
        gateway, "phones", TYPE="OUTGOING", PROTOCOL="SMPP", ADDRESS=f"127.0.0.1:{running.port}", USERNAME="x", PASSWORD="x", STATIC=1)
    gateway.run("route", "add", "--traffic", "mo", "--prefix", "7277", "--connector", "smpp-in1", "--to-account", "demo")
    gateway.wait_applied()
    wait_for("the provider is bound", lambda: running.is_bound)
    yield running
    gateway.sql("DELETE FROM route WHERE prefix = '7277'")
    gateway.sql("DELETE FROM connector_option WHERE connector = 'phones'")
    gateway.sql("DELETE FROM connector WHERE name = 'phones'")
    running.stop()


def reports(kannel, number):
    return [query for query in kannel.endpoint.of("/dlr") if query["number"] == str(number)]


@pytest.mark.parametrize(
    "number, text, more, parts",
    [
        (1, "Hello from Kannel", {}, 1),
        (2, "Grüße € [brackets] {braces} ~ ^ |", {"charset": "UTF-8"}, 1),
        (3, "Привет, мир \U0001F600", {"coding": 2, "charset": "UTF-8"}, 1),
        (4, LONG, {}, 3),
    ],
    ids=["plain", "extension table", "UCS-2 with an emoji", "in parts"])
def test_a_message_of_kannels_is_delivered_and_reported(gateway, kannel, number, text, more, parts):
    before = len(gateway.journal())
    destination = f"4670888000{number}"
    kannel.send(destination, text, number=number, **more)

    def delivered():
        # Type 1 is delivered, 8 accepted by the SMSC (Kannel's user guide, "Delivery reports").
        return [query for query in reports(kannel, number) if query["type"] == "1"]

    wait_for("Kannel reports the delivery", lambda: len(delivered()) >= 1)
    assert not [query for query in reports(kannel, number) if query["type"] in ("2", "16")], reports(kannel, number)

    def submits():
        return [event for event in gateway.journal()[before:] if event.event == "SUBMIT" and event.destination == destination]

    wait_for("the provider has every part", lambda: len(submits()) >= parts)
    assert len(submits()) == parts
    assert {event.source for event in submits()} == {"Kannel"}
    if parts == 1:
        assert submits()[0].text == text
    else:
        assert "".join(event.text for event in submits()).count("cuts into parts") == 6


def test_a_message_from_a_phone_reaches_kannels_service(kannel, phones):
    sent = []

    def told():
        """What the service was asked, of which the first may have come before the routers knew the route."""
        sent.append(f"Hello {len(sent)} to Kannel")
        assert phones.deliver("46709990002", "72770", sent[-1]) == 0
        try:
            return wait_for("Kannel asks its service", lambda: kannel.endpoint.of("/mo"), 3)
        except AssertionError:
            return []

    (query,) = wait_for("a message comes through", told)
    assert query["from"].lstrip("+") == "46709990002" and query["to"].lstrip("+") == "72770"
    assert query["text"] == sent[-1] and query["coding"] == "0"


def test_kannel_keeps_its_session(kannel):
    assert "online" in kannel.status()
