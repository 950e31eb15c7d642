"""How many requests a second egress-http sends to a provider that answers at once, how long a request takes it, and what it costs.

    python Tests/Benchmarks/egress_http_bench.py --signalbox .build/release/signalbox [--messages 20000]

The messages wait in the held connector's queue first, so that only the egress is measured: from the provider's first request to its last.
The provider is a process of its own (asyncio) that does nothing but answer, and shares the machine.
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Integration"))

JSON = {
    "HTTP_BODY": '{"to": "${DESTADDR|plus}", "from": "${SOURCEADDR}", "text": "${MESSAGE}", "ref": "${MSGID}"}',
    "HTTP_SUCCESSIF": "json:$.status = accepted", "HTTP_ID": "json:$.messages[0].id", "HTTP_TOKEN": "t"}
#: window, sessions, answer delay in ms, share of the messages, options
CASES = [
    ("EMG's parameters, window 1", 1, 1, 0, 0.25, {}),
    ("EMG's parameters, window 10", 10, 1, 0, 1, {}),
    ("JSON, window 10", 10, 1, 0, 1, JSON),
    ("JSON, window 50", 50, 1, 0, 1, JSON),
    ("JSON, window 10 x 4, 20 ms", 10, 4, 20, 0.5, JSON),
]


class Connection(asyncio.Protocol):
    """Finds where requests end, and answers each; of a head only the length is read."""

    def __init__(self, delay, seen):
        self.delay, self.seen, self.data = delay, seen, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15:].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.data) < end + 4 + length:
                return
            self.data = self.data[end + 4 + length:]
            now = time.monotonic()
            self.seen[1] = self.seen[1] or now
            self.seen[2] = now
            self.seen[0] += 1
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self.answer)
            else:
                self.answer()

    def answer(self):
        body = b'{"status": "accepted", "messages": [{"id": "P%d"}]}' % int(self.seen[0])
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def provide(delay, port, seen):
    async def serve():
        server = await asyncio.get_running_loop().create_server(lambda: Connection(delay, seen), "127.0.0.1", 0, backlog=512)
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(serve())


def cpu(pid):
    """Seconds of processor time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(gateway, number, window, sessions, delay, count, options):
    from client import Client
    from egress_provider import apply, connector, hold, state
    from gateway import wait_for

    name, prefix = f"bench{number}", f"77{number}"
    #: requests, the first one's time, the last one's
    seen = multiprocessing.Array("d", 3)
    port = multiprocessing.Value("i", 0)
    provider = multiprocessing.Process(target=provide, args=(delay / 1_000, port, seen), daemon=True)
    provider.start()
    try:
        wait_for("the provider listens", lambda: port.value, 20)
        apply(
            gateway, connector(
                name, 0, PROTOCOL="HTTP", STATIC=False, ADDRESS=f"http://127.0.0.1:{port.value}/send", WINDOWSIZE=window, INSTANCES=sessions,
                **options))
        gateway.run("route", "add", "--prefix", prefix, "--connector", name)
        hold(gateway, name)
        client = Client(gateway.smpp_port, count, destination=prefix + "1")
        client.connect()
        client.submit_all(600)
        client.close()
        # On a busy machine the first ones may take the old route, or leave before the connector is held.
        wait_for("they wait in the queue", lambda: (state(gateway, name)["queued"] or 0) >= count * 0.9, 300, 0.5)
        early = seen[0]
        seen[1] = 0
        pid = gateway.pids()["egress-http"]
        before = cpu(pid)
        gateway.run("connector", "unhold", name)
        wait_for("all are sent", lambda: state(gateway, name)["queued"] == 0, 600, 0.2)
        spent, count = cpu(pid) - before, seen[0] - early
        rate = (count - 1) / (seen[2] - seen[1])
        # A full window: each request takes the window's share of the time.
        return rate, window * sessions / rate * 1_000, spent / count * 1_000
    finally:
        provider.kill()
        provider.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signalbox", required=True)
    parser.add_argument("--messages", type=int, default=20_000)
    arguments = parser.parse_args()
    os.environ["SIGNALBOX_BIN"] = str(Path(arguments.signalbox).resolve())
    from gateway import Gateway

    gateway = Gateway()
    gateway.start()
    try:
        gateway.run("account", "topup", "demo", "100000")
        print(f"{'':32}{'per second':>12}{'ms each':>10}{'CPU s/1,000':>14}")
        for number, (what, window, sessions, delay, share, options) in enumerate(CASES):
            count = max(100, int(arguments.messages * share))
            rate, milliseconds, spent = measure(gateway, number, window, sessions, delay, count, options)
            print(f"{what:32}{rate:12.0f}{milliseconds:10.1f}{spent:14.3f}", flush=True)
    finally:
        gateway.stop()
        gateway.remove()


if __name__ == "__main__":
    main()
