"""The services' clocks step, forwards and back, as when somebody sets them, or a machine wakes up."""

import os
import time
from pathlib import Path

import pytest
from plant import IS_FULL, Plant

pytestmark = pytest.mark.skipif(not IS_FULL, reason="a gateway of its own: only in the whole suite")
LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


@pytest.fixture(scope="module")
def clockwork(tmp_path_factory):
    if LIBRARY is None:
        pytest.skip("libfaketime is not installed")
    offset = tmp_path_factory.mktemp("clock") / "offset"
    offset.write_text("+0\n")
    # Clocks that nobody sets go on as they were.
    # The first process with the library in it makes the memory that all share, and a Swift program that does so loses its arguments.
    running = Plant(wrapper=[
        "/usr/bin/env", f"LD_PRELOAD={LIBRARY}", f"FAKETIME_TIMESTAMP_FILE={offset}", "FAKETIME_CACHE_DURATION=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1", "/usr/bin/env"])
    running.start()

    def step(seconds):
        fresh = offset.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        os.replace(fresh, offset)
        # Each process looks at the file once a second.
        running.run_for(1.5)

    running.step = step
    yield running
    running.stop()


def test_nothing_is_lost_when_the_clocks_step(clockwork):
    load = clockwork.load(rate=100)
    slowest = 0.0
    for seconds in (1, -1, 3_600, -3_600, 0):
        clockwork.step(seconds)
        clockwork.run_for(3)
        slowest = max(slowest, clockwork.wait_well(time.monotonic(), load))
    clockwork.check(load, "clocks step by 1 s and by 1 h, forwards and back", slowest)
