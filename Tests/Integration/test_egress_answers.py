"""Providers that refuse, are slow, silent, confused or broken: each message has one end and one report."""

from collections import Counter

import pytest

from client import Client
from gateway import wait_for
from egress_provider import Provider, apply, connector, row, send

#: the simulator's magic numbers (docs/smpp.md)
MAGIC = "999"


@pytest.fixture(scope="module")
def providers(own_gateway):
    gateway = own_gateway
    first = Provider(gateway, "first", 0).start()
    second = Provider(gateway, "second", 1).start()
    apply(
        gateway,
        connector(
            "first", first.port, RESPONSETIMEOUT=2, ONTIMEOUT="FAILOVER", RETRYSCHEME="1s,1s", ERRORMAP="0x0A=reject 0x0B=failover"),
        connector("second", second.port))
    # The demo's own route would be the last way out of all.
    gateway.sql("UPDATE route SET disabled = true WHERE out_connector = 'smpp-providerA'")
    gateway.run("route", "add", "--prefix", MAGIC, "--connector", "first", "--priority", "0")
    gateway.run("route", "add", "--prefix", MAGIC, "--connector", "second", "--priority", "1")
    gateway.wait_healthy()
    yield first, second
    first.stop()
    second.stop()


@pytest.mark.parametrize("deed", ["05", "08", "10", "11005", "12", "15"], ids=[
    "answers twice", "answers out of order", "receipt before the answer", "late receipt", "receipt twice", "receipt as data_sm"])
def test_odd_but_honest_providers_deliver_each_message_once(own_gateway, providers, deed):
    destination = MAGIC + deed.ljust(5, "0") + "1"
    count = 6
    client, words = send(own_gateway, destination, count)
    assert words == ["DELIVRD"] * count
    assert Counter(event.text for event in providers[0].submits(destination)) == {one.text: 1 for one in client.answered}


def test_undelivered_is_told(own_gateway, providers):
    assert send(own_gateway, MAGIC + "130001")[1] == ["UNDELIV"]


def test_a_final_refusal_ends_the_message_and_costs_nothing(own_gateway, providers):
    balance = own_gateway.balance()
    client, words = send(own_gateway, MAGIC + "010101")
    assert words == ["REJECTD"]
    assert row(own_gateway, client, "status, reason, outconnector") == (16, 0x0A, "first")
    wait_for("the charge is given back", lambda: own_gateway.balance() == balance, 20)
    assert providers[1].submits(MAGIC + "010101") == []


@pytest.mark.parametrize("status", [0x45, 0x0B], ids=["by default", "by ERRORMAP"])
def test_a_refusal_that_concerns_this_provider_goes_to_the_next_route(own_gateway, providers, status):
    # The first one refuses; the second one's simulator would too, so it only plays with other numbers.
    first, second = providers
    second.start("--magic", "")
    own_gateway.wait_healthy()
    destination = f"{MAGIC}01{status:03}7"
    client, words = send(own_gateway, destination)
    assert words == ["DELIVRD"]
    assert len(first.submits(destination)) == 1 and len(second.submits(destination)) == 1
    assert row(own_gateway, client, "status, outconnector")[0] == 11
    second.start()


def test_when_every_route_has_refused_it_ends_with_the_reason_and_costs_nothing(own_gateway, providers):
    first, second = providers
    balance = own_gateway.balance()
    destination = MAGIC + "010698"
    client, words = send(own_gateway, destination)
    assert words == ["REJECTD"]
    assert len(first.submits(destination)) == 1 and len(second.submits(destination)) == 1
    status, reason, text = row(own_gateway, client, "status, reason, reasontext")
    # The last provider's word is the end, and not that there is no further one.
    assert (status, reason) == (16, 0x45) and "second: the provider refused it: ESME_RSUBMITFAIL" in text
    wait_for("the charge is given back", lambda: own_gateway.balance() == balance, 20)


def test_a_passing_error_is_tried_again(own_gateway, providers):
    destination = MAGIC + "020081"
    assert send(own_gateway, destination)[1] == ["DELIVRD"]
    submits = providers[0].submits(destination)
    assert len(submits) == 2 and submits[1].milliseconds - submits[0].milliseconds >= 1_000


def test_attempts_end(own_gateway, providers):
    destination = MAGIC + "010082"
    client, words = send(own_gateway, destination)
    assert words == ["UNDELIV"]
    assert len(providers[0].submits(destination)) == 3
    assert row(own_gateway, client, "status, reason") == (12, 8)


def test_without_an_answer_in_time_it_goes_to_the_next_route(own_gateway, providers):
    first, second = providers
    second.start("--magic", "")
    own_gateway.wait_healthy()
    destination = MAGIC + "030001"
    assert send(own_gateway, destination)[1] == ["DELIVRD"]
    assert len(first.submits(destination)) == 1 and len(second.submits(destination)) == 1
    second.start()
    own_gateway.wait_healthy()


@pytest.mark.parametrize("deed", ["06", "07"], ids=["octets that are no PDU", "a cut connection"])
def test_a_broken_session_is_bound_anew_and_others_get_through(own_gateway, providers, deed):
    # The message is sent again at once, meets the same fate, and ends by its validity.
    broken = Client(own_gateway.smpp_port, 1, destination=MAGIC + deed + "0001", validity_period="000000000004000R")
    broken.connect()
    broken.submit_all()
    broken.receive_all(40)
    broken.close()
    assert [word for _, word in broken.receipts] == ["EXPIRED"]
    assert send(own_gateway, MAGIC + "990001", 5)[1] == ["DELIVRD"] * 5
    own_gateway.wait_healthy()


def test_a_message_in_parts_under_one_id_is_reported_once(own_gateway, providers):
    gateway = own_gateway
    destination = MAGIC + "140001"
    client = Client(gateway.smpp_port, 1, destination=destination)
    client.to_submit[0].text = "0123456789" * 25
    client.connect()
    client.submit_all()
    client.receive_all(30)
    client.linger(1)
    client.close()
    assert [word for _, word in client.receipts] == ["DELIVRD"]
    submits = providers[0].submits(destination)
    assert len(submits) == 2 and len({event.smscid for event in submits}) == 1


def test_a_throttling_provider_gets_all_in_order_at_its_pace(own_gateway, providers):
    gateway = own_gateway
    first = providers[0]
    first.start("--max-rate", 40)
    gateway.wait_healthy()
    destination = MAGIC + "990002"
    client, words = send(gateway, destination, 200, timeout=90)
    assert words == ["DELIVRD"] * 200
    taken = [event for event in first.submits(destination) if event.smscid]
    refused = [event for event in first.submits(destination) if not event.smscid]
    assert Counter(event.text for event in taken) == {one.text: 1 for one in client.answered}
    # It is asked again, though not all the time: the gateway keeps to what it found.
    assert 0 < len(refused) < 200
    # In order, but for what was under way in one window.
    numbers = [int(event.text.split()[1]) for event in taken]
    assert all(abs(number - place) <= 20 for place, number in enumerate(numbers))
    first.start()
    gateway.wait_healthy()


def test_a_reply_of_a_recipient_comes_in(own_gateway, providers):
    gateway = own_gateway
    destination = MAGIC + "200001"
    assert send(gateway, destination)[1] == ["DELIVRD"]
    wait_for(
        "the message from the phone is in the log",
        lambda: gateway.sql("SELECT status FROM routelog WHERE sourceaddr = %s AND inconnector = 'first'", (destination,)), 20)
