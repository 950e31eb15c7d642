"""Kannel takes the gateway as its SMSC, by SMPP and by HTTP: messages of every alphabet and length go through, and their reports come
back."""

import pytest

from gateway import wait_for
from ingress import add_connector, free_port, new_account, set_options
from interop.kannel import HTTP, SMPP, Kannel
from provider import PythonProvider

LONG = "".join(f"Sentence {n} of a long message that Kannel cuts into parts by itself. " for n in range(1, 7)).strip()


@pytest.fixture(scope="module", params=["SMPP", "HTTP"])
def chain(request, gateway):
    """Kannel, with the account and the connector that it comes in by."""
    if request.param == "SMPP":
        account, connector = "demo", "smpp-in1"
        running = Kannel(gateway.smpp_port, account, "secret", SMPP)
    else:
        account = new_account(gateway)
        connector, port = add_connector(gateway, PROTOCOL="HTTP", INTERFACES="KANNEL", WEBHOOKALLOW="127.0.0.0/8", WEBHOOKRETRY="1,2")
        running = Kannel(port, account, "secret", HTTP)
        gateway.run(
            "webhook", "set", account, "--style", "kannel", "--message-url", f"{running.back_url}&from=%p&to=%P&text=%b&coding=%c&charset=UTF-8")
    yield running, account, connector
    running.stop()


@pytest.fixture(scope="module")
def kannel(chain):
    return chain[0]


@pytest.fixture(scope="module")
def phones(gateway, chain):
    """A provider that brings messages from phones, for the account that Kannel comes with."""
    _, account, connector = chain
    running = PythonProvider(free_port()).start()
    gateway.sql("INSERT INTO connector (name, type, protocol, position) VALUES ('phones', 'OUTGOING', 'SMPP', 70)")
    set_options(
        gateway, "phones", TYPE="OUTGOING", PROTOCOL="SMPP", ADDRESS=f"127.0.0.1:{running.port}", USERNAME="x", PASSWORD="x", STATIC=1)
    gateway.run("route", "add", "--traffic", "mo", "--prefix", "7277", "--connector", connector, "--to-account", account)
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
        # By HTTP they come side by side.
        assert "".join(sorted((event.text for event in submits()), key=LONG.index)) == LONG


def test_a_message_from_a_phone_reaches_kannels_service(gateway, kannel, phones):
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


def test_kannel_keeps_its_connection(kannel):
    assert "online" in kannel.status()
