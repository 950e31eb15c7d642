"""Random schedules: whatever dies, a reader of committed records sees each of them once and in order, and no other.

SIGNALBOX_SCHEDULES says how many (200 unless told), SIGNALBOX_SEED repeats a round that failed. A round is eight schedules that
run side by side on one broker, each with a topic, producers and a group of its own; SIGKILLs of the broker meet all of them, or power
cuts, which also take back what was not synced.
"""

import multiprocessing
import os
import random
import threading
import time
import uuid

import pytest
from clients import create
from confluent_kafka import Consumer, TopicPartition
from conftest import CONSTANT_CHECKPOINTS, Broker
from schedule_actors import PATIENCE, Ledger, read_to_the_end, run_idempotent, run_killed, run_member, run_transactional

ROUND = 8
SCHEDULES = int(os.environ.get("SIGNALBOX_SCHEDULES", "200"))
OPTIONS = {"usual": [], "constant-checkpoints": CONSTANT_CHECKPOINTS, "power-cuts": CONSTANT_CHECKPOINTS}


class Schedule:
    """One topic, the actors on it and what they know."""

    def __init__(self, context, address, seed):
        rng = random.Random(seed)
        self.address, self.seed = address, seed
        self.topic = f"s-{seed}-{uuid.uuid4().hex[:6]}"
        self.partitions = rng.randint(1, 4)
        self.ledger = Ledger()
        self.ledger.assignor = rng.choice(["range", "cooperative-sticky"])
        self.done = threading.Event()
        common = (address, self.topic, self.partitions)
        self.writers, self.members = [], []
        for n in range(rng.randint(1, 3)):
            self.act(self.writers, run_transactional, *common, rng.randrange(1 << 30), f"{self.topic}-tx{n}", self.ledger)
        for n in range(rng.randint(0, 1)):
            self.act(self.writers, run_idempotent, *common, rng.randrange(1 << 30), f"{self.topic}-idem{n}", self.ledger)
        if rng.random() < 0.3:
            self.act(self.writers, run_killed, context, *common, rng.randrange(1 << 30), f"{self.topic}-killed", self.ledger)
        for n in range(rng.choice([0, 1, 2, 3])):
            self.act(self.members, run_member, address, self.topic, rng.randrange(1 << 30), self.topic, self.ledger, self.done)

    def act(self, threads, body, *args):
        def guarded():
            try:
                body(*args)
            except Exception as failure:
                self.ledger.complain(f"{body.__name__}: {failure!r}")

        threads.append(threading.Thread(target=guarded, daemon=True))

    def start(self):
        for thread in self.writers + self.members:
            thread.start()

    def finish(self):
        for thread in self.writers:
            thread.join(120)
        self.done.set()
        for thread in self.members:
            thread.join(60)
        if any(thread.is_alive() for thread in self.writers + self.members):
            self.ledger.complain("an actor hangs")

    def judge(self, records):
        """Compares what the readers saw with what the writers know. Returns the number of committed records."""
        ledger, faults = self.ledger, list(self.ledger.complaints)
        seen = {}
        for partition, offset, value in records:
            producer, unit, number = value.split()
            seen.setdefault((producer.decode(), int(unit)), []).append((partition, value))
        last = {}
        for partition, offset, value in records:
            producer, unit, number = value.split()
            place = (int(unit), int(number))
            if place <= last.get((partition, producer), (-1, -1)):
                faults.append(f"{value} in partition {partition} is repeated or out of order")
            last[partition, producer] = place
        for unit, written in ledger.written.items():
            there = seen.pop(unit, None)
            if there is None:
                if unit in ledger.committed:
                    faults.append(f"{unit} was committed and is gone")
            elif sorted(there) != sorted(written):
                faults.append(f"{unit} is there in part: {len(there)} of {len(written)}")
            elif unit not in ledger.committed and unit not in ledger.unknown:
                faults.append(f"{unit} was aborted and is read")
        faults += [f"{unit} was never written" for unit in seen]
        faults += self.judge_group(records)
        if faults:
            print(f"\nseed {self.seed}, {self.ledger.assignor}:", *faults, "The group:", *ledger.trail, sep="\n")
        assert not faults, f"seed {self.seed}: {len(faults)} faults, the first of them: {faults[0]}"
        return len(records)

    def judge_group(self, records):
        if not self.members:
            return []
        ledger, faults = self.ledger, []
        c = Consumer({"bootstrap.servers": self.address, "group.id": self.topic, **PATIENCE})
        kept = {t.partition: t.offset for t in c.committed([TopicPartition(self.topic, p) for p in range(self.partitions)], 30)}
        c.close()
        for partition, offset in ledger.acknowledged_offsets.items():
            if kept[partition] < offset:
                faults.append(f"partition {partition}: {offset} was committed, {kept[partition]} is kept")
        delivered = set(ledger.delivered)
        if delivered - set(records):
            faults.append(f"the group was given what was never committed: {sorted(delivered - set(records))[:3]}")
        for record in records:
            if record[1] < kept[record[0]] and record not in delivered:
                faults.append(f"{record} was committed by the group and given to nobody")
        return faults


def run_round(context, broker, seed):
    rng = random.Random(seed)
    schedules = [Schedule(context, broker.address, f"{seed}-{n}") for n in range(ROUND)]
    for schedule in schedules:
        create(broker.address, schedule.topic, schedule.partitions)
    kills = sorted(rng.uniform(0.05, 2) for _ in range(rng.choice([0, 0, 1, 2, 4])))
    began = time.monotonic()
    for schedule in schedules:
        schedule.start()
    for moment in kills:
        # The moment is part of the schedule; nothing is awaited here.
        time.sleep(max(0, began + moment - time.monotonic()))
        for schedule in schedules:
            schedule.ledger.log("the broker is killed")
        broker.restart(True)
        for schedule in schedules:
            schedule.ledger.log("the broker is back")
    for schedule in schedules:
        schedule.finish()
    records = read_to_the_end(broker.address, {schedule.topic: schedule.partitions for schedule in schedules})
    counts = {"records": 0, "broker kills": len(kills), "unknown": 0}
    for schedule in schedules:
        counts["records"] += schedule.judge(records[schedule.topic])
        counts["unknown"] += len(schedule.ledger.unknown)
        for what, number in schedule.ledger.counts.items():
            counts[what] = counts.get(what, 0) + number
    return counts


@pytest.mark.parametrize("options", OPTIONS)
def test_whatever_dies_committed_records_are_read_once_and_in_order(tmp_path, options):
    if "SIGNALBOX_KAFKA" in os.environ:
        pytest.skip("needs a broker that may be killed")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["confluent_kafka"])
    given = os.environ.get("SIGNALBOX_SEED")
    rounds = 1 if given else -(-SCHEDULES // (ROUND * len(OPTIONS)))
    broker = Broker(tmp_path / "data", *OPTIONS[options], power_cuts=options == "power-cuts")
    totals, began = {}, time.monotonic()
    try:
        for _ in range(rounds):
            seed = given or str(random.SystemRandom().randrange(1 << 32))
            print(f"{time.monotonic() - began:6.1f} s: seed {seed}", end=" ", flush=True)
            counts = run_round(context, broker, seed)
            print(counts, flush=True)
            for what, number in counts.items():
                totals[what] = totals.get(what, 0) + number
    finally:
        broker.close()
    print(f"{options}: {rounds * ROUND} schedules in {time.monotonic() - began:.0f} s: {totals}")
