"""A provider that behaves badly: it answers out of order, twice, late, not at all, or with garbage; it throttles, and it goes away."""

import time

import pytest
from plant import IS_FULL, Allowed, wait_for
from wire import RTHROTTLED

#: seconds that each behaviour lasts
LASTS = 60.0 if IS_FULL else 2.5

BEHAVIOURS = {
    "out of order": {"jitter": 0.3}, "twice": {"answers_twice": True}, "with garbage": {"garbage": 0.01},
    "late": {"delay": 3.0}, "not at all": {"is_mute": True},
    # Half a minute and more of nothing but ESME_RTHROTTLED. What was under way at the first may change its order (docs/smpp.md).
    "with throttling": {"status": RTHROTTLED},
}


# The short form tries one after the other under one load, and audits once.
@pytest.mark.parametrize("kinds", [[one] for one in BEHAVIOURS] if IS_FULL else [list(BEHAVIOURS)], ids=", ".join)
def test_nothing_is_lost_or_doubled_by_how_a_provider_answers(plant, kinds):
    # An answer that is late is given up after this: the session is left, and its window sent again.
    plant.configure(RESPONSETIMEOUT=2)
    try:
        load = plant.load(rate=100)
        for kind in kinds:
            plant.smsc.behave(**BEHAVIOURS[kind])
            plant.run_for(LASTS)
            plant.smsc.behave()
        healthy = plant.wait_well(time.monotonic(), load)
        what = kinds[0] if len(kinds) == 1 else "in every wrong way"
        plant.check(
            load, f"provider answers {what} for {LASTS:g} s", healthy, allowed=Allowed(in_order="with throttling" not in kinds),
            patience=60)
    finally:
        plant.smsc.behave()
        plant.configure()


@pytest.mark.skipif(not IS_FULL, reason="only in the whole suite")
def test_a_provider_that_is_away_gets_everything_when_it_is_back(plant):
    load = plant.load(rate=100)
    plant.links["provider"].tell("refuse")
    plant.run_for(LASTS)
    plant.links["provider"].tell("pass")
    # It is asked again after 30 seconds at most (docs/smpp.md, WAITBEFORECONNECT).
    wait_for("the provider is bound again", lambda: plant.smsc.bound, 60)
    plant.check(load, f"provider away for {LASTS:.0f} s", plant.wait_well(time.monotonic(), load), patience=60)
