"""The provider stands still and the load goes on: nothing grows, the ingress refuses by the protocol, and all drains in order."""

import time

from plant import IS_FULL, wait_for
from wire import RMSGQFUL

LIMIT = 20_000 if IS_FULL else 1_500
RATE = 1_000 if IS_FULL else 400
#: Lengths are read once a second, and what was accepted before is still on its way to the queue (docs/smpp.md, "Full queues").
SLACK_SECONDS = 4 if IS_FULL else 12
#: MiB by which a service may grow while the ingress refuses
ROOM = 30


def test_a_full_queue_refuses_and_drains_in_order(plant):
    plant.configure(MAXQUEUESIZE=LIMIT)
    try:
        load = plant.load(rate=RATE, window=200)
        plant.smsc.behave(is_mute=True)
        wait_for("the ingress refuses", lambda: load.book.refused, 180)
        plant.run_for(2)
        before, accepted = plant.memory(), load.accepted
        plant.run_for(120 if IS_FULL else 10)
        after = plant.memory()
        grown = {name: f"{before[name]:.0f} to {after[name]:.0f} MiB" for name in before if after[name] > before[name] + ROOM}
        assert not grown, f"memory grew while the provider stood still: {grown}"
        assert set(load.book.refused.values()) == {RMSGQFUL}
        assert load.accepted - accepted <= RATE * SLACK_SECONDS
        assert load.accepted <= LIMIT + RATE * SLACK_SECONDS + len(load.book.reports)
        assert load.reconnects == 0
        plant.smsc.behave()
        healthy = plant.wait_well(time.monotonic(), load)
        plant.check(load, f"provider stopped, {len(load.book.refused)} refused at {LIMIT} queued", healthy, patience=60)
    finally:
        plant.smsc.behave()
        plant.configure()
