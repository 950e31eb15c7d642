"""Wall clocks that step: of everything at once, as when the machine's clock is set, and of one process, as where hosts disagree."""

import time

import pytest
from clocks import NAMES, Clocks
from plant import IS_FULL, SERVICES, STORES, Plant

HOUR = 3600.0
#: Seconds that the load goes on after a step.
LASTS = 5.0 if IS_FULL else 1.5
#: Each case ends with the right time.
STEPS = {
    "an hour ahead and back": [HOUR, 0.0], "an hour back and ahead": [-HOUR, 0.0],
    "to and fro": [0.3, -0.3, 2.0, -1.0, 0.0, -2.0, 1.0, 0.05, -0.05, 0.0]}


@pytest.fixture
def stepping():
    """A gateway for each case: one whose clocks have stepped has given out ids of another hour, and the books go by "later than"."""
    running = Plant()
    clocks = Clocks(running.gateway)
    running.start()
    for name in [*SERVICES, *STORES]:
        assert clocks.governs(running.pid(name)), f"{name} goes by another clock"
    yield running, clocks
    running.stop()
    clocks.close()


def step(running, clocks, load, moments, names=NAMES):
    """Returns the longest time that it took until all was well after a step."""
    slowest = 0.0
    for moment in moments:
        since = time.monotonic()
        clocks.set(moment, names)
        slowest = max(slowest, running.wait_well(since, load))
        running.run_for(LASTS)
    return slowest


@pytest.mark.parametrize("kinds", [[one] for one in STEPS] if IS_FULL else [["an hour ahead and back", "an hour back and ahead"]], ids=", ".join)
def test_nothing_is_lost_when_the_clock_steps(stepping, kinds):
    running, clocks = stepping
    load = running.load(rate=100)
    slowest = max(step(running, clocks, load, STEPS[kind]) for kind in kinds)
    assert not load.broken and not running.smsc.book.broken, "a session was lost"
    assert not load.book.refused, f"messages were refused: {set(load.book.refused.values())}"
    running.check(load, f"every clock steps {', '.join(kinds)}", slowest)


@pytest.mark.parametrize("victim", [*SERVICES, "broker", "postgres"] if IS_FULL else [])
def test_nothing_is_lost_when_one_clock_steps(stepping, victim):
    running, clocks = stepping
    load = running.load(rate=100)
    slowest = step(running, clocks, load, [HOUR, 0.0, -HOUR, 0.0], [victim])
    assert not load.broken and not running.smsc.book.broken, "a session was lost"
    assert not load.book.refused, f"messages were refused: {set(load.book.refused.values())}"
    running.check(load, f"the clock of {victim} steps an hour ahead and back, and back and ahead", slowest)
