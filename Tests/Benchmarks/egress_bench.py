"""How near the egress comes to window x sessions / round trip, for a provider that answers after a while.

    python Tests/Benchmarks/egress_bench.py --signalbox .build/release/signalbox

Each case has a gateway's connector of its own. The messages wait in the held connector's queue first, so that only the egress is
measured: from the first to the last submit in the provider's journal.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Integration"))

#: window, sessions, answer delay in ms, messages, the least share of window x sessions / round trip
CASES = [
    ("window 10, 1 session, 50 ms", 10, 1, 50, 1_500, 0.85),
    ("window 10, 4 sessions, 50 ms", 10, 4, 50, 4_000, 0.85),
    ("window 1, 1 session, 20 ms", 1, 1, 20, 300, 0.80),
    ("window 100, 1 session, 100 ms", 100, 1, 100, 6_000, 0.80),
]


def measure(gateway, number, window, sessions, delay, count):
    from client import Client
    from gateway import wait_for
    from egress_provider import Provider, apply, connector

    name, prefix = f"bench{number}", f"77{number}"
    provider = Provider(gateway, name, number)
    provider.start("--answer-delay", delay, "--no-receipts")
    try:
        apply(gateway, connector(name, provider.port, WINDOWSIZE=window, INSTANCES=sessions))
        gateway.run("route", "add", "--prefix", prefix, "--connector", name)
        gateway.run("connector", "hold", name)
        gateway.wait_applied()
        client = Client(gateway.smpp_port, count, destination=prefix + "1")
        client.connect()
        client.submit_all(300)
        client.close()

        def state():
            return next(one for one in gateway.json("connector", "list")["connectors"] if one["name"] == name)

        wait_for("all wait in the queue", lambda: (state()["queued"] or 0) >= count and state()["sessions"] == sessions, 120, 0.5)
        gateway.run("connector", "unhold", name)
        wait_for("all are sent", lambda: len(provider.events("ANSWER")) >= count, 300, 0.5)
        times = [event.milliseconds for event in provider.events("SUBMIT")]
        return (len(times) - 1) * 1_000 / (times[-1] - times[0])
    finally:
        provider.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signalbox", required=True)
    os.environ["SIGNALBOX_BIN"] = str(Path(parser.parse_args().signalbox).resolve())
    from gateway import Gateway

    gateway = Gateway()
    gateway.start()
    below = 0
    try:
        print(f"{'':32}{'per second':>12}{'possible':>12}{'ratio':>8}{'least':>8}")
        for number, (what, window, sessions, delay, count, least) in enumerate(CASES):
            rate = measure(gateway, number, window, sessions, delay, count)
            possible = window * sessions * 1_000 / delay
            below += rate < least * possible
            print(f"{what:32}{rate:12.0f}{possible:12.0f}{rate / possible:8.2f}{least:8.2f}", flush=True)
    finally:
        gateway.stop()
        gateway.remove()
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
