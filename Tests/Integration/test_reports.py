"""Reports made by hand, orphans, search, and a price list of 100,000 lines."""

import random
import subprocess
import time

import pytest

from client import Client
from gateway import executable, free_port_base, wait_for

PRICES = 100_000


@pytest.fixture(scope="module")
def silent_gateway(own_gateway):
    """A provider that reports in hexadecimal what it answered in decimal, and one that never reports."""
    gateway = own_gateway
    providers = []
    text = gateway.run("config", "show").stdout.replace("PASSWORD=***", "PASSWORD=provider")
    for name, prefix, options in [
            ("never", "4791", ["--no-receipts", "--id-format", "decimal"]),
            ("hex", "4792", ["--id-format", "decimal", "--receipt-id-format", "hex", "--receipt-delay", "0"])]:
        port = free_port_base()
        providers.append(subprocess.Popen(
            [str(executable()), "smsc", "--listen", f"127.0.0.1:{port}", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=gateway.environment))
        text += f"\nCONNECTOR {name} <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:{port}\nUSERNAME=x\nPASSWORD=x\nSTATIC\n"
        text += "WINDOWSIZE=50\n>\n"
        (gateway.place / "reports.cfg").write_text(text)
        gateway.run("config", "apply", gateway.place / "reports.cfg")
        gateway.run("route", "add", "--prefix", prefix, "--connector", name)
    gateway.wait_healthy()
    yield gateway
    for provider in providers:
        provider.terminate()
        provider.wait(30)


def test_a_report_is_made_by_hand_by_our_id_and_by_the_providers(silent_gateway):
    gateway = silent_gateway
    client = Client(gateway.smpp_port, 2, destination="4791234567")
    client.connect()
    client.submit_all()
    ours, theirs = [submission.message_id for submission in client.answered]

    def awaited():
        return {row["msgid"]: row for row in gateway.json("dlr", "open")["open"]}

    wait_for("both reports are awaited", lambda: {ours, theirs} <= set(awaited()))
    smscid = awaited()[theirs]["smscid"]
    gateway.run("dlr", "inject", "--id", ours, "--status", "delivered")
    gateway.run("dlr", "inject", "--connector", "never", "--smscid", "00" + smscid, "--status", "FAILED", "--error", "42", "--text", "lost")
    client.receive_all()
    assert {identity: stat for identity, stat in client.receipts}[ours] == "DELIVRD"
    assert {identity: stat for identity, stat in client.receipts}[theirs] != "DELIVRD"
    client.linger(1)
    assert len(client.receipts) == 2
    client.close()
    wait_for("the log has it", lambda: gateway.json("message", "show", theirs)["message"]["status_name"] == "FAILED")
    shown = gateway.json("message", "show", theirs)
    assert shown["message"]["reasontext"] == "lost" and shown["message"]["reason"] == 42
    done = gateway.run("dlr", "inject", "--id", ours, "--status", "DELIVERED", check=False)
    assert done.returncode == 1 and "open report" in done.stderr


def test_ids_in_another_notation_find_their_message(silent_gateway):
    gateway = silent_gateway
    client = Client(gateway.smpp_port, 50, destination="4792345678")
    client.connect()
    client.submit_all()
    client.receive_all()
    client.close()
    assert {stat for _, stat in client.receipts} == {"DELIVRD"} and len(client.receipts) == 50


def test_an_orphan_is_listed(silent_gateway):
    gateway = silent_gateway
    gateway.sql(
        "INSERT INTO orphan_receipt (connector, smscid, source, record, note) VALUES ('hex', 'nobody', 'test', '', 'nothing was submitted')")
    (orphan,) = [row for row in gateway.json("dlr", "orphans")["orphans"] if row["smscid"] == "nobody"]
    assert not orphan["waiting"] and orphan["connector"] == "hex"
    assert gateway.json("dlr", "orphans", "--clear-before", "2999-01-01")["cleared"] >= 1
    assert gateway.json("dlr", "orphans", "--connector", "hex")["orphans"] == []


def test_messages_are_found(silent_gateway):
    gateway = silent_gateway

    def search(*words):
        return gateway.json("message", "search", *words)["messages"]

    wait_for("all are logged", lambda: len(search("--number", "4792*", "--status", "DELIVERED", "--limit", 100)) == 50)
    assert len(search("--number", "4791234567")) == 2
    assert [row["status_name"] for row in search("--number", "4791234567", "--status", "failed")] == ["FAILED"]
    assert search("--number", "4791%") == [] and search("--account", "nobody") == []
    assert len(search("--account", "demo", "--limit", 7)) == 7
    assert search("--until", "2020-01-02") == []
    assert gateway.run("message", "search", "--status", "NOSUCH", check=False).returncode == 64


def test_a_hundred_thousand_prices_come_in_seconds_or_not_at_all(silent_gateway):
    gateway = silent_gateway
    dice = random.Random(5)
    prefixes = dice.sample(range(10_000_000), PRICES)
    path = gateway.place / "prices.csv"
    lines = ["prefix,charge,cost,out"] + [f"{10_000_000 + prefix},0.0{prefix % 9000 + 1000},0.01,never" for prefix in prefixes]
    path.write_text("\n".join(lines + ["47x,1,1,never", "47,1,1,nowhere"]) + "\n")
    before = gateway.one("SELECT count(*) FROM price")
    done = gateway.run("price", "import", path, check=False)
    assert done.returncode == 1 and f"line {PRICES + 2}: a prefix is" in done.stderr
    path.write_text("\n".join(lines + ["47,1,1,nowhere"]) + "\n")
    done = gateway.run("price", "import", path, check=False)
    assert done.returncode == 1 and f"line {PRICES + 2}: there is no connector nowhere" in done.stderr
    assert gateway.one("SELECT count(*) FROM price") == before
    path.write_text("\n".join(lines) + "\n")
    start = time.monotonic()
    assert gateway.json("price", "import", path)["imported"] == PRICES
    print("imported", PRICES, "prices in", round(time.monotonic() - start, 2), "seconds")
    assert gateway.one("SELECT count(*) FROM price") == before + PRICES
    # And they are used, by a billing that goes on meanwhile.
    client = Client(gateway.smpp_port, 5)
    client.connect()
    client.submit_all()
    client.receive_all()
    client.close()
