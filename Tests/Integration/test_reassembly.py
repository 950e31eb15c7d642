"""Parts of long messages that wait for each other in the gateway and go on as one (REASSEMBLE)."""

import struct
import time

import pytest
import smpplib.client
import smpplib.consts

from client import Client, Submission
from gateway import wait_for
from ingress import add_connector, new_account, set_options
from provider import DELIVER_SM, PythonProvider

TEXT = "".join(f"{number:03d} of a text that three parts hold. " for number in range(10))
PARTS = [TEXT[start:start + 140].encode("ascii") for start in range(0, len(TEXT), 140)]


def header(reference, number, total=None):
    return bytes([5, 0, 3, reference, total or len(PARTS), number])


class PartClient(Client):
    """Hands in the parts of TEXT, each a submit_sm with a header, in the order given."""

    def __init__(self, port, destination, reference, order, **more):
        super().__init__(port, 0, destination=destination, esm_class=smpplib.consts.SMPP_GSMFEAT_UDHI, **more)
        for number in reversed(order):
            submission = Submission(number, 1)
            submission.text = Octets(header(reference, number) + PARTS[number - 1])
            self.to_submit.append(submission)


class Octets(bytes):
    """Octets where the client expects a text."""

    def encode(self, _):
        return bytes(self)


@pytest.fixture(scope="module")
def provider(own_gateway):
    gateway = own_gateway
    running = PythonProvider(gateway.base + 31).start()
    gateway.sql("INSERT INTO connector (name, type, protocol, position) VALUES ('mobile', 'OUTGOING', 'SMPP', 60)")
    set_options(
        gateway, "mobile", TYPE="OUTGOING", PROTOCOL="SMPP", ADDRESS=f"127.0.0.1:{running.port}", USERNAME="x", PASSWORD="x", STATIC=1,
        REASSEMBLE=1)
    gateway.run("route", "add", "--traffic", "mo", "--prefix", "72", "--connector", "smpp-in1", "--to-account", "demo")
    gateway.wait_applied()
    #: a client connector whose parts wait for longer than any test, and one where they wait for five seconds
    _, running.patient_port = add_connector(gateway, REASSEMBLE=1)
    _, running.hasty_port = add_connector(gateway, REASSEMBLE=1, REASSEMBLETIME=5)
    wait_for("the provider is bound", lambda: running.is_bound)
    references, running.account = iter(range(100, 200)), new_account(gateway)

    def waits():
        """Whether a part waits: then the routers have all of the above."""
        client = PartClient(running.hasty_port, "46705550000", next(references), [1], account=new_account(gateway))
        client.connect()
        client.submit_all()
        client.close()
        identity = int(client.answered[0].message_id)
        table = "SELECT count(*) FROM message_part WHERE msgid = %s"
        ended = "SELECT count(*) FROM routelog WHERE msgid = %s AND status >= 3"
        wait_for("the router has read it", lambda: gateway.one(table, (identity,)) or gateway.one(ended, (identity,)))
        return gateway.one(table, (identity,))

    wait_for("parts wait for each other", waits)
    yield running
    running.stop()


def submits(gateway, destination):
    return [event for event in gateway.journal() if event.event == "SUBMIT" and event.destination == destination]


def test_parts_of_a_client_reach_the_provider_as_one_message_split_anew(own_gateway, provider):
    gateway = own_gateway
    assert len(PARTS) == 3
    client = PartClient(provider.patient_port, "46705550001", 17, [3, 1, 2], account=provider.account)
    client.connect()
    client.submit_all()
    client.receive_all()
    client.linger(1)
    ids = {submission.number: int(submission.message_id) for submission in client.answered}
    assert sorted(client.receipts) == sorted((str(identity), "DELIVRD") for identity in ids.values()), "one report for each part"
    client.close()
    sent = submits(gateway, "46705550001")
    # 153 septets each, where the client had put 140.
    assert [len(event.text) for event in sent] == [153, 153, len(TEXT) - 306]
    assert "".join(event.text for event in sent) == TEXT
    whole = ids[1]
    for number in (2, 3):
        wait_for("its end is in the log", lambda: gateway.sql(
            "SELECT status, reasontext FROM routelog WHERE msgid = %s", (ids[number],)) == [(10, f"joined into message {whole}")])
    wait_for("the whole's end is in the log", lambda: gateway.one("SELECT status FROM routelog WHERE msgid = %s", (whole,)) == 11)
    assert gateway.one("SELECT body FROM messagebody WHERE msgid = %s", (whole,)) == TEXT
    assert gateway.one("SELECT count(*) FROM ledger WHERE kind = 1 AND msgid = ANY(%s)", (list(ids.values()),)) == 1


def test_parts_that_wait_in_vain_go_on_as_they_came(own_gateway, provider):
    gateway = own_gateway
    client = PartClient(provider.hasty_port, "46705550002", 18, [1, 3], account=provider.account)
    client.connect()
    start = time.monotonic()
    client.submit_all()
    client.receive_all()
    assert time.monotonic() - start > 4
    client.close()
    sent = submits(gateway, "46705550002")
    assert sorted(event.text.encode("ascii") for event in sent) == sorted([PARTS[0], PARTS[2]])
    assert sorted(event.detail for event in sent) == ["part 1 of 3 ref 18", "part 3 of 3 ref 18"]


def test_parts_from_a_phone_reach_the_client_as_one(own_gateway, provider):
    received = []
    link = smpplib.client.Client("127.0.0.1", own_gateway.smpp_port, timeout=20, allow_unknown_opt_params=True)
    link.set_message_received_handler(lambda pdu: received.append(pdu))
    link.connect()
    link.bind_transceiver(system_id="demo", password="secret")
    for number in (2, 3, 1):
        assert deliver(provider, header(33, number) + PARTS[number - 1]) == 0
    deadline = time.monotonic() + 30
    while not received and time.monotonic() < deadline:
        link.read_once()
    (pdu,) = received
    assert pdu.message_payload in (TEXT.encode("ascii"), TEXT) and not pdu.short_message
    assert pdu.esm_class & 0x40 == 0
    link.unbind()
    link.disconnect()


def deliver(provider, content):
    """A part from a phone; returns the status that it is answered with."""
    body = b"\0" + bytes([1, 1]) + b"46709990001\0" + bytes([1, 1]) + b"72001\0" + bytes([0x40, 0, 0]) + b"\0\0"
    body += bytes([0, 0, 0, 0, len(content)]) + content
    with provider._lock:
        provider._sessions[-1].sendall(struct.pack(">IIII", 16 + len(body), DELIVER_SM, 0, next(provider._sequences)) + body)
    return provider.answers.get(timeout=20)


def test_no_part_is_lost_and_no_message_comes_twice_while_routers_die(own_gateway, provider):
    gateway, count = own_gateway, 200
    client = Client(
        provider.patient_port, 0, esm_class=smpplib.consts.SMPP_GSMFEAT_UDHI, destination="46705550003", account=provider.account)
    orders = [(message, number) for message in range(count) for number in (1, 2)]
    # Neighbours in disorder: parts of some ten messages are on their way at a time.
    orders.sort(key=lambda order: (order[0] + order[1] * 37 % 10, order[1]))
    for place, (message, number) in reversed(list(enumerate(orders))):
        submission = Submission(place, 1)
        submission.text = Octets(header(message, number, 2) + b"%03d/%d " % (message, number))
        client.to_submit.append(submission)
    client.connect()
    for kill in range(1, 4):
        client.run_until(lambda: len(client.answered) >= len(orders) * kill // 4, 60)
        gateway.wait_restarted("router", gateway.kill("router"))
    client.submit_all()
    client.receive_all()
    client.linger(1)
    assert client.reconnects == 0 and len(client.answered) == len(orders)
    told = [identity for identity, _ in client.receipts]
    assert len(told) == len(set(told)) == len(orders), "a report for each part, once"
    client.close()
    texts = sorted(event.text for event in submits(gateway, "46705550003"))
    assert texts == ["%03d/1 %03d/2 " % (message, message) for message in range(count)]
