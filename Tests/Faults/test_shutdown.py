"""SIGTERM: what is under way is brought to its end, sessions are unbound, and the process ends by itself. One after the other under
load, that is a rolling restart."""

import os
import re
import signal
import time

from plant import IS_FULL, SERVICES, STORES, WINDOW, wait_for
from wire import RMSGQFUL

#: What the supervisor gives a service before it kills it (docs/operations.md).
GRACE = 10.0
#: Submits of one session that may be on their way while our unbind is: what its client writes until it has read that.
CROSSING = 20


def terminate(plant, name):
    """Returns the seconds until the process is gone."""
    # To PostgreSQL SIGTERM means "when the last client has gone"; whoever stops it under load sends SIGINT (and its images say so).
    pid, since = plant.signal(name, signal.SIGINT if name == "postgresql" else signal.SIGTERM), time.monotonic()
    wait_for(f"{name} has ended", lambda: plant.gateway.pids().get(name) != pid, GRACE + 20)
    return time.monotonic() - since


def test_the_egress_takes_its_window_s_answers_before_it_unbinds(plant):
    load = plant.load(rate=200)
    plant.smsc.behave(delay=0.5)
    wait_for("the window is full", lambda: any(one.unanswered >= WINDOW for one in list(plant.smsc._sessions.values())), 30)
    lines = len(plant.gateway.tail(10_000).splitlines())
    took = terminate(plant, "egress-smpp")
    plant.smsc.behave()
    assert took < GRACE
    said = plant.gateway.tail(10_000).splitlines()[lines:]
    assert any(re.search(r"egress-smpp ended with status 0", line) for line in said), said
    healthy = plant.wait_well(time.monotonic(), load)
    assert not plant.smsc.book.broken, "a session ended with submits unanswered, or without unbind"
    plant.check(load, "SIGTERM to the egress, its window full", healthy)


def test_a_rolling_restart_costs_clients_no_more_than_a_reconnect(plant):
    load = plant.load(rate=200)
    slowest = 0.0
    for name in SERVICES + (STORES if IS_FULL else []):
        plant.run_for(0.3)
        took = terminate(plant, name)
        assert took < GRACE, f"{name} took {took:.1f} s to end"
        slowest = max(slowest, plant.wait_well(time.monotonic(), load))
    assert load.reconnects <= len(load.sessions), "clients saw more than one reconnect"
    assert not load.broken, "a client lost its session without an unbind"
    assert not plant.smsc.book.broken, "the provider lost a session without an unbind"
    # What crosses our unbind on its way is refused; the client sends it again over the next session.
    assert set(load.book.refused.values()) <= {RMSGQFUL}, f"messages were refused: {set(load.book.refused.values())}"
    assert len(load.book.refused) <= CROSSING * len(load.sessions), f"{len(load.book.refused)} messages were refused"
    plant.check(load, "rolling restart of every service", slowest)
    assert not plant.kept_unanswered(load), "messages were kept and not answered: their client hands them in again"


def test_the_whole_gateway_stops_and_starts_under_load(plant):
    load = plant.load(rate=200)
    plant.run_for(1)
    gateway, since = plant.gateway, time.monotonic()
    os.kill(gateway.process.pid, signal.SIGTERM)
    assert gateway.process.wait(60) == 0
    stopped = time.monotonic() - since
    assert not load.broken and not plant.smsc.book.broken
    gateway.start()
    since = time.monotonic()
    plant.wait_well(since, load)
    plant.check(load, f"`up` stopped ({stopped:.1f} s) and started again")
    assert not plant.kept_unanswered(load), "messages were kept and not answered: their client hands them in again"
