"""A process that is frozen (SIGSTOP) for longer than its sessions last, and goes on as if nothing had happened."""

import time

import pytest
from plant import IS_FULL, SERVICES, STORES

#: A group's member is given up after 10 seconds, a heartbeat counts for 5.
LONG = 15.0


@pytest.mark.parametrize("victim", [*SERVICES, *STORES] if IS_FULL else ["billing"])
def test_nothing_is_lost_when_a_process_is_frozen(plant, victim):
    load = plant.load(rate=100)
    thaw = plant.freeze(victim)
    try:
        plant.run_for(LONG)
    finally:
        thaw()
    since = time.monotonic()
    healthy = plant.wait_well(since, load)
    plant.check(load, f"{victim} frozen for {LONG:.0f} s", healthy)


@pytest.mark.skipif(not IS_FULL, reason="takes half a minute: only in the whole suite")
def test_nothing_is_lost_when_everything_is_frozen_at_once(plant):
    load = plant.load(rate=100)
    thaws = [plant.freeze(victim) for victim in SERVICES + STORES]
    try:
        plant.run_for(LONG)
    finally:
        for thaw in thaws:
            thaw()
    since = time.monotonic()
    healthy = plant.wait_well(since, load)
    plant.check(load, f"everything frozen for {LONG:.0f} s", healthy)
