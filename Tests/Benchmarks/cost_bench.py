"""What one message with its report costs the machine: system calls, bytes, rows, syncs, by process.

    python Tests/Benchmarks/cost_bench.py --signalbox .build/release/signalbox --messages 30000

Needs root and `perf` (linux-perf), for the kernel's own counters; nothing is slowed down by them. Count on a machine with nothing else
running: the bytes over the loopback interface are everybody's. The load is smpp_load.py, ten sessions, each message with its report.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Integration"))

TICKS = os.sysconf("SC_CLK_TCK")
SYNCS = ("syscalls:sys_enter_fdatasync", "syscalls:sys_enter_fsync", "syscalls:sys_enter_sync_file_range")
EVENTS = ("raw_syscalls:sys_enter", "context-switches", *SYNCS)


def family(pid):
    """A process and all below it."""
    found, below = [], {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            below.setdefault(parent, []).append(int(entry.name))
    rest = [pid]
    while rest:
        one = rest.pop()
        found.append(one)
        rest += below.get(one, [])
    return found


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def input_and_output(pid):
    """Bytes through read and write (not send and receive), and bytes that storage was given."""
    values = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(values["rchar"]) + int(values["wchar"]), int(values["write_bytes"])


def over_loopback():
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[0]), int(numbers.split()[1])
    return 0, 0


def records(address):
    """Records that each topic has ever had; the ends of transactions are among them."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": address, "group.id": "cost-bench", "log_level": 0})
    found = {}
    for topic in consumer.list_topics(timeout=10).topics.values():
        for partition in topic.partitions:
            found[topic.topic] = found.get(topic.topic, 0) + consumer.get_watermark_offsets(TopicPartition(topic.topic, partition), 10)[1]
    consumer.close()
    return found


def rows(gateway):
    return {
        table: counts for table, *counts in gateway.sql("SELECT relname, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_tup_del FROM pg_stat_user_tables")}


class Counters:
    """The kernel's counters of some processes, while it is open."""

    def __init__(self, pids):
        self.output = tempfile.NamedTemporaryFile("r", suffix=".perf")
        command = ["perf", "stat", "-x", ";", "-o", self.output.name, "-e", ",".join(EVENTS), "-p", ",".join(map(str, pids))]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def close(self):
        self.process.send_signal(2)
        self.process.wait(30)
        found = {}
        for line in self.output.read().splitlines():
            fields = line.split(";")
            if len(fields) > 2:
                if not fields[0].isdigit():
                    sys.exit(f"perf does not count {fields[2]}: {fields[0]}")
                found[fields[2]] = int(fields[0])
        if len(found) != len(EVENTS):
            sys.exit(f"perf counted only {sorted(found)}")
        return found


def load(gateway, messages):
    done = subprocess.run(
        [sys.executable, str(HERE / "smpp_load.py"), "--port", str(gateway.smpp_port), "--messages", str(messages), "--sessions", "10",
         "--window", "400", "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"the load failed: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signalbox", required=True)
    parser.add_argument("--messages", type=int, default=30_000)
    options = parser.parse_args()
    os.environ["SIGNALBOX_BIN"] = str(Path(options.signalbox).resolve())
    from gateway import Gateway

    gateway = Gateway()
    gateway.start()
    try:
        gateway.run("account", "topup", "demo", "100000")
        load(gateway, 5_000)  # plans, caches, first files
        time.sleep(5)
        processes = {name: family(pid) for name, pid in gateway.pids().items()}

        def snapshot():
            return {
                "cpu": {name: sum(map(cpu_seconds, pids)) for name, pids in processes.items()},
                "io": {name: [sum(column) for column in zip(*map(input_and_output, pids))] for name, pids in processes.items()},
                "rows": rows(gateway), "records": records(gateway.state["kafka"]), "loopback": over_loopback(),
                "wal": gateway.one("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"),
                "transactions": gateway.one("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")}

        before = snapshot()
        counters = {name: Counters(pids) for name, pids in processes.items()}
        time.sleep(1)
        figures = load(gateway, options.messages)
        time.sleep(3)  # the log and the sweeps follow
        counted = {name: counter.close() for name, counter in counters.items()}
        time.sleep(2)  # PostgreSQL's own figures come a moment later
        after = snapshot()
    finally:
        gateway.stop()
        gateway.remove()
    show(options.messages, figures, before, after, counted)


def show(messages, figures, before, after, counted):
    def per(count):
        return float(count) / messages

    print(f"{messages} messages with their reports, finished at {figures['finished_per_second']} per second; all for one message:\n")
    print(f"{'':16}{'CPU, us':>10}{'system calls':>14}{'switches':>10}{'syncs per 1,000':>17}{'read, written':>15}{'to storage':>12}")
    total = [0.0] * 6
    for name in sorted(counted, key=lambda name: before["cpu"][name] - after["cpu"][name]):
        counts = counted[name]
        line = [
            per(1e6 * (after["cpu"][name] - before["cpu"][name])), per(counts[EVENTS[0]]), per(counts[EVENTS[1]]),
            1_000 * per(sum(counts[sync] for sync in SYNCS)), *(per(new - old) for new, old in zip(after["io"][name], before["io"][name]))]
        total = [old + new for old, new in zip(total, line)]
        print(f"{name:16}{line[0]:10.1f}{line[1]:14.2f}{line[2]:10.2f}{line[3]:17.1f}{line[4]:15.0f}{line[5]:12.0f}")
    print(f"{'all':16}{total[0]:10.1f}{total[1]:14.2f}{total[2]:10.2f}{total[3]:17.1f}{total[4]:15.0f}{total[5]:12.0f}")
    octets, packets = (per(new - old) for new, old in zip(after["loopback"], before["loopback"]))
    print(f"\nover the loopback interface, clients and provider included: {octets:.0f} bytes in {packets:.2f} packets")
    print(f"PostgreSQL: {per(after['wal'] - before['wal']):.0f} bytes of WAL, {per(after['transactions'] - before['transactions']):.4f} transactions\n")
    print(f"{'rows':24}{'inserted':>10}{'updated':>10}{'(in place)':>12}{'deleted':>10}")
    for table, counts in sorted(after["rows"].items()):
        changes = [per(new - old) for new, old in zip(counts, before["rows"].get(table, [0] * 4))]
        if sum(changes) >= 0.005:
            print(f"{table:24}{changes[0]:10.2f}{changes[1]:10.2f}{changes[2]:12.2f}{changes[3]:10.2f}")
    print(f"\n{'records on the bus':32}")
    for topic, count in sorted(after["records"].items()):
        if (change := per(count - before["records"].get(topic, 0))) >= 0.005:
            print(f"{topic:32}{change:10.3f}")


if __name__ == "__main__":
    main()
