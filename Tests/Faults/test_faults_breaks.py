"""The audit is tested itself: the gateway breaks a promise on purpose, and the audit must say which.

The breaks are in debug builds only (`Sabotage`, Shared/Bus)."""

import os
import signal
import time

import pytest
from plant import Plant, is_debug, wait_for

pytestmark = pytest.mark.skipif(not is_debug(), reason="a release build cannot be broken on purpose")


@pytest.fixture(scope="module")
def broken():
    """A gateway of its own: what is broken here stays broken."""
    running = Plant().start()
    yield running
    running.stop(check=False)


def sabotage(plant, service, word):
    """The service starts again, with this break or with none."""
    plant.sabotage.write_text(word)
    killed = plant.kill(service)
    wait_for(f"{service} runs again", lambda: plant.gateway.pids().get(service, killed) != killed, 30)
    plant.wait_well()


def kinds(found):
    return {sentence.split(":")[0] for sentence in found}


def test_the_audit_is_silent_where_nothing_is_broken(broken):
    load = broken.load()
    broken.run_for(1)
    assert broken.findings(load) == []


def test_answering_before_the_broker_has_it_is_found(broken):
    sabotage(broken, "ingress-smpp", "answer-early")
    load = broken.load()
    thaw = broken.freeze("broker")
    accepted = load.accepted
    # The broker hears nothing of these, and the client is told that they are kept.
    wait_for("more is accepted", lambda: load.accepted > accepted + 20, 20)
    broken.sabotage.write_text("")
    broken.kill("ingress-smpp")
    thaw()
    broken.wait_well(time.monotonic())
    found = broken.findings(load, patience=4)
    assert any("acknowledged messages are not in the log" in sentence for sentence in found), found
    assert "lost" in kinds(found)


def test_committing_an_offset_early_is_found(broken):
    sabotage(broken, "egress-smpp", "commit-early")
    load = broken.load()
    # What is answered commits what is not.
    broken.smsc.behave(delay=0.3)
    broken.run_for(2)
    broken.sabotage.write_text("")
    broken.kill("egress-smpp")
    broken.smsc.behave()
    broken.wait_well(time.monotonic())
    found = broken.findings(load, patience=4)
    assert any("never reached the provider" in sentence or "got no final report" in sentence for sentence in found), found
    assert "lost" in kinds(found)


def test_charging_twice_on_a_replay_is_found(broken):
    sabotage(broken, "billing", "charge-twice")
    load = broken.load()
    # A replay takes a kill between PostgreSQL's commit and the broker's: the broker stands still meanwhile.
    for _ in range(30):
        broken.run_for(0.2)
        thaw = broken.freeze("broker")
        broken.run_for(0.2)
        killed = broken.pid("billing")
        os.kill(killed, signal.SIGKILL)
        thaw()
        wait_for("billing runs again", lambda: broken.gateway.pids().get("billing", killed) != killed, 30)
        broken.wait_well(time.monotonic())
        if broken.gateway.one("SELECT count(*) FROM ledger WHERE kind > 1000 AND msgid > %s", (broken.before,)):
            break
    found = broken.findings(load, patience=4)
    assert any("charged twice" in sentence for sentence in found), found
    assert any("report reconcile" in sentence for sentence in found), found
