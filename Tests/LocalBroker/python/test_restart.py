"""Nothing acknowledged is lost, whatever ends the broker."""

import random
import threading
import time

import pytest
from clients import QUIET, create, produce, producer, read_all, values
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from conftest import until


@pytest.mark.parametrize("hard", [False, True], ids=["SIGTERM", "SIGKILL"])
def test_records_offsets_and_groups_are_there_after_a_restart(broker, topic, hard):
    create(broker.address, topic)
    sent = produce(broker.address, topic, [b"%05d" % n for n in range(3000)])
    c = Consumer({"bootstrap.servers": broker.address, "group.id": "g", **QUIET, "enable.auto.commit": False})
    c.commit(offsets=[TopicPartition(topic, 2, 7, "seven")], asynchronous=False)
    broker.restart(hard)
    assert values(broker.address, topic) == sorted(sent)
    kept = c.committed([TopicPartition(topic, 2)], 20)[0]
    assert (kept.offset, kept.metadata) == (7, "seven")
    c.close()
    more = produce(broker.address, topic, [b"more-%d" % n for n in range(100)])
    broker.restart(hard)
    assert values(broker.address, topic) == sorted(sent + more)


def test_an_idempotent_producer_lives_through_kills_without_gap_or_repeat(broker, topic):
    create(broker.address, topic)
    failures = []
    p = producer(broker.address, **{"enable.idempotence": True, "message.timeout.ms": 120000, "retry.backoff.ms": 50})
    done = threading.Event()
    expected = 0

    def kill():
        while not done.wait(random.uniform(0.3, 0.8)):
            broker.restart(True)

    killer = threading.Thread(target=kill)
    killer.start()
    end = time.monotonic() + 6
    while time.monotonic() < end:
        for _ in range(50):
            value = b"%07d" % expected
            p.produce(topic, value, key=value, on_delivery=lambda e, m: e and failures.append(e))
            expected += 1
        p.poll(0.01)
    done.set()
    killer.join()
    assert p.flush(60) == 0 and failures == []
    assert values(broker.address, topic) == [b"%07d" % n for n in range(expected)]


def test_transactions_are_whole_through_kills(broker, topic):
    """Each transaction writes the same number to all partitions: a reader sees it in all of them or in none."""
    create(broker.address, topic)
    done = threading.Event()
    committed, unknown = set(), set()

    def write(name):
        number = 0
        p = None
        while not done.is_set():
            number += 1
            value = b"%s-%05d" % (name.encode(), number)
            try:
                if p is None:
                    p = Producer({"bootstrap.servers": broker.address, "transactional.id": name, "transaction.timeout.ms": 20000, **QUIET})
                    p.init_transactions(30)
                p.begin_transaction()
                for partition in range(4):
                    p.produce(topic, value, partition=partition)
                if number % 5 == 0:
                    p.flush(20)
                    p.abort_transaction(30)
                    continue
                unknown.add(value)
                p.commit_transaction(30)
                committed.add(value)
                unknown.discard(value)
            except KafkaException as failure:
                if failure.args[0].txn_requires_abort():
                    try:
                        p.abort_transaction(30)
                        unknown.discard(value)
                        continue
                    except KafkaException:
                        pass
                p = None

    writers = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(3)]
    for writer in writers:
        writer.start()
    try:
        for n in range(8):
            # On a busy machine the writers may need longer than that to come back.
            until(lambda: len(committed) >= 3 * (n + 1), 60)
            time.sleep(random.uniform(0.3, 0.9))
            broker.restart(True)
    finally:
        done.set()
    for writer in writers:
        writer.join()
    # Whoever died with a transaction open is fenced here, so that nothing stays open.
    for n in range(3):
        Producer({"bootstrap.servers": broker.address, "transactional.id": f"w{n}", **QUIET}).init_transactions(30)
    seen = {}
    for partition, _, value in read_all(broker.address, topic):
        seen.setdefault(value, []).append(partition)
    assert all(sorted(partitions) == [0, 1, 2, 3] for partitions in seen.values())
    assert committed <= set(seen) <= committed | unknown
    assert len(committed) > 20


def test_a_static_member_keeps_its_place_over_a_broker_restart(broker, topic):
    create(broker.address, topic)
    revoked = []
    members = []
    for name in "ab":
        c = Consumer(
            {
                "bootstrap.servers": broker.address, "group.id": "static", **QUIET, "group.instance.id": name, "session.timeout.ms": 20000,
                "heartbeat.interval.ms": 200, "reconnect.backoff.max.ms": 200,
            }
        )  # fmt: skip
        c.subscribe([topic], on_revoke=lambda c, p: revoked.append(p))
        members.append(c)
    until(lambda: [c.poll(0.05) for c in members] and all(len(c.assignment()) == 2 for c in members))
    del revoked[:]
    broker.restart(True)
    produce(broker.address, topic, [b"%d" % n for n in range(100)])
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for c in members:
            c.poll(0.05)
    assert revoked == []
    for c in members:
        c.close()


def test_a_torn_journal_tail_is_cut_off(broker, topic):
    create(broker.address, topic)
    sent = produce(broker.address, topic, [b"%d" % n for n in range(200)])
    broker.kill()
    import glob

    newest = sorted(glob.glob(broker.directory + "/journal/*.journal"))[-1]
    with open(newest, "ab") as journal:
        journal.write(b"\x00\x00\x01\x00torn" + b"x" * 60)
    broker.start()
    assert values(broker.address, topic) == sorted(sent)


def test_two_brokers_cannot_share_a_directory(broker):
    import os
    import subprocess

    second = subprocess.run(
        [os.environ["SIGNALBOX_BIN"], "broker", "--data", broker.directory, "--listen", "127.0.0.1:0"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert second.returncode != 0 and "another broker uses" in second.stderr
