"""Reports made by hand, orphans, search, and a price list of 100,000 lines."""

import random
import subprocess
import time

import pytest

from client import Client
from gateway import executable, free_port_base, wait_for
from provider import PythonProvider

PRICES = 100_000


@pytest.fixture(scope="module")
def silent_gateway(own_gateway):
    """A provider that reports in hexadecimal what it answered in decimal, one that never reports, and one that reports what nobody sent."""
    gateway = own_gateway
    providers = []
    text = "ORPHANTIME=3\n" + gateway.run("config", "show").stdout.replace("PASSWORD=***", "PASSWORD=provider")
    strange = PythonProvider(free_port_base()).start()
    text += f"\nCONNECTOR strange <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:{strange.port}\nUSERNAME=x\nSTATIC\nMAXQUEUESIZE=4\n>\n"
    for name, prefix, options in [
            ("never", "4791", ["--no-receipts", "--id-format", "decimal"]),
            ("hex", "4792", ["--id-format", "decimal", "--receipt-id-format", "hex", "--receipt-delay", "0"])]:
        port = free_port_base()
        providers.append(subprocess.Popen(
            [str(executable()), "smsc", "--listen", f"127.0.0.1:{port}", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=gateway.environment))
        text += f"\nCONNECTOR {name} <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:{port}\nUSERNAME=x\nPASSWORD=x\nSTATIC\n"
        text += "WINDOWSIZE=50\n>\n"
        if name == "never":
            text += f"\nCONNECTOR hasty <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:{port}\nUSERNAME=x\nSTATIC\nDLREXPIRE=2\n>\n"
        (gateway.place / "reports.cfg").write_text(text)
        gateway.run("config", "apply", gateway.place / "reports.cfg")
        gateway.run("route", "add", "--prefix", prefix, "--connector", name)
    gateway.run("route", "add", "--prefix", "4793", "--connector", "hasty")
    gateway.run("route", "add", "--prefix", "4796", "--connector", "strange")
    gateway.wait_healthy()
    gateway.strange = strange
    yield gateway
    strange.stop()
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


def test_a_receipt_for_nothing_waits_and_is_an_orphan_then(silent_gateway):
    gateway = silent_gateway
    wait_for("the provider is bound", lambda: gateway.strange.is_bound)
    receipt = "id:nobody1 sub:001 dlvrd:001 submit date:2611211200 done date:2611211201 stat:DELIVRD err:000 text:"
    assert gateway.strange.deliver("46701234567", "Shop", receipt, esm_class=4) == 0

    def orphans():
        return gateway.json("dlr", "orphans", "--connector", "strange")["orphans"]

    # It is listed from the beginning; ORPHANTIME later it waits no more.
    wait_for("it is an orphan", lambda: [row["waiting"] for row in orphans()] == [False])
    (orphan,) = orphans()
    assert orphan["smscid"] == "nobody1" and orphan["status"] == "DELIVERED"
    assert gateway.json("dlr", "orphans", "--clear-before", "2999-01-01")["cleared"] >= 1
    assert orphans() == []


def test_an_idle_queue_has_room_however_little_is_allowed(silent_gateway):
    """Each partition of a queue ends with the mark of a transaction: as many as MAXQUEUESIZE allows, and no message."""
    gateway = silent_gateway
    for round in range(2):
        for number in range(8):
            client = Client(gateway.smpp_port, 1, destination=f"4796{number}345678")
            client.connect()
            client.submit_all()
            client.close()
            wait_for("the provider has it", lambda: len(gateway.strange.submits) == round * 8 + number + 1)
        wait_for(
            "nothing waits",
            lambda: {row["name"]: row["queued"] for row in gateway.json("connector", "list")["connectors"]}["strange"] == 0)
        # A queue that is full would be seen within a second.
        gateway.changed()
        gateway.wait_applied()


def test_a_report_that_never_comes_expires(silent_gateway):
    gateway = silent_gateway
    client = Client(gateway.smpp_port, 3, destination="4793345678")
    client.connect()
    client.submit_all()
    client.receive_all()
    client.close()
    assert [stat for _, stat in client.receipts] == ["EXPIRED"] * 3
    ended = {submission.message_id for submission in client.answered}
    assert {identity for identity, _ in client.receipts} == ended
    assert not ended & {row["msgid"] for row in gateway.json("dlr", "open")["open"]}
    shown = gateway.story(ended.pop())
    assert shown["status_name"] == "EXPIRED" and shown["reasontext"] == "the provider sent no report in time"


def test_an_accounts_own_files_route_and_price_it(silent_gateway):
    gateway = silent_gateway
    routes, charges = gateway.place / "routes.txt", gateway.place / "charges.txt"
    routes.write_text("* hex PREFIX=4794\n* nowhere PREFIX=4795\n")
    charges.write_text("4794 0.125\n4795 x\n")
    refused = gateway.run("account", "set", "demo", "--set", f"charges={charges}", check=False)
    assert refused.returncode == 1 and f"charges of the account demo: {charges}, line 2: a charge is an amount" in refused.stderr
    refused = gateway.run("account", "set", "demo", "--set", f"routing={routes}", check=False)
    assert refused.returncode == 1 and "there is no connector or connector group nowhere" in refused.stderr
    routes.write_text("* hex PREFIX=4794\n")
    charges.write_text("4794 0.125\n")
    gateway.run("account", "set", "demo", "--set", f"routing={routes}", "--set", f"charges={charges}", "--set", "extra3=files")
    shown = gateway.json("account", "show", "demo")
    assert (shown["routing"], shown["charges"], shown["extra3"]) == (str(routes), str(charges), "files")
    gateway.wait_applied()
    client = Client(gateway.smpp_port, 1, destination="4794345678")
    client.connect()
    client.submit_all()
    client.receive_all()
    client.close()
    shown = gateway.story(client.answered[0].message_id)
    assert shown["outconnector"] == "hex" and float(shown["charge"]) == 0.125
    # `config apply` reads the files again, and applies nothing where one has a fault.
    charges.write_text("4794 0.25\n4795\n")
    refused = gateway.run("config", "apply", gateway.place / "reports.cfg", check=False)
    assert refused.returncode == 1 and f"{charges}, line 2" in refused.stderr and "nothing was applied" in refused.stderr
    charges.write_text("4794 0.25\n")
    assert "ACCOUNT demo charges" in gateway.run("config", "apply", gateway.place / "reports.cfg").stdout
    prices = [row for row in gateway.json("price", "list")["prices"] if row.get("origin")]
    assert [(row["prefix"], row["charge"], row["account"]) for row in prices] == [("4794", "0.25", "demo")]
    gateway.run("account", "set", "demo", "--set", "routing=", "--set", "charges=", "--set", "extra3=")
    assert not [row for row in gateway.json("price", "list")["prices"] + gateway.json("route", "list")["routes"] if row.get("origin")]


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
