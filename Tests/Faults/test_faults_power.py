"""A power cut: every process gone at once, the broker's files cut back to what was fsynced, the notes beside the services lost.

PostgreSQL's own files stay as they are: that it survives a power cut with fsync on is its promise, not ours."""

import contextlib
import os
import random
import signal
import time

import pytest
from plant import IS_FULL, SEED, WINDOW, Allowed, Plant, wait_for
from power_cut import take_back

RATE = 200
#: What was answered since the last commit comes again, too, for the journals of answers are lost (docs/architecture.md): some 30 ms on an
#: idle machine, and never a second.
LATELY = RATE


@pytest.fixture(scope="module")
def mains():
    running = Plant()
    running.gateway.arguments += ["--broker-sync-log", running.gateway.place / "synced"]
    running.start()
    yield running
    running.stop()


@pytest.mark.skipif(not IS_FULL, reason="the broker's own tests cut its power in the short suite")
@pytest.mark.parametrize("cut", range(5))
def test_nothing_acknowledged_is_lost_in_a_power_cut(mains, cut):
    random.seed(SEED + cut)
    gateway = mains.gateway
    load = mains.load(rate=RATE)
    mains.run_for(mains.random.uniform(1, 4))
    # The supervisor first, that it starts nothing again; what is killed then lies there until it is gone.
    os.kill(gateway.process.pid, signal.SIGSTOP)
    pids = [pid for name in gateway.pids() for pid in mains.processes(name)]
    for pid in pids:
        # PostgreSQL's workers come and go, and go when the first of them is gone.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    gateway.process.kill()
    gateway.process.wait()
    gateway.process = None
    wait_for("all are gone", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), 30)
    take_back(gateway.data / "broker", gateway.place / "synced")
    for note in (gateway.data / "journal").glob("*"):
        note.write_bytes(b"")
    since = time.monotonic()
    gateway.start()
    healthy = mains.wait_well(since, load)
    allowed = Allowed(window=WINDOW + LATELY, repeated_reports=len(load.sessions) * (WINDOW + LATELY))
    mains.check(load, f"power cut {cut + 1}", healthy, allowed=allowed)
