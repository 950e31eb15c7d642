#!/usr/bin/env python3
"""Measures the local broker and, in the same run, librdkafka's built-in mock cluster, which only keeps memory and is thus the ceiling.

    python3 Tests/Benchmarks/broker_bench.py [--signalbox .build/release/signalbox] [--records 1000000]

Records of 200 octets, acks=all, idempotent producers, fsync before each answer. The clients share the machine with the broker and
are part of what is measured. Throughput is the median of --repeat runs that alternate between the two.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

# What the mock cluster gives to every topic, which it makes when first asked about it.
PARTITIONS = 4
VALUE = os.urandom(100).hex().encode()


class Broker:
    name = "local broker"

    def __init__(self, signalbox, directory, fsync="always"):
        self.signalbox, self.directory, self.fsync = signalbox, directory, fsync
        self.start()

    def start(self):
        """Returns the seconds until it listens."""
        began = time.monotonic()
        command = [self.signalbox, "broker", "--data", str(self.directory), "--listen", "127.0.0.1:0", "--fsync", self.fsync]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("broker listens on"), line
        self.address = line.split()[-1]
        return time.monotonic() - began

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def resident(self):
        """MiB: now, and at most since the start."""
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines() if ":" in line)
        return [int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")]

    def cpu(self):
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Mock:
    name = "mock cluster"

    def __init__(self):
        # It lives in this process, as long as its client.
        self.client = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused", "log_level": 3})
        self.address = ",".join(f"{b.host}:{b.port}" for b in self.client.list_topics(timeout=10).brokers.values())


def create(address, topic):
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(20)


def native(binary, *arguments):
    line = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, check=True, timeout=600).stdout
    return [float(word) for word in line.split()]


def build_client(folder):
    """The throughput client is C: Python's own cost for each record would hide the broker's."""
    source = Path(__file__).with_name("broker_bench.c")
    binary = folder / "broker_bench"
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "rdkafka"], capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["cc", "-O2", "-Wall", "-o", str(binary), str(source), *flags], check=True)
    return str(binary)


def forget(folder):
    """Lets go of what the system keeps of the log in memory."""
    for file in folder.rglob("*.log"):
        with open(file, "rb") as log:
            os.fdatasync(log.fileno())
            os.posix_fadvise(log.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def latency(address, topic, rate, seconds=5.0, while_running=None):
    """Milliseconds from produce to acknowledgement, p50 and p99, at `rate` records a second; no longer than a process runs."""
    taken = []
    p = Producer({"bootstrap.servers": address, "acks": "all", "enable.idempotence": True, "linger.ms": 0, "socket.nagle.disable": True})
    p.produce(topic, VALUE)
    p.flush(10)
    sent, began = 0, time.perf_counter()
    while (now := time.perf_counter()) - began < seconds and (while_running is None or while_running.poll() is None):
        due = int((now - began) * rate)
        while sent < due:
            stamp = time.perf_counter()
            p.produce(topic, VALUE, on_delivery=lambda e, m, stamp=stamp: taken.append(time.perf_counter() - stamp))
            sent += 1
        p.poll(0.0005)
    p.flush(30)
    taken.sort()
    return taken[len(taken) // 2] * 1e3, taken[int(len(taken) * 0.99)] * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signalbox", default=".build/release/signalbox")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--recovery-mib", type=int, default=1024)
    parser.add_argument("--fsync", default="always")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="broker-bench-"))
    broker = Broker(options.signalbox, folder / "data", options.fsync)
    try:
        measure(options, folder, broker, build_client(folder))
    finally:
        broker.kill()
        shutil.rmtree(folder)


def measure(options, folder, broker, client):
    mock = Mock()
    produced, consumed, broker_cpu = {}, {}, []
    for number in range(options.repeat):
        for side in (broker, mock):
            topic = f"bench-{number}"
            if side is broker:
                create(side.address, topic)
            # The mock keeps only the newest 5 MB of each partition and answers for what is gone with an error, so it is read short.
            cpu = broker.cpu()
            rate, failed = native(client, "produce", side.address, topic, options.records, PARTITIONS)
            assert failed == 0, f"{failed} records failed"
            if side is broker:
                broker_cpu.append((broker.cpu() - cpu) / options.records * 1e6)
            produced.setdefault(side.name, []).append(rate)
            [rate, _] = native(client, "consume", side.address, topic, options.records if side is broker else 0, PARTITIONS)
            consumed.setdefault(side.name, []).append(rate)
    produced, consumed = [{name: statistics.median(runs) for name, runs in each.items()} for each in (produced, consumed)]
    resident = broker.resident()
    rate = produced[broker.name] / 10
    # Python makes at most some ten thousand calls a second for each of two sides; more would measure Python.
    rate = min(rate, 10_000)
    delays = {side.name: latency(side.address, "bench-0", rate) for side in (broker, mock)}
    table = [("", "local broker", "mock cluster", "ratio")]

    def row(what, ours, theirs, format):
        table.append((what, format.format(ours), format.format(theirs), f"{ours / theirs:.2f}"))

    row("produce, records/s (fsync %s)" % options.fsync, produced[broker.name], produced[mock.name], "{:,.0f}")
    row("consume, records/s", consumed[broker.name], consumed[mock.name], "{:,.0f}")
    for index, name in enumerate(("p50", "p99")):
        row(f"produce latency {name} at {rate:,.0f}/s, ms", delays[broker.name][index], delays[mock.name][index], "{:.2f}")
    table.append(("broker's CPU, microseconds/record produced", f"{statistics.median(broker_cpu):.2f}", "", ""))
    table.append(("resident memory / its peak, MiB", "{:.0f} / {:.0f}".format(*resident), "", ""))

    while sum(f.stat().st_size for f in (folder / "data").rglob("*.log")) < options.recovery_mib << 20:
        native(client, "produce", broker.address, "bench-0", options.records, PARTITIONS)
    broker.kill()
    size = sum(f.stat().st_size for f in (folder / "data").rglob("*.log")) >> 20
    journal = sum(f.stat().st_size for f in (folder / "data").rglob("*.journal")) >> 20
    seconds = broker.start()
    table.append((f"recovery of {size} MiB after SIGKILL ({journal} MiB of journal), s", f"{seconds:.2f}", "", ""))
    table.append(("resident after recovery, MiB", f"{broker.resident()[0]:.0f}", "", ""))
    create(broker.address, "hot")
    alone = latency(broker.address, "hot", 1000)
    forget(folder / "data")
    reader = subprocess.Popen([client, "consume", broker.address, "bench-0", "0", str(PARTITIONS)], stdout=subprocess.PIPE)
    beside = latency(broker.address, "hot", 1000, while_running=reader)
    reader.communicate()
    for name, (p50, p99) in (("alone", alone), ("beside a reader of cold data", beside)):
        table.append((f"produce latency p50, p99 at 1,000/s {name}, ms", f"{p50:.2f}, {p99:.2f}", "", ""))
    print("| " + " | ".join(table[0]) + " |\n|---|---|---|---|")
    for line in table[1:]:
        print("| " + " | ".join(line) + " |")


if __name__ == "__main__":
    main()
