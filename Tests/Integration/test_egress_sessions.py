"""Sessions with providers: orders at run time, instances, addresses, TLS, outbind, ids, rates."""

import subprocess
import time
from collections import Counter
from contextlib import contextmanager

import pytest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from client import Client
from gateway import wait_for
from egress_provider import Provider, apply, connector
from ingress import Instance

PREFIX = "9988"


@pytest.fixture(scope="module")
def provider(own_gateway):
    running = Provider(own_gateway, "alpha", 0).start()
    apply(own_gateway, connector("alpha", running.port))
    own_gateway.run("route", "add", "--prefix", PREFIX, "--connector", "alpha")
    own_gateway.wait_applied()
    yield running
    running.stop()


def start(gateway, count=1, destination=PREFIX + "1", first=0, **fields):
    client = Client(gateway.smpp_port, count, destination=destination, first=first, **fields)
    client.connect()
    client.submit_all()
    return client


def finish(client, timeout=60):
    client.receive_all(timeout)
    client.close()
    assert {word for _, word in client.receipts} == {"DELIVRD"}


def state(gateway, name="alpha"):
    return {one["name"]: one for one in gateway.json("connector", "list")["connectors"]}[name]


def wait_bound(gateway, sessions, name="alpha"):
    wait_for(f"{sessions} sessions are bound", lambda: state(gateway, name)["sessions"] == sessions, 30, 0.2)


def binds(provider):
    """Sessions that are bound now, by the provider's journal."""
    return len(provider.events("BIND")) - len([event for event in provider.events("CLOSE")])


def test_a_held_connector_keeps_its_session_and_sends_nothing(own_gateway, provider):
    gateway = own_gateway
    apply(gateway, connector("alpha", provider.port))
    wait_bound(gateway, 1)
    gateway.run("connector", "hold", "alpha")
    wait_for("it says so", lambda: state(gateway)["state"] == "held", 20)
    time.sleep(1)
    client = start(gateway, 5)
    wait_for("they wait in its queue", lambda: state(gateway)["queued"] >= 5, 20, 0.2)
    assert provider.submits(PREFIX + "1") == [] and binds(provider) == 1
    gateway.run("connector", "unhold", "alpha")
    finish(client)
    assert len(provider.submits(PREFIX + "1")) == 5
    wait_for("it says so", lambda: state(gateway)["state"] == "bound", 10, 0.2)


def test_a_bounce_binds_anew_and_loses_nothing(own_gateway, provider):
    gateway = own_gateway
    before = len(provider.events("BIND"))
    client = start(gateway, 50, first=100)
    gateway.run("connector", "bounce", "alpha")
    wait_for("it is bound anew", lambda: len(provider.events("BIND")) == before + 1, 10)
    assert len(provider.events("UNBIND")) >= 1
    finish(client)
    texts = Counter(event.text for event in provider.submits(PREFIX + "1"))
    assert all(texts[one.text] == 1 for one in client.answered)


def test_a_stopped_connector_unbinds_and_a_started_one_comes_back(own_gateway, provider):
    gateway = own_gateway
    gateway.run("connector", "stop", "alpha")
    wait_for("it is gone", lambda: binds(provider) == 0, 10)
    wait_for("it says so", lambda: state(gateway)["state"] == "stopped", 10, 0.2)
    gateway.run("connector", "start", "alpha")
    wait_for("it is back", lambda: binds(provider) == 1, 10)
    assert gateway.run("connector", "hold", "nobody", check=False).returncode == 1


def test_what_is_not_static_connects_for_a_message_and_leaves_after_a_while(own_gateway, provider):
    gateway = own_gateway
    apply(gateway, connector("alpha", provider.port, STATIC=False, IDLETIMEOUT=2))
    wait_for("it left", lambda: binds(provider) == 0, 10)
    wait_for("it runs", lambda: state(gateway)["state"] == "idle", 10, 0.2)
    finish(start(gateway, 3, first=200))
    assert binds(provider) == 1
    wait_for("it leaves again", lambda: binds(provider) == 0, 10)


def test_the_next_address_is_tried(own_gateway, provider):
    gateway = own_gateway
    nobody = gateway.base + 39
    apply(gateway, connector("alpha", provider.port, ADDRESS=f"127.0.0.1:{nobody},127.0.0.1:{provider.port}", TCPSOURCEIP="127.0.0.3"))
    wait_bound(gateway, 1)
    finish(start(gateway, 3, first=300))


def test_a_throughput_is_kept(own_gateway, provider):
    gateway = own_gateway
    apply(gateway, connector("alpha", provider.port, THROUGHPUT=20, INSTANCES=2))
    wait_bound(gateway, 2)
    client = start(gateway, 80, destination=PREFIX + "20", first=400)
    finish(client)
    times = [event.milliseconds for event in provider.submits(PREFIX + "20")]
    took = (times[-1] - times[0]) / 1000
    assert 3.6 <= took <= 8
    # Evenly: no half second holds more than its share and a little.
    assert all(sum(1 for at in times if begin <= at < begin + 500) <= 13 for begin in times)


@pytest.mark.parametrize("written, reported", [("hex", "decimal"), ("decimal", "hex")])
def test_receipts_find_their_message_however_the_provider_writes_its_ids(own_gateway, provider, written, reported):
    gateway = own_gateway
    apply(gateway, connector("alpha", provider.port))
    provider.start("--id-format", written, "--receipt-id-format", reported)
    wait_bound(gateway, 1)
    finish(start(gateway, 20, first=500))
    # Stated instead of found out.
    apply(gateway, connector("alpha", provider.port, SMSCIDFORMAT=f"{written}/{reported}"))
    wait_for("the new configuration runs", lambda: binds(provider) == 1 and len(provider.events("BIND")) > 1, 10)
    wait_bound(gateway, 1)
    finish(start(gateway, 20, first=600))
    provider.start()


def test_a_provider_calls_us_by_outbind(own_gateway, provider):
    gateway = own_gateway
    listen = gateway.base + 38
    caller = Provider(gateway, "caller", 2).start("--outbind", f"127.0.0.1:{listen}", "--mo-interval", 300)
    try:
        apply(gateway, connector("alpha", provider.port), connector("beta", caller.port, STATIC=False, OUTBINDLISTEN=f"127.0.0.1:{listen}"))
        wait_for("we bound as receiver", lambda: [event for event in caller.events("BIND") if "receiver" in event.detail], 20)
        wait_for("its message came in", lambda: gateway.sql("SELECT 1 FROM routelog WHERE inconnector = 'beta'"), 20)
    finally:
        caller.stop()


@pytest.fixture
def certificate(own_gateway):
    path = own_gateway.place / "tls.pem"
    key = own_gateway.place / "tls.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", path], check=True, capture_output=True)
    return path, key


def test_tls_with_a_certificate_that_is_verified(own_gateway, provider, certificate):
    """A TLS tunnel by Python in front of the simulator."""
    import socket
    import ssl
    import threading

    gateway = own_gateway
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, certificate))
    listener = socket.create_server(("127.0.0.1", gateway.base + 37))
    stop = threading.Event()

    def pump(source, target):
        try:
            while octets := source.recv(65536):
                target.sendall(octets)
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve():
        while not stop.is_set():
            try:
                raw, _ = listener.accept()
                peer = context.wrap_socket(raw, server_side=True)
            except (OSError, ssl.SSLError):
                continue
            inner = socket.create_connection(("127.0.0.1", provider.port))
            for pair in ((peer, inner), (inner, peer)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        # Unknown to the system: refused.
        address = f"127.0.0.1:{gateway.base + 37}"
        apply(gateway, connector("alpha", provider.port, ADDRESS=address, SSL=None))
        wait_for(
            "the certificate is refused", lambda: "certificate" in (state(gateway).get("detail") or "").lower(), 20, 0.2)
        assert state(gateway)["sessions"] == 0
        apply(gateway, connector("alpha", provider.port, ADDRESS=address, SSL=None, SSL_CAFILE=certificate[0]))
        wait_bound(gateway, 1)
        finish(start(gateway, 3, first=700))
    finally:
        stop.set()
        listener.close()


@contextmanager
def second_instance(gateway):
    second = Instance(gateway, "egress-smpp-second", 0, service="egress-smpp").start()
    try:
        yield
    finally:
        second.stop()


def shares(gateway, name):
    """The sessions of each instance."""
    rows = gateway.sql(f"SELECT sessions FROM connector_state WHERE connector = '{name}' AND beat > now() - interval '3 seconds'")
    return sorted(row[0] for row in rows)


def both_read(gateway, name):
    admin = AdminClient({"bootstrap.servers": gateway.state["kafka"], "log_level": 0})
    group = admin.describe_consumer_groups([f"egress-smpp.{name}"])[f"egress-smpp.{name}"].result(20)
    return (
        group.state == ConsumerGroupState.STABLE and len(group.members) == 2
        and all(member.assignment.topic_partitions for member in group.members))


def test_several_instances_share_the_sessions(own_gateway, provider):
    gateway = own_gateway
    apply(gateway, connector("alpha", provider.port, INSTANCES=3))
    wait_bound(gateway, 3)
    with second_instance(gateway):
        wait_for("each has its share", lambda: shares(gateway, "alpha") == [1, 2], 40, 0.2)
        assert binds(provider) == 3
        wait_for("each has its partitions", lambda: both_read(gateway, "alpha"), 40, 0.2)
        client = start(gateway, 60, first=800)
        finish(client)
        texts = Counter(event.text for event in provider.submits(PREFIX + "1"))
        assert {one.text: texts[one.text] for one in client.answered if texts[one.text] != 1} == {}, "each is submitted once"
    wait_for("the first has them all again", lambda: shares(gateway, "alpha") == [3], 40, 0.2)
    assert binds(provider) == 3
    finish(start(gateway, 20, first=900))


def test_what_an_instance_has_sent_is_not_sent_again_by_one_that_joins_or_stays(own_gateway, provider):
    """Partitions change hands, and sessions with them, while windows are full and the provider takes its time."""
    gateway = own_gateway
    prefix, destinations, count = "9977", 8, 250
    slow = Provider(gateway, "slow", 1).start("--answer-delay", 400)
    try:
        apply(gateway, connector("alpha", provider.port), connector("slow", slow.port, INSTANCES=4))
        gateway.run("route", "add", "--prefix", prefix, "--connector", "slow")
        gateway.wait_applied()
        wait_bound(gateway, 4, "slow")
        for one in range(destinations):
            # Without reports, which would go to any of the account's sessions.
            start(gateway, count, destination=f"{prefix}{one:02}", registered_delivery=0).close()
        with second_instance(gateway):
            wait_for("each has its partitions", lambda: both_read(gateway, "slow"), 40, 0.2)
            wait_for("each has its share", lambda: shares(gateway, "slow") == [2, 2], 40, 0.2)
            left = destinations * count - len(slow.events("SUBMIT"))
            assert left > 0, "it joined too late to see anything"
            time.sleep(1)

        def seen():
            return Counter((event.destination, event.text) for event in slow.events("SUBMIT"))

        wait_for("the provider has them all", lambda: len(seen()) == destinations * count, 60, 0.5)
        # What is sent a second time would come now.
        time.sleep(2)
        assert {one: times for one, times in seen().items() if times != 1} == {}
    finally:
        apply(gateway, connector("alpha", provider.port))
        slow.stop()


def test_what_is_held_back_expires_with_a_report(own_gateway, provider):
    gateway = own_gateway
    apply(gateway, connector("alpha", provider.port, VP=3))
    wait_bound(gateway, 1)
    gateway.run("connector", "hold", "alpha")
    wait_for("it is held", lambda: state(gateway)["state"] == "held", 20)
    time.sleep(1)
    client = start(gateway, 3, first=1000)
    client.receive_all(20)
    client.close()
    assert {word for _, word in client.receipts} == {"EXPIRED"}
    gateway.run("connector", "unhold", "alpha")
