"""A stage of three processes, of which one dies every second or so: what it writes is what it read, each record once.

SIGNALBOX_STAGE_SECONDS says for how long (5 for each kind of membership unless told).
"""

import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from clients import create, producer, read_all
from confluent_kafka import Consumer, TopicPartition
from conftest import until

SECONDS = float(os.environ.get("SIGNALBOX_STAGE_SECONDS", "5"))
PARTITIONS, KEYS = 6, 50


def probe():
    return os.environ.get("SIGNALBOX_STAGE_PROBE") or str(Path(os.environ["SIGNALBOX_BIN"]).with_name("stage-probe"))


@pytest.mark.skipif("SIGNALBOX_BIN" not in os.environ, reason="SIGNALBOX_BIN names no build")
@pytest.mark.parametrize("membership", ["static", "dynamic", "range"])
def test_a_stage_whose_instances_are_killed_writes_each_record_once(shared_broker, topic, membership, tmp_path):
    source, sink = topic + "-in", topic + "-out"
    create(shared_broker, source, PARTITIONS)
    create(shared_broker, sink, PARTITIONS)
    seed = random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)

    def start(name):
        with open(tmp_path / name, "wb") as log:
            return subprocess.Popen([probe(), shared_broker, topic, name, membership, f"{source}:{sink}"], stdout=log, stderr=log)

    instances = {f"i{n}": start(f"i{n}") for n in range(3)}
    written, done = [], threading.Event()

    def write():
        p = producer(shared_broker, **{"enable.idempotence": True})
        while not done.wait(0.01):
            for _ in range(10):
                number = len(written)
                key = b"k%d" % (number % KEYS)
                p.produce(source, b"%d" % number, key=key, partition=number % KEYS % PARTITIONS)
                written.append(b"%d" % number)
            p.poll(0)
        assert p.flush(30) == 0

    writer = threading.Thread(target=write)
    writer.start()
    kills, end = 0, time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            time.sleep(rng.uniform(0.3, 1.3))
            name = rng.choice(sorted(instances))
            if rng.random() < 0.2:
                # Now and then one leaves in order, and the others take over while records flow.
                until(lambda: b"ready\n" in (tmp_path / name).read_bytes())
                instances[name].terminate()
                assert instances[name].wait(30) == 0, (tmp_path / name).read_text()[-3000:]
            else:
                instances[name].kill()
                instances[name].wait(10)
            kills += 1
            instances[name] = start(name)
        done.set()
        writer.join()
        watcher = Consumer({"bootstrap.servers": shared_broker, "group.id": topic})
        wanted = {p: watcher.get_watermark_offsets(TopicPartition(source, p), 10)[1] for p in range(PARTITIONS)}

        def caught_up():
            kept = watcher.committed([TopicPartition(source, p) for p in wanted], 10)
            return all(t.offset == wanted[t.partition] for t in kept)

        until(caught_up, 90)
        watcher.close()
    finally:
        done.set()
        for process in instances.values():
            process.send_signal(signal.SIGTERM)
        for process in instances.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
    out = read_all(shared_broker, sink, partitions=PARTITIONS)
    numbers = [int(value) for _, _, value in out]
    last = {}
    for number in numbers:
        assert number > last.get(number % KEYS, -1), f"seed {seed}: {number} came after {last[number % KEYS]} of the same key"
        last[number % KEYS] = number
    assert len(numbers) == len(set(numbers)) == len(written), f"seed {seed}: {len(written)} in, {len(numbers)} out, {len(set(numbers))} different"
    print(f"{membership}: {len(written)} records, {kills} ends of instances, each record once")
