"""The actors of a random schedule: producers with and without transactions, members of a group, and what each of them knows.

An actor's plan comes from its seed alone. What happens in between (when the broker dies, who is faster) does not, so a seed
gives the same plan again, not the same run.
"""

import logging
import random
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

# Short waits between attempts: the broker is back within a moment after a kill.
PATIENCE = {
    "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100, "retry.backoff.ms": 10, "retry.backoff.max.ms": 100,
    "topic.metadata.refresh.fast.interval.ms": 20, "log_level": 0, "logger": logging.getLogger("librdkafka"),
}  # fmt: skip
# Being fenced is what a zombie is for: librdkafka's word on it is no news.
logging.getLogger("librdkafka").setLevel(logging.CRITICAL + 1)


def value_of(producer, unit, number):
    return b"%s %d %d" % (producer.encode(), unit, number)


class Ledger:
    """What the actors of one schedule know of the outcome. A unit is a transaction, or one record of a producer without any."""

    def __init__(self):
        self.lock = threading.Lock()
        self.written = {}  # (producer, unit) -> [(partition, value)], in the order in which they were sent
        self.committed = set()
        self.unknown = set()  # asked to commit, and whoever asked died before the answer
        self.acknowledged_offsets = {}  # partition -> the highest offset that a group's commit was told is kept
        self.delivered = []  # (partition, offset, value) that members of the group were given
        self.complaints = []
        self.trail = []  # what became of the group's members, to read after a failure
        self.counts = {"commit": 0, "abort": 0, "zombie": 0, "killed": 0, "rejoin": 0, "group commit": 0}

    def note(self, what):
        with self.lock:
            self.counts[what] += 1

    def log(self, *words):
        with self.lock:
            self.trail.append(f"{time.monotonic():.3f} " + " ".join(map(str, words)))

    def complain(self, text):
        with self.lock:
            self.complaints.append(text)


def plan_unit(rng, partitions, name, unit):
    """The records of one transaction: a few, or now and then enough for several requests."""
    count = rng.choice([1, 2, 3, 5, 8, 13, 40])
    return [(rng.randrange(partitions), value_of(name, unit, number)) for number in range(count)]


def transactional(address, name, **settings):
    p = Producer(
        {
            "bootstrap.servers": address, "transactional.id": name, "transaction.timeout.ms": 60000, "linger.ms": 1,
            "message.timeout.ms": 60000, **PATIENCE, **settings,
        }
    )  # fmt: skip
    while True:
        try:
            p.init_transactions(30)
            return p
        except KafkaException as failure:
            if not failure.args[0].retriable():
                raise


def commit(p):
    while True:
        try:
            return p.commit_transaction(30)
        except KafkaException as failure:
            error = failure.args[0]
            if not error.retriable() or error.txn_requires_abort() or error.fatal():
                raise


def run_transactional(address, topic, partitions, seed, name, ledger, first_unit=0):
    """Commits, aborts, and now and then leaves a transaction open to a successor, after which it must not commit any more."""
    rng = random.Random(seed)
    p = None
    for unit in range(first_unit, first_unit + rng.randint(2, 5)):
        records = plan_unit(rng, partitions, name, unit)
        outcome = rng.choices(["commit", "abort", "zombie"], [6, 3, 1.5])[0]
        flush = rng.random() < 0.5
        ledger.written[name, unit] = records
        attempted = False
        try:
            p = p or transactional(address, name)
            p.begin_transaction()
            for partition, value in records:
                p.produce(topic, value, partition=partition)
            if flush:
                p.flush(30)
            if outcome == "commit":
                attempted = True
                commit(p)
                ledger.committed.add((name, unit))
            elif outcome == "abort":
                p.abort_transaction(30)
            else:
                zombie, p = p, transactional(address, name)
                try:
                    zombie.commit_transaction(10)
                    ledger.complain(f"{name}: the zombie of unit {unit} could commit")
                except KafkaException:
                    pass
            ledger.note(outcome)
        except KafkaException as failure:
            if attempted:
                ledger.unknown.add((name, unit))
            if failure.args[0].txn_requires_abort() and not failure.args[0].fatal():
                try:
                    p.abort_transaction(30)
                    ledger.unknown.discard((name, unit))
                    continue
                except KafkaException:
                    pass
            p = None
    # Nothing may stay open: it would hold the readers back. A new producer ends what the last one may have left.
    if p is None:
        transactional(address, name)


def run_idempotent(address, topic, partitions, seed, name, ledger):
    rng = random.Random(seed)
    p = Producer(
        {"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": rng.choice([0, 1, 5]), "message.timeout.ms": 60000, **PATIENCE}
    )

    def settled(unit):
        def report(error, _):
            if error is None:
                ledger.committed.add((name, unit))
            else:
                ledger.unknown.add((name, unit))
                ledger.complain(f"{name}: record {unit} failed: {error}")

        return report

    for unit in range(rng.randint(20, 200)):
        record = (rng.randrange(partitions), value_of(name, unit, 0))
        ledger.written[name, unit] = [record]
        p.produce(topic, record[1], partition=record[0], on_delivery=settled(unit))
        if rng.random() < 0.1:
            p.poll(rng.uniform(0, 0.02))
    if p.flush(60) != 0:
        ledger.complain(f"{name}: records without an answer")


def victim(address, topic, partitions, seed, name, pipe):
    """Runs in a process of its own and says what it is about to do, until it is killed or done. Units from 0 up, each committed."""
    rng = random.Random(seed)
    p = transactional(address, name)
    for unit in range(200):
        records = plan_unit(rng, partitions, name, unit)
        pipe.send(("write", unit, records))
        p.begin_transaction()
        for partition, value in records:
            p.produce(topic, value, partition=partition)
        if rng.random() < 0.5:
            p.flush(30)
        if rng.random() < 0.25:
            p.abort_transaction(30)
            continue
        pipe.send(("ask", unit, None))
        commit(p)
        pipe.send(("done", unit, None))


def run_killed(context, address, topic, partitions, seed, name, ledger):
    """A producer's process that SIGKILL meets somewhere in a transaction, and a successor with its transactional id."""
    rng = random.Random(seed)
    here, there = context.Pipe()
    process = context.Process(target=victim, args=(address, topic, partitions, rng.random(), name, there), daemon=True)
    process.start()
    there.close()
    heard, last = 0, rng.randint(1, 12)
    units = 0
    try:
        while True:
            if heard == last:
                here.poll(rng.uniform(0, 0.004))
                process.kill()
            kind, unit, records = here.recv()
            heard += 1
            units = max(units, unit + 1)
            if kind == "write":
                ledger.written[name, unit] = [tuple(record) for record in records]
            elif kind == "ask":
                ledger.unknown.add((name, unit))
            else:
                ledger.unknown.discard((name, unit))
                ledger.committed.add((name, unit))
    except EOFError:
        pass
    process.join()
    ledger.note("killed")
    run_transactional(address, topic, partitions, seed + 1, name, ledger, first_unit=units)


def one_by_one(c, most, wait):
    """What `consume` gives, but each record before the next callback runs: a list may hold records from before a rebalance that was
    served while it was filled, and nobody could tell them from those of the new assignment."""
    for _ in range(most):
        m = c.poll(wait)
        if m is None:
            return
        wait = 0
        yield m


def run_member(address, topic, seed, group, ledger, done):
    """A member of a group that reads, commits what it has read, leaves and comes again."""
    rng = random.Random(seed)
    life = 0
    while not done.is_set():
        life += 1
        me = f"{seed % 1000}.{life}"
        floors, expected, read, lost = {}, {}, {}, False
        settings = {
            "bootstrap.servers": address, "group.id": group, "enable.auto.commit": False, "isolation.level": "read_committed",
            "auto.offset.reset": "earliest", "partition.assignment.strategy": ledger.assignor, "session.timeout.ms": 2000,
            "heartbeat.interval.ms": 100, "fetch.wait.max.ms": 50, **PATIENCE,
        }  # fmt: skip

        def assigned(_, taken):
            with ledger.lock:
                for t in taken:
                    floors[t.partition] = ledger.acknowledged_offsets.get(t.partition, 0)
                    expected.pop(t.partition, None)
            nonlocal lost
            try:
                kept = {t.partition: t.offset for t in c.committed(taken, 20) if t.error is None} if taken else {}
            except KafkaException:
                kept = {}
            ledger.log(me, "assigned", kept)
            for partition, offset in kept.items():
                if max(offset, 0) < floors[partition]:
                    ledger.complain(f"group: partition {partition} is handed over at {offset}, {floors[partition]} was committed")
            # Where the broker was away for too long nobody knows where to begin: not with any record, then.
            lost = lost or len(kept) < len(taken)
            # An offset is named for each partition, as the gateway's consumers do. Left to itself, librdkafka may begin at the
            # earliest record where a partition went and came again while its committed offset was still asked for.
            starts = [TopicPartition(topic, t.partition, max(kept.get(t.partition, 0), 0)) for t in taken]
            c.incremental_assign(starts) if ledger.assignor == "cooperative-sticky" else c.assign(starts)

        def let_go(_, lost):
            ledger.log(me, "lets go of", [t.partition for t in lost])
            # Somebody else's from now on: a commit of ours would move that one's position.
            for t in lost:
                read.pop(t.partition, None)

        c = Consumer(settings)
        ledger.log(me, "joins")
        c.subscribe([topic], on_assign=assigned, on_revoke=let_go, on_lost=let_go)
        for _ in range(rng.choice([5, 20, 60])):
            read.clear()
            for m in one_by_one(c, 100, 0.03):
                if lost:
                    break
                if m.error() is not None:
                    continue
                at = (m.partition(), m.offset())
                if m.partition() not in expected:
                    ledger.log(me, "starts at", at)
                if m.offset() < floors.get(m.partition(), 0):
                    ledger.complain(f"group: {me} starts at {at}, {floors[m.partition()]} was committed")
                if m.offset() < expected.get(m.partition(), 0):
                    ledger.complain(f"group: {at} came after a later one")
                expected[m.partition()] = read[m.partition()] = m.offset() + 1
                ledger.delivered.append((*at, m.value()))
            if read and rng.random() < 0.7:
                try:
                    kept = c.commit(offsets=[TopicPartition(topic, p, o) for p, o in read.items()], asynchronous=False)
                except KafkaException:
                    continue  # a rebalance came first, or the broker went: nothing was promised
                with ledger.lock:
                    for t in kept:
                        if t.error is None:
                            ledger.acknowledged_offsets[t.partition] = max(t.offset, ledger.acknowledged_offsets.get(t.partition, 0))
                ledger.note("group commit")
                ledger.log(me, "committed", {t.partition: t.offset for t in kept if t.error is None})
            if done.is_set() or lost:
                break
        ledger.log(me, "closes")
        c.close()
        ledger.note("rejoin")


def read_to_the_end(address, topics):
    """All committed records of `topics` (name -> partitions), by topic, as (partition, offset, value) in the order of their offsets."""
    c = Consumer(
        {
            "bootstrap.servers": address, "group.id": "judge", "enable.auto.commit": False, "isolation.level": "read_committed",
            "enable.partition.eof": True, "auto.offset.reset": "error", "fetch.wait.max.ms": 20, **PATIENCE,
        }
    )  # fmt: skip
    open_ends = {(topic, p) for topic, partitions in topics.items() for p in range(partitions)}
    c.assign([TopicPartition(topic, p, 0) for topic, p in open_ends])
    records = {topic: [] for topic in topics}
    while open_ends:
        for m in c.consume(2000, 0.1):
            if m.error() is None:
                records[m.topic()].append((m.partition(), m.offset(), m.value()))
            elif m.error().code() == KafkaError._PARTITION_EOF:
                open_ends.discard((m.topic(), m.partition()))
            elif m.error().code() == KafkaError._AUTO_OFFSET_RESET:
                raise KafkaException(m.error())
    c.close()
    return records
