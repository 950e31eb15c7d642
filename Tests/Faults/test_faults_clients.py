"""Clients that behave badly: one that floods, some that trickle octets, one that never reads."""

import socket
import time

from ingress import SUBMIT_SM, answer_to, bind, bind_status, receive_deliveries, submit_body
from plant import IS_FULL, wait_for
from smpp_raw import bind_body, pdu
from wire import RTHROTTLED

#: MiB by which the ingress may grow for a client that misbehaves
ROOM = 100
#: messages a second of a client that knows no restraint
RUSH = 20_000 if IS_FULL else 3_000




def account(plant, name):
    # More than a flood can spend: what is refused for want of money would not be delivered.
    plant.gateway.run("account", "add", name, "--password", "secret", "--prepaid", "--balance", "1000000", check=False)
    plant.gateway.run("access", "add", name, "--network", "0.0.0.0/0", "--connector", "*", check=False)
    return name


def test_a_client_that_floods_is_throttled_and_hurts_nobody(plant):
    usual = plant.load(rate=50)
    before = plant.memory()["ingress-smpp"]
    flood = plant.load(further=True, account=account(plant, "flood"), rate=RUSH, sessions=1, window=20_000, prefix="4671")
    plant.run_for(20 if IS_FULL else 1.5)
    flood.is_submitting = False
    wait_for("the flood is answered", lambda: flood.unanswered == 0, 120)
    assert plant.memory()["ingress-smpp"] < before + ROOM
    assert set(flood.book.refused.values()) <= {RTHROTTLED}
    assert usual.reconnects == 0 and not usual.book.refused
    plant.check(usual, "a client floods", further=[flood], patience=60)


def test_clients_that_trickle_octets_hold_nobody_up(plant):
    load = plant.load(rate=100)
    name = account(plant, "trickle")
    whole = pdu(9, 1, bind_body(name, "secret"))
    slow = [socket.create_connection(("127.0.0.1", plant.gateway.smpp_port)) for _ in range(60 if IS_FULL else 20)]
    session = bind(plant.gateway.smpp_port, name)
    submit = pdu(SUBMIT_SM, 2, submit_body(b"one by one", destination="46720000001"))
    for position in range(len(submit)):
        session.send(submit[position:position + 1])
        for connection in slow:
            # None of them ever comes to the end of its bind.
            if position < len(whole) - 1:
                connection.sendall(whole[position:position + 1])
    status, body = answer_to(session, SUBMIT_SM, 2)
    assert status == 0
    identity = body.split(b"\0")[0].decode()
    (report,) = receive_deliveries(session, 1)
    assert report.receipt_id == identity
    session.socket.close()
    # BINDTIMEOUT, 10 seconds, ends those that never bind.
    for connection in slow:
        connection.settimeout(30)
        assert connection.recv(100) == b""
        connection.close()
    assert load.reconnects == 0 and not load.book.refused
    # The message by hand is in nobody's book.
    load.book.acknowledged[identity] = "one by one"
    load.book.reports[identity].append(report.stat)
    plant.check(load, f"{len(slow) + 1} clients trickle octets")


def test_a_client_that_never_reads_is_not_read_from(plant):
    usual = plant.load(rate=50)
    deaf = plant.load(further=True, account=account(plant, "deaf"), rate=RUSH / 5, sessions=1, window=500, prefix="4671")
    deaf.is_reading = False
    deaf.window = 1_000_000
    before = plant.memory()["ingress-smpp"]
    plant.run_for(20 if IS_FULL else 4)
    assert plant.memory()["ingress-smpp"] < before + ROOM
    assert usual.reconnects == 0 and not usual.book.refused
    assert bind_status(plant.gateway.smpp_port, account(plant, "late")) == 0
    deaf.is_submitting, deaf.window, deaf.is_reading = False, 500, True
    plant.wait_well(time.monotonic())
    plant.check(usual, "a client never reads", further=[deaf], patience=60)
