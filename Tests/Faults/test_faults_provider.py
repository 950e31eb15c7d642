"""A provider that behaves badly: it stops answering, answers late, out of order, twice, with garbage, or throttles."""

import time

import pytest
from plant import IS_FULL, Allowed, wait_for
from scripted_smsc import RTHROTTLED

#: seconds that each behaviour lasts
LASTS = 60.0 if IS_FULL else 3.0


@pytest.fixture(autouse=True)
def well_behaved_afterwards(plant):
    yield
    plant.smsc.behave()


def misbehave(plant, what, allowed=None, rate=100, lasts=LASTS, **behaviour):
    load = plant.load(rate=rate)
    plant.smsc.behave(**behaviour)
    plant.run_for(lasts)
    plant.smsc.behave()
    since = time.monotonic()
    healthy = plant.wait_well(since, load)
    plant.check(load, what, healthy, allowed=allowed, patience=45)


def test_answers_out_of_order_are_told_apart(plant):
    misbehave(plant, "provider answers out of order", jitter=0.3)


def test_an_answer_that_comes_twice_counts_once(plant):
    misbehave(plant, "provider answers twice", answers_twice=True)


def test_octets_that_are_no_answer_end_the_session_and_lose_nothing(plant):
    misbehave(plant, "provider answers with garbage", garbage=0.01)


def test_a_throttling_provider_gets_everything_later(plant):
    # What was under way when it complained may change its order (docs/smpp.md, "Throttling").
    misbehave(plant, f"provider throttles for {LASTS:.0f} s", Allowed(in_order=False), status=RTHROTTLED)


def test_late_and_missing_answers_are_asked_for_again_within_the_window(plant):
    plant.configure(RESPONSETIMEOUT=2)
    try:
        load = plant.load(rate=100)
        plant.smsc.behave(delay=3.0)
        plant.run_for(LASTS / 2)
        plant.smsc.behave(is_mute=True)
        plant.run_for(LASTS / 2)
        plant.smsc.behave()
        healthy = plant.wait_well(time.monotonic(), load)
        plant.check(load, "provider answers late, then not at all", healthy)
    finally:
        plant.configure()


@pytest.mark.skipif(not IS_FULL, reason="only in the whole suite")
def test_a_provider_that_is_away_gets_everything_when_it_is_back(plant):
    load = plant.load(rate=100)
    plant.links["provider"].tell("refuse")
    plant.run_for(LASTS)
    plant.links["provider"].tell("pass")
    wait_for("the provider is bound again", lambda: plant.smsc.bound, 60)
    plant.check(load, f"provider away for {LASTS:.0f} s", plant.wait_well(time.monotonic(), load), patience=45)
