"""Kannel takes the gateway as its SMSC: messages of every alphabet and length go through, and their reports come back."""

import pytest

from gateway import wait_for
from interop.kannel import Kannel

LONG = "A long message that Kannel cuts into parts by itself. " * 6


@pytest.fixture(scope="module")
def kannel(gateway):
    running = Kannel(gateway.smpp_port, "demo", "secret")
    yield running
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


def test_kannel_keeps_its_session(kannel):
    assert "online" in kannel.status()
