"""Where messages go: groups, lists, messages from phones, answers through a pool, and changes while traffic runs."""

import re
import subprocess
import time

import pytest
import smpplib.client
import smpplib.consts

from client import Client
from gateway import ROOT, executable, wait_for
from provider import PythonProvider


@pytest.fixture(scope="module")
def setting(own_gateway):
    """Two more providers, a group of both, a pool, a blacklist and a second client connector."""
    gateway = own_gateway
    text = (ROOT / "docs/demo.cfg").read_text()
    text = re.sub(r":2775\b", f":{gateway.smpp_port}", text)
    text = re.sub(r":2776\b", f":{gateway.smsc_port}", text)
    text = re.sub(r":8080\b", f":{gateway.http_port}", text)
    text = text.replace("CONNECTOR smpp-in1 <", "CONNECTOR smpp-in1 <\nBLACKLIST=unwanted\nNORMALIZE=00:,0:46")
    providers = {name: PythonProvider(gateway.base + 31 + index).start() for index, name in enumerate(["first", "second"])}
    for name, provider in providers.items():
        text += f"""
CONNECTOR {name} <
TYPE=OUTGOING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:{provider.port}
USERNAME=x
PASSWORD=x
STATIC
WINDOWSIZE=10
MAXQUEUESIZE=20
>
"""
    text += """
CONNECTORGROUP both <
CONNECTOR=first
CONNECTOR=second
>
SATPOOL replies <
ADDRESSRANGE=46710000000-46710000009
EXPIRE=600
QUOTED_REPLY
>
"""
    (gateway.place / "unwanted").write_text("Spammer\tREJECT\n4690*\tREJECT\tDESTADDR\nNoisy\tLOG\n")
    path = gateway.place / "routing.cfg"
    path.write_text(text)
    gateway.run("config", "apply", path)
    wait_for("both providers are bound", lambda: all(provider.is_bound for provider in providers.values()))
    yield providers
    for provider in providers.values():
        provider.stop()


class Phone:
    """A third party's client that takes every deliver_sm."""

    def __init__(self, port):
        self.received = []
        self.link = smpplib.client.Client("127.0.0.1", port, timeout=20, allow_unknown_opt_params=True)
        self.link.set_message_received_handler(lambda pdu: self.received.append(pdu))
        self.link.set_message_sent_handler(lambda pdu: None)
        self.link.connect()
        self.link.bind_transceiver(system_id="demo", password="secret")

    def send(self, source, destination, text):
        self.link.send_message(
            source_addr_ton=smpplib.consts.SMPP_TON_ALNUM, source_addr=source, dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            destination_addr=destination, short_message=text.encode("ascii"), registered_delivery=False)

    def wait(self, text):
        """The deliver_sm with that text."""
        deadline = time.monotonic() + 30
        while True:
            for pdu in self.received:
                if pdu.short_message == text:
                    return pdu
            assert time.monotonic() < deadline, f"{text} did not come"
            self.link.read_once()

    def close(self):
        self.link.unbind()
        self.link.disconnect()


def submit(gateway, destination, count=1, source="Signalbox", **fields):
    """Sends and waits for every report; returns the client."""
    client = Client(gateway.smpp_port, count, destination=destination, source=source, **fields)
    client.connect()
    client.submit_all()
    return client


def log(gateway, client):
    ids = [int(submission.message_id) for submission in client.answered]
    return gateway.sql(
        "SELECT status, outconnector, coalesce(reasontext, ''), coalesce(note, ''), destaddr FROM routelog WHERE msgid = ANY(%s)", (ids,))


def test_a_group_fails_over_when_its_first_provider_goes_away_and_comes_back_to_it(own_gateway, setting):
    gateway, first, second = own_gateway, setting["first"], setting["second"]
    gateway.run("route", "add", "--prefix", "4611", "--connector", "both")

    def goes_to(provider):
        before = len(provider.submits)
        submit(gateway, "46110000001").close()
        try:
            wait_for("it arrives", lambda: len(provider.submits) > before, 3)
            return True
        except AssertionError:
            return False

    wait_for("the group's first provider gets it", lambda: goes_to(first))
    assert second.submits == []
    first.stop()
    wait_for("the second provider takes over", lambda: goes_to(second), 30)
    count = len(second.submits)
    client = submit(gateway, "46110000002", 50)
    client.close()
    wait_for("all of them", lambda: len(second.submits) >= count + 50)
    first.start()
    wait_for("the first is bound again", lambda: first.is_bound, 60)
    wait_for("and gets the traffic again", lambda: goes_to(first), 30)


def test_a_full_queue_is_passed_over(own_gateway, setting):
    gateway, first, second = own_gateway, setting["first"], setting["second"]
    gateway.run("route", "add", "--prefix", "4614", "--connector", "both")
    first.is_mute = True

    def overflows():
        submit(gateway, "46140000001", 10).close()
        return any(submit.destination == "46140000001" for submit in second.submits)

    # Ten at a time: twenty wait for the first provider before the second gets any.
    wait_for("the second provider gets what the first has no room for", overflows, 60, 0.5)
    wait_for(
        "the log tells that they wait",
        lambda: gateway.one("SELECT count(*) FROM routelog WHERE destaddr = '46140000001' AND status < 4") >= 20, 20)
    first.is_mute = False
    # What it was sent and never answered comes again in a new session.
    first.stop()
    first.start()
    wait_for("nothing is lost", lambda: gateway.one("SELECT count(*) = 0 FROM routelog WHERE destaddr = '46140000001' AND status < 4"), 60)


def test_a_change_of_routes_counts_at_once(own_gateway, setting):
    gateway, second = own_gateway, setting["second"]

    def way(destination):
        client = submit(gateway, destination)
        client.close()
        return wait_for("it is sent", lambda: [row[1] for row in log(gateway, client) if row[0] >= 4])[0]

    assert way("46120000001") == "smpp-providerA"
    done = gateway.json("route", "add", "--prefix", "4612", "--connector", "second")
    wait_for("they go the new way", lambda: way("46120000001") == "second", 5)
    assert "46120000001" in [submit.destination for submit in second.submits]
    gateway.run("route", "rm", done["routeid"])
    wait_for("they go the old way", lambda: way("46120000002") == "smpp-providerA", 5)


def test_the_provider_gets_other_numbers_and_the_client_its_own(own_gateway, setting):
    gateway = own_gateway
    gateway.run("route", "add", "--prefix", "4613", "--connector", "smpp-providerA", "--strip", "2", "--add", "00", "--set-source", "Brand")
    assert gateway.json("route", "test", "--to", "0130000001", "--in", "smpp-in1", "--account", "demo")["destination"] == "00130000001"

    def translated():
        client = submit(gateway, "0130000001")
        client.receive_all()
        client.close()
        assert {stat for _, stat in client.receipts} == {"DELIVRD"}
        return [event for event in gateway.journal() if event.event == "SUBMIT" and event.destination == "00130000001"]

    assert {event.source for event in wait_for("the route counts", translated)} == {"Brand"}


def test_lists_reject_and_log(own_gateway, setting):
    gateway = own_gateway
    spam = submit(gateway, "46701234567", 2, source="Spammer")
    spam.receive_all()
    spam.close()
    assert {stat for _, stat in spam.receipts} == {"REJECTD"}
    wait_for("the log says why", lambda: {row[2] for row in log(gateway, spam)} == {"the sender is on the blacklist of smpp-in1"})
    charged = gateway.one(
        "SELECT count(*) FROM ledger WHERE msgid = ANY(%s)", ([int(item.message_id) for item in spam.answered],))
    assert charged == 0
    barred = submit(gateway, "46901234567", 1)
    barred.receive_all()
    barred.close()
    assert {stat for _, stat in barred.receipts} == {"REJECTD"}
    noisy = submit(gateway, "46701234567", 1, source="Noisy")
    noisy.receive_all()
    noisy.close()
    assert {stat for _, stat in noisy.receipts} == {"DELIVRD"}
    wait_for("the log notes it", lambda: [row[3] for row in log(gateway, noisy)] == ["the sender is on the blacklist of smpp-in1"])
    entry = gateway.json("blacklist", "add", "Signalbox", "--account", "demo")

    def ends_as():
        own = submit(gateway, "46701234567", 1)
        own.receive_all()
        own.close()
        return own.receipts[0][1]

    wait_for("the account's own list counts", lambda: ends_as() == "REJECTD")
    gateway.run("blacklist", "rm", entry["ruleid"])
    assert "Spammer" in gateway.run("blacklist", "list").stdout


def test_a_message_from_a_phone_reaches_its_account_by_number_and_keyword(own_gateway, setting):
    gateway, first = own_gateway, setting["first"]
    gateway.run("route", "add", "--traffic", "mo", "--prefix", "72345", "--keyword", "vote", "--connector", "smpp-in1", "--to-account", "demo")
    phone = Phone(gateway.smpp_port)

    def routed():
        """The route counts once a message finds it; each one before it ends as `no route`."""
        assert first.deliver("46708888888", "72345", "vote now") == 0
        wait_for("it is decided", lambda: gateway.one("SELECT count(*) = 0 FROM routelog WHERE sourceaddr = '46708888888' AND status < 3"))
        return gateway.sql("SELECT 1 FROM routelog WHERE sourceaddr = '46708888888' AND username = 'demo'")

    wait_for("the route counts", routed)
    assert first.deliver("46709999999", "72345", "Vote 7") == 0
    pdu = phone.wait(b"Vote 7")
    assert pdu.source_addr == b"46709999999" and pdu.destination_addr == b"72345"
    assert pdu.esm_class & 0x3C == 0
    phone.close()
    # Without the keyword there is nobody: it has an end all the same.
    assert first.deliver("46709999999", "72345", "hello") == 0
    wait_for(
        "the log tells both stories",
        lambda: sorted(
            gateway.sql("SELECT status, coalesce(username, ''), coalesce(reasontext, '') FROM routelog WHERE sourceaddr = '46709999999'"))
        == [(11, "demo", ""), (16, "", "no route")])


def test_an_answer_through_a_pool_reaches_the_sender(own_gateway, setting):
    gateway, first = own_gateway, setting["first"]
    gateway.run("route", "add", "--prefix", "4615", "--connector", "first")
    gateway.sql("UPDATE emguser SET satpoolcreate = 'replies' WHERE username = 'demo'")
    wait_for(
        "the pool counts",
        lambda: any("pool replies" in step for step in gateway.json("route", "test", "--to", "46150000001", "--account", "demo")["steps"]))

    def pooled():
        # What is sent before they do goes elsewhere.
        submit(gateway, "46150000002").close()
        return gateway.sql("SELECT 1 FROM sat_entry")

    wait_for("the routers know of it", pooled, interval=0.3)
    phone = Phone(gateway.smpp_port)
    for text in ["one", "two"]:
        phone.send("Alice", "46150000001", text)
        phone.link.read_once()

    def both():
        return [submit for submit in first.submits if submit.destination == "46150000001"]

    wait_for("the provider has both", lambda: len(both()) == 2)
    one, two = sorted(both(), key=lambda submit: submit.text)
    assert (one.source, two.source) == ("46710000000", "46710000001")
    original = gateway.one("SELECT msgid FROM sat_entry WHERE number = '46710000001' AND phone = '46150000001'")
    assert first.deliver("46150000001", two.source, "to two") == 0
    pdu = phone.wait(b"to two\n\n> two")
    assert pdu.source_addr == b"46150000001" and pdu.destination_addr == b"Alice"
    # A stranger cannot answer.
    assert first.deliver("46159999999", two.source, "who is it?") == 0
    phone.close()
    gateway.sql("UPDATE emguser SET satpoolcreate = NULL WHERE username = 'demo'")
    wait_for(
        "the log links the answer to its message",
        lambda: gateway.sql("SELECT origid, username, destaddr FROM routelog WHERE sourceaddr = '46150000001' AND status = 11")
        == [(original, "demo", "46710000001")])
    wait_for("the stranger's ends", lambda: gateway.sql("SELECT reasontext FROM routelog WHERE sourceaddr = '46159999999'") == [("no route",)])


def test_route_test_explains_and_import_is_all_or_nothing(own_gateway, setting, tmp_path):
    gateway = own_gateway
    text = gateway.run("route", "test", "--to", "46110000001", "--account", "demo", "--down", "first").stdout
    assert "not first: it is not connected" in text and text.splitlines()[-1] == "46110000001 goes to second."
    refused = gateway.run("route", "test", "--to", "1", "--account", "demo", "--tried", "smpp-providerA", check=False)
    assert refused.returncode == 1 and "goes nowhere: no route left" in refused.stdout
    before = gateway.json("route", "list")["routes"]
    file = tmp_path / "routes.csv"
    file.write_text("prefix,out_connector,account\n4621,first,\n4622,nowhere,\n4623,first,nobody\n")
    done = gateway.run("route", "import", file, check=False)
    assert done.returncode == 1
    assert [re.search(r"line (\d+)", line)[1] for line in done.stderr.splitlines()[:2]] == ["3", "4"]
    assert gateway.json("route", "list")["routes"] == before
    lines = "\n".join(f"46{number:05},first,demo,{number % 3}" for number in range(20_000))
    file.write_text("prefix,out_connector,account,priority\n" + lines + "\n")
    started = time.monotonic()
    assert gateway.json("route", "import", file)["routes"] == 20_000
    assert time.monotonic() - started < 30
    answer = gateway.json("route", "test", "--to", "46000070", "--account", "demo")
    assert answer["connector"] == "first" and any("prefix 4600007" in step for step in answer["steps"])


def test_config_check_names_faults_of_files_and_contradictions(tmp_path):
    (tmp_path / "bad").write_text("46701 DROP\n")
    (tmp_path / "x.cfg").write_text(
        "BLACKLIST=bad\nROUTING=missing\n"
        "CONNECTOR a <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERNAME=u\nROUTE=nowhere\n>\nCONNECTORGROUP g <\nCONNECTOR=b\n>\n")
    done = subprocess.run([executable(), "config", "check", tmp_path / "x.cfg"], capture_output=True, text=True)
    assert done.returncode == 1
    for words in ["bad, line 1: the action is REJECT or LOG", "cannot read", "ROUTE names nowhere", "CONNECTOR names b"]:
        assert words in done.stderr, done.stderr
