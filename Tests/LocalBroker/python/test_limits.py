"""Who takes much, slowly or never ends what it began: the others go on, and memory stays bounded."""

import os
import socket
import struct
import threading
import time

import pytest
from clients import create, produce, producer
from confluent_kafka import Consumer, TopicPartition
from conftest import Broker, until

pytestmark = pytest.mark.skipif("SIGNALBOX_KAFKA" in os.environ, reason="looks into the broker's process and files")


@pytest.fixture
def own(tmp_path):
    broker = Broker(tmp_path / "data", "--segment-bytes", str(8 << 20))
    yield broker
    broker.close()


def frame(api, version, body):
    request = struct.pack(">hhih", api, version, 7, -1) + body
    return struct.pack(">i", len(request)) + request


def fetch_all(topic):
    """Fetch, version 4: everything of partition 0, at once."""
    name = topic.encode()
    return frame(
        1, 4,
        struct.pack(">iiiib", -1, 0, 1, 2**31 - 1, 0) + struct.pack(">ih", 1, len(name)) + name + struct.pack(">iiqi", 1, 0, 0, 2**31 - 1),
    )  # fmt: skip


def fill(address, topic, octets):
    create(address, topic, 1)
    count = octets // 10_000
    assert len(produce(address, topic, [b"%06d" % n + os.urandom(4997) * 2 for n in range(count)], **{"linger.ms": 20})) == count
    return count


def test_readers_that_do_not_read_cost_one_answer_each(own, topic):
    fill(own.address, topic, 40 << 20)
    before = own.memory()
    slow = [socket.create_connection(own.address.rsplit(":", 1)) for _ in range(4)]
    for s in slow:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(fetch_all(topic) * 50)
    for s in slow:
        # An answer is on its way, and nobody takes the rest of it.
        assert len(s.recv(100)) > 0
    assert len(produce(own.address, topic, [b"other %d" % n for n in range(100)])) == 100
    # 200 answers of up to 16 MiB were asked for; each connection holds one.
    assert own.memory() - before < 4 * 16 + 40
    for s in slow:
        s.close()


def test_many_producers_with_large_requests_cost_no_more_memory_than_few(own, topic):
    create(own.address, topic, 4)
    settings = {"message.max.bytes": 1_000_000, "batch.size": 1_000_000, "linger.ms": 5, "queue.buffering.max.kbytes": 65536}
    clients = [producer(own.address, **settings) for _ in range(24)]
    settled = []
    value = os.urandom(900_000)
    for _ in range(8):
        for p in clients:
            p.produce(topic, value, on_delivery=lambda error, _: settled.append(error))
    for p in clients:
        assert p.flush(60) == 0
    assert settled == [None] * 192
    print("memory at the most %.0f MiB" % own.memory("VmHWM"))
    assert own.memory("VmHWM") < 150


def test_requests_that_never_end_are_cut_off_before_they_take_the_memory(own, topic):
    create(own.address, topic, 1)
    half = []
    closed = 0
    for _ in range(4):
        # 100 MiB announced, 90 of them sent: four of these are more than all may hold together.
        s = socket.create_connection(own.address.rsplit(":", 1))
        half.append(s)
        try:
            s.sendall(struct.pack(">i", 100 << 20))
            for _ in range(90):
                s.sendall(bytes(1 << 20))
        except OSError:
            closed += 1
    assert closed >= 1
    assert len(produce(own.address, topic, [b"other"])) == 1
    assert own.memory("VmHWM") < 700
    for s in half:
        s.close()
    # What was held for them is free again: whole requests of that size are taken one after the other.
    assert len(produce(own.address, topic, [b"again"])) == 1


def test_a_reader_of_cold_data_does_not_stop_producers(own, topic):
    cold, hot = topic + "-cold", topic + "-hot"
    count = fill(own.address, cold, 60 << 20)
    create(own.address, hot, 1)
    progress, reading = [0], threading.Event()

    def read():
        while reading.is_set():
            forget(own.directory)
            c = Consumer({"bootstrap.servers": own.address, "group.id": "cold", "queued.max.messages.kbytes": 16384})
            c.assign([TopicPartition(cold, 0, 0)])
            seen = 0
            while seen < count and reading.is_set():
                got = len(c.consume(1000, 1))
                seen += got
                progress[0] += got
            c.close()

    reader = threading.Thread(target=read)
    p = producer(own.address, **{"linger.ms": 0})
    p.produce(hot, b"warm")
    assert p.flush(20) == 0

    def latency():
        began = time.perf_counter()
        p.produce(hot, b"x")
        assert p.flush(20) == 0
        return (time.perf_counter() - began) * 1e3

    alone = sorted(latency() for _ in range(100))
    reading.set()
    reader.start()
    try:
        until(lambda: progress[0] > 0)
        beside, moved = [], 0
        while len(beside) < 100 or moved < 20:
            before = progress[0]
            beside.append(latency())
            moved += progress[0] > before  # records were read while this one was acknowledged
        beside.sort()
    finally:
        reading.clear()
        reader.join()
    print("ack alone p50 %.1f p99 %.1f ms, beside a cold reader p50 %.1f p99 %.1f ms" % (alone[50], alone[98], beside[len(beside) // 2], beside[-2]))
    assert progress[0] > 0


def forget(directory):
    """Lets go of what the system keeps of the files in memory: it has to come from the disk."""
    for folder, _, names in os.walk(directory):
        for name in names:
            if name.endswith((".log", ".index")):
                descriptor = os.open(os.path.join(folder, name), os.O_RDONLY)
                os.fdatasync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)
