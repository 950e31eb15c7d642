"""SIGKILL, at random moments under load: of each process, again and again, and of all of them at once."""

import os
import signal
import time

import pytest
from plant import IS_FULL, SERVICES, STORES, wait_for

TIMES = 3 if IS_FULL else 1
ALL = [*SERVICES, *STORES]


# The short form kills one after the other under one load, and audits once.
@pytest.mark.parametrize("victims", [[one] for one in ALL] if IS_FULL else [ALL], ids="+".join)
def test_nothing_is_lost_when_processes_are_killed(plant, victims):
    load = plant.load()
    slowest = 0.0
    for victim in plant.random.sample(victims * TIMES, len(victims) * TIMES):
        plant.run_for(plant.random.uniform(0.2, 1.5 if IS_FULL else 0.6))
        lost = load.reconnects
        killed, since = plant.kill(victim), time.monotonic()
        wait_for(f"{victim} runs again", lambda: plant.gateway.pids().get(victim, killed) != killed, 30)
        slowest = max(slowest, plant.wait_well(since, load))
        if victim != "ingress-smpp":
            assert load.reconnects == lost, f"a client lost its session when {victim} was killed"
    what = victims[0] if len(victims) == 1 else "each process"
    plant.check(load, f"{what} killed, {TIMES} time{'s' * (TIMES > 1)}", slowest)


def test_nothing_is_lost_when_everything_is_killed_at_once(plant):
    load = plant.load()
    slowest = 0.0
    for _ in range(TIMES):
        plant.run_for(plant.random.uniform(0.3, 1.5))
        pids, since = [plant.pid(name) for name in plant.random.sample(ALL, len(ALL))], time.monotonic()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_for("all run again", lambda: not set(pids) & set(plant.gateway.pids().values()), 60)
        slowest = max(slowest, plant.wait_well(since, load))
    plant.check(load, f"everything killed at once, {TIMES} time{'s' * (TIMES > 1)}", slowest)
