"""Connections that are cut, refused, held up, or left half open, between any two."""

import time

import pytest
from plant import IS_FULL, PROMPTLY

LINKS = ["clients", "provider", "database", "broker"]


# The short form cuts one after the other under one load, and audits once.
@pytest.mark.parametrize("links", [[one] for one in LINKS] if IS_FULL else [LINKS], ids="+".join)
def test_nothing_is_lost_when_connections_are_cut(plant, links):
    load = plant.load(rate=150)
    slowest = 0.0
    for link in plant.random.sample(links * 3, len(links) * 3):
        plant.run_for(plant.random.uniform(0.2, 0.8))
        lost, since = load.reconnects, time.monotonic()
        plant.links[link].tell("cut")
        slowest = max(slowest, plant.wait_well(since, load))
        if link != "clients":
            assert load.reconnects == lost, f"a client lost its session when connections to the {link} were cut"
    plant.check(load, f"connections cut, 3 times: {', '.join(links)}", slowest)


@pytest.mark.parametrize("link", LINKS if IS_FULL else [])
def test_nothing_is_lost_when_nobody_can_be_reached_for_a_while(plant, link):
    load = plant.load(rate=100)
    plant.links[link].tell("refuse")
    plant.run_for(20)
    plant.links[link].tell("pass")
    since = time.monotonic()
    healthy = plant.wait_well(since, load)
    plant.check(load, f"nobody reached for 20 s: {link}", healthy)


@pytest.mark.parametrize("link", LINKS if IS_FULL else [])
def test_nothing_is_lost_when_nothing_passes_for_a_while(plant, link):
    """As when a cable is pulled and put back: connections live on, and nothing in them is lost."""
    load = plant.load(rate=100)
    plant.links[link].tell("stall")
    plant.run_for(20)
    plant.links[link].tell("pass")
    since = time.monotonic()
    healthy = plant.wait_well(since, load)
    plant.check(load, f"nothing passed for 20 s: {link}", healthy)


@pytest.mark.parametrize("link", LINKS if IS_FULL else [])
def test_half_open_connections_are_given_up(plant, link):
    """The other side is gone and never said so; whoever connects anew finds it. Everybody has to notice in bounded time."""
    plant.configure(RESPONSETIMEOUT=10)
    load = plant.load(rate=100, silence=12)
    plant.links[link].tell("swallow")
    since = time.monotonic()
    noticed = plant.wait_well(since, load, timeout=120)
    # A provider and a client are given the time that their connectors say (RESPONSETIMEOUT, KEEPALIVE).
    assert noticed < (PROMPTLY if link in ("database", "broker") else 40)
    # A client's report is given to a dead session once more before that is noticed, by its timeout or by KEEPALIVE.
    plant.check(load, f"half open: {link} (noticed after {noticed:.0f} s)", patience=100)
    plant.configure()
