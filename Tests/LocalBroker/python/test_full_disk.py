"""A disk without room refuses, in Kafka's own words, and takes everything up again when there is room. Nothing acknowledged is lost."""

import os
import resource
import subprocess
import threading

import pytest
from clients import create, produce, producer, values
from conftest import Broker, until

STORAGE_ERROR = 56  # KAFKA_STORAGE_ERROR


class FileSizeLimit:
    """No file may grow beyond 2 MiB: as a full disk, but for one process, and without being root."""

    def __init__(self, directory):
        self.directory = directory

    def fill(self, broker):
        resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE, (2 << 20, resource.RLIM_INFINITY))

    def make_room(self, broker):
        resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self):
        pass


class SmallFileSystem:
    """A file system of 32 MiB, and a file that takes what is left of it."""

    def __init__(self, directory):
        directory.mkdir()
        self.directory = directory
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(directory)], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip("may not mount a file system here: " + done.stderr.strip())

    def fill(self, _):
        with open(self.directory / "ballast", "wb", buffering=0) as ballast:
            for size in (1 << 20, 4096):
                try:
                    while ballast.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass

    def make_room(self, _):
        os.unlink(self.directory / "ballast")

    def close(self):
        subprocess.run(["umount", str(self.directory)], check=True)


@pytest.mark.skipif("SIGNALBOX_KAFKA" in os.environ, reason="needs a disk that may be filled")
@pytest.mark.parametrize("kind", [FileSizeLimit, SmallFileSystem])
def test_a_full_disk_refuses_and_recovers_when_there_is_room(kind, topic, tmp_path):
    disk = kind(tmp_path / "disk")
    broker = None
    try:
        broker = Broker(disk.directory / "data" if kind is SmallFileSystem else tmp_path / "data")
        fill_and_recover(disk, broker, topic)
    finally:
        if broker:
            broker.close()
        disk.close()


def fill_and_recover(disk, broker, topic):
    create(broker.address, topic, 1)
    first = produce(broker.address, topic, [b"first %d" % n for n in range(1000)])
    sent, acknowledged, failed, done = [], [], [], threading.Event()

    def write():
        p = producer(broker.address, **{"enable.idempotence": True, "message.timeout.ms": 120000, "retry.backoff.max.ms": 200})

        def settled(error, message):
            (acknowledged if error is None else failed).append(message.value())

        while not done.is_set():
            # No more than a few hundred on the way, so that they fit when there is room again.
            if len(sent) - len(acknowledged) < 300:
                sent.append(b"%09d" % len(sent) + bytes(990))
                p.produce(topic, sent[-1], on_delivery=settled)
                p.poll(0)
            else:
                p.poll(0.05)
        assert p.flush(60) == 0

    disk.fill(broker)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        codes = set()
        hasty = producer(broker.address, **{"retries": 0, "linger.ms": 0})

        def refused():
            hasty.produce(topic, b"hasty", on_delivery=lambda error, _: codes.add(error.code() if error else 0))
            hasty.flush(20)
            return STORAGE_ERROR in codes

        until(refused)
        # A new producer wants an id, which cannot be written down now. Others are told no all the same, and can read.
        late = producer(broker.address, **{"enable.idempotence": True, "message.timeout.ms": 120000, "retry.backoff.max.ms": 200})
        late.produce(topic, b"late")
        late.poll(1)
        codes.clear()
        until(refused)
        # Reading goes on, and shows everything that was acknowledged so far.
        before = list(acknowledged)
        there = values(broker.address, topic, partitions=1)
        assert set(first) <= set(there) and set(before) <= set(there)
        disk.make_room(broker)
        until(lambda: len(acknowledged) > len(before) + 1000)
    finally:
        done.set()
        writer.join()
    assert failed == [] and len(acknowledged) == len(sent) and late.flush(60) == 0
    for _ in range(2):
        there = values(broker.address, topic, partitions=1)
        assert [value for value in there if value not in (b"hasty", b"late")] == sorted(first + sent)
        broker.restart(True)
