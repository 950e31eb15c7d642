"""Simulated providers of our own beside the demo's, with connectors and routes to them."""

import re
import signal
import subprocess
from collections import Counter

from client import Client
from gateway import ROOT, JournalEvent, executable, wait_for

FIRST_PORT = 25


def demo_text(gateway):
    """The demo's configuration with this gateway's ports."""
    text = (ROOT / "docs/demo.cfg").read_text()
    text = re.sub(r":2775\b", f":{gateway.smpp_port}", text)
    text = re.sub(r":8080\b", f":{gateway.http_port}", text)
    return re.sub(r":2776\b", f":{gateway.smsc_port}", text)


class Provider:
    """One simulated SMSC."""

    def __init__(self, gateway, name, number):
        self.name = name
        self.port = gateway.base + FIRST_PORT + number
        self.place = gateway.place / f"{name}.journal"
        self.process = None

    def start(self, *arguments):
        self.stop()
        self.process = subprocess.Popen(
            [str(word) for word in (
                executable(), "smsc", "--listen", f"127.0.0.1:{self.port}", "--journal", self.place, "--receipt-delay", 50, "--magic",
                "999", *arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        # It says so when it listens.
        assert "listening" in self.process.stdout.readline()
        return self

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process.stdout.close()
            self.process = None

    def events(self, kind=None):
        text = self.place.read_text(errors="replace") if self.place.exists() else ""
        events = [JournalEvent(line) for line in text.split("\n")[:-1] if line]
        return [event for event in events if kind in (None, event.event)]

    def submits(self, destination):
        return [event for event in self.events("SUBMIT") if event.destination == destination]


def connector(name, port, **options):
    """A CONNECTOR section. A keyword with the value None stands alone."""
    lines = {
        "TYPE": "OUTGOING", "PROTOCOL": "SMPP", "ADDRESS": f"127.0.0.1:{port}", "USERNAME": "x", "PASSWORD": "x", "STATIC": None,
        "WINDOWSIZE": 10} | options
    if lines["STATIC"] is False:
        del lines["STATIC"]
    body = "\n".join(key if value is None else f"{key}={value}" for key, value in lines.items())
    return f"\nCONNECTOR {name} <\n{body}\n>\n"


def apply(gateway, *sections):
    path = gateway.place / "providers.cfg"
    path.write_text(demo_text(gateway) + "".join(sections))
    gateway.run("config", "apply", path)


def send(gateway, destination, count=1, timeout=60, **fields):
    """Sends, waits for the reports. Returns the client and the words of the reports."""
    client = Client(gateway.smpp_port, count, destination=destination, **fields)
    client.connect()
    client.submit_all()
    client.receive_all(timeout)
    client.linger(0.5)
    client.close()
    assert Counter(identity for identity, _ in client.receipts) == {one.message_id: 1 for one in client.answered}
    return client, [word for _, word in client.receipts]


def row(gateway, client, columns):
    """The log's row of the client's only message, once it has ended."""
    identity = int(client.answered[0].message_id)
    return wait_for(
        "the message has ended in the log",
        lambda: gateway.sql(f"SELECT {columns} FROM routelog WHERE msgid = %s AND status >= 10", (identity,)), 20)[0]


def state(gateway, name):
    """What `connector list` says of one."""
    return next(one for one in gateway.json("connector", "list")["connectors"] if one["name"] == name)


def hold(gateway, name):
    gateway.run("connector", "hold", name)
    wait_for("it is held", lambda: state(gateway, name)["state"] == "held", 20, 0.2)
    # The list says what was ordered; the connector follows within a second or so.
    gateway.changed()
    gateway.wait_applied()
