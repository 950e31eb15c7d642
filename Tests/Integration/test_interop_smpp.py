"""The gateway between SMPP programs that nobody here wrote: Perl's Net::SMPP on both sides, Jasmin's SMPP library as provider."""

import json
import subprocess
import sys

import pytest

from client import Client
from interop.peers import HERE, Peer, free_port
from gateway import wait_for

COUNT = 20

CONNECTOR = """
CONNECTOR {name} <
TYPE=OUTGOING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:{port}
INSTANCES=1
USERNAME=signalbox
PASSWORD=provider
STATIC
WINDOWSIZE=10
>
"""


def add_provider(gateway, name, port, prefix):
    configuration = gateway.run("config", "show").stdout + CONNECTOR.format(name=name, port=port)
    # PASSWORD is shown as ***; the demo's is public.
    file = gateway.place / f"{name}.cfg"
    file.write_text(configuration.replace("PASSWORD=***", "PASSWORD=provider"))
    gateway.run("config", "apply", file)
    gateway.run("route", "add", "--prefix", prefix, "--connector", name)
    wait_for(f"{name} is bound", lambda: connected(gateway, name), 60)


def connected(gateway, name):
    # Its exit status is 1 while any connector is not bound, which is no matter here.
    status = json.loads(gateway.run("status", "--json", check=False).stdout)
    return any(row["name"] == name and row["sessions"] > 0 for row in status["connectors"])


def send_and_get_receipts(gateway, destination):
    client = Client(gateway.smpp_port, COUNT, destination=destination)
    client.connect()
    client.submit_all()
    client.receive_all()
    return client


def test_net_smpp_as_client(gateway):
    done = subprocess.run(
        ["perl", HERE / "net_smpp_client.pl", str(gateway.smpp_port), "demo", "secret", "46709990001", str(COUNT)],
        capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert sorted(map(int, told["ids"])) == list(range(1, COUNT + 1))
    assert set(told["ids"].values()) == set(told["receipts"])
    assert told["other"] == []
    assert told["unbind_status"] == 0
    for message_id, receipt in told["receipts"].items():
        assert "stat:DELIVRD" in receipt["text"]
        assert receipt["esm_class"] == 4
        assert receipt["source"] == "46709990001"
        assert receipt["destination"] == "Perl"
        assert (receipt["receipted_message_id"] or "").rstrip("\0") == message_id


@pytest.mark.parametrize("kind", ["perl", "twisted"])
def test_another_smpp_program_as_provider(own_gateway, kind):
    port = free_port()
    command = {
        "perl": ["perl", HERE / "net_smpp_provider.pl", port],
        "twisted": [sys.executable, HERE / "twisted_provider.py", port, "signalbox", "provider"],
    }[kind]
    destination = {"perl": "4711100001", "twisted": "4722200001"}[kind]
    with Peer(command, kind) as provider:
        provider.wait_told("listening")
        add_provider(own_gateway, f"smpp-{kind}", port, destination[:5])
        client = send_and_get_receipts(own_gateway, destination)
        submits = provider.wait_told("submit", COUNT)
        assert [submit["text"] for submit in submits] == [f"message {number} attempt 1" for number in range(COUNT)]
        assert {submit["destination"] for submit in submits} == {destination}
        assert {submit["source"] for submit in submits} == {"Signalbox"}
        assert provider.of_kind("unexpected") == [] and provider.of_kind("other") == []
        assert sorted(client.receipts) == sorted((item.message_id, "DELIVRD") for item in client.answered)
        client.close()
