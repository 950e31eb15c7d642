"""A long run: constant load, sessions that come and go, changes of the configuration, restarts and kills; memory, file descriptors and
table sizes are sampled and must level off; the books are audited at the end.

    SIGNALBOX_BIN=.build/release/signalbox python Tests/Faults/soak.py --minutes 60 --rate 300
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from audit import Allowed  # noqa: E402
from plant import SEED, SERVICES, WINDOW, Plant, resident  # noqa: E402

SAMPLE_SECONDS = 10
#: Between two disturbances of one kind.
RESTART_SECONDS, CHANGE_SECONDS = 45, 20
#: MiB, descriptors and rows that a sum may rise from the second third of the run to the last one, over a tenth.
ROOM = {"memory": 40, "descriptors": 60, "rows": 2_000}
#: Tables that hold work, and not the log of work that is done.
WORK = ("session", "parked_delivery", "early_receipt", "orphan_receipt", "message_part", "message_order", "sat_entry")


def sample(plant):
    pids = plant.gateway.pids()
    memory, descriptors = {}, 0
    for name in [*SERVICES, "broker"]:
        try:
            memory[name] = resident(pids[name])
            descriptors += len(os.listdir(f"/proc/{pids[name]}/fd"))
        except (KeyError, FileNotFoundError, TypeError, ProcessLookupError):
            pass  # it is just being started again
    rows = sum(plant.gateway.one(f"SELECT count(*) FROM {table}") for table in WORK)
    awaited = plant.gateway.one("SELECT count(*) FROM open_dlr WHERE closed_at IS NULL")
    sizes = dict(plant.gateway.sql(
        "SELECT relname, pg_total_relation_size(oid) / 1048576 FROM pg_class WHERE relname IN ('open_dlr', 'service_instance', 'session')"))
    return {
        "at": time.monotonic(), "memory": sum(memory.values()), "each": memory, "descriptors": descriptors, "rows": rows,
        "awaited": awaited, "sizes": sizes, "complete": len(memory) == len(SERVICES) + 1}


def restart(plant):
    """One service, at random, in order or by force. Returns in words what was done."""
    name, how = plant.random.choice(SERVICES + ["broker"]), plant.random.choice([signal.SIGTERM, signal.SIGKILL])
    try:
        plant.signal(name, how)
    except (KeyError, ProcessLookupError):
        return None
    return f"{signal.Signals(how).name} to {name}"


def change(plant, count):
    """Something that operators change while all runs."""
    prefix = f"4699{count % 50:03d}"
    deeds = [("route", "add", "--prefix", prefix, "--connector", "smpp-providerA"), ("price", "add", "--prefix", prefix, "--charge", "0.03", "--cost", "0.01"),
             ("connector", "bounce", "smpp-providerA"), ("account", "topup", "demo", "100")]
    deed = deeds[count % len(deeds)]
    done = plant.gateway.run(*deed, check=False)
    return None if done.returncode == 0 else f"{' '.join(deed)}: {done.stderr.strip()}"


def risen(samples, what):
    """How much the highest value of the last third is above that of the third before, as far as neither is cut short by a restart."""
    third = len(samples) // 3
    middle, last = samples[third:2 * third], samples[2 * third:]
    before, after = (max(one[what] for one in part) for part in (middle, last))
    return before, after, after > before * 1.1 + ROOM[what]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=300, help="messages a second")
    parser.add_argument("--quiet-minutes", type=float, default=0.5, help="at the end, without disturbances")
    options = parser.parse_args()
    print(f"soak: {options.minutes:g} minutes at {options.rate:g} messages a second, seed {SEED}", flush=True)
    plant = Plant().start()
    faults = []
    try:
        load = plant.load(rate=options.rate, sessions=8, churn=20.0)
        began = time.monotonic()
        end, quiet = began + options.minutes * 60, began + (options.minutes - options.quiet_minutes) * 60
        next_sample, next_restart, next_change, changes, restarts = began + SAMPLE_SECONDS, began + RESTART_SECONDS, began + CHANGE_SECONDS, 0, 0
        samples = []
        print(f"{'minute':>7}{'accepted':>10}{'reported':>10}{'MiB':>7}{'fds':>6}{'work rows':>11}{'awaited':>9}{'open_dlr':>10}  largest")
        while time.monotonic() < end:
            time.sleep(0.2)
            now = time.monotonic()
            if now >= next_restart and now < quiet:
                next_restart = now + RESTART_SECONDS
                restarts += restart(plant) is not None
            if now >= next_change and now < quiet:
                next_change = now + CHANGE_SECONDS
                problem = change(plant, changes)
                changes += 1
                if problem:
                    # A command that meets a broker or a database that is just starting again may fail; it says so.
                    print(f"        not changed: {problem}", flush=True)
            if now >= next_sample:
                next_sample = now + SAMPLE_SECONDS
                one = sample(plant)
                if one["complete"]:
                    samples.append(one)
                    largest = sorted(one["each"].items(), key=lambda item: -item[1])[:3]
                    if len(samples) % 6 == 1:
                        print(
                            f"{(now - began) / 60:7.1f}{load.accepted:10}{len(load.book.reports):10}{one['memory']:7.0f}{one['descriptors']:6}"
                            f"{one['rows']:11}{one['awaited']:9}{one['sizes'].get('open_dlr', 0):8.0f} M  "
                            + ", ".join(f"{name} {size:.0f}" for name, size in largest), flush=True)
            if load.problems or plant.smsc.problems:
                raise AssertionError(load.problems + plant.smsc.problems)
        healthy = plant.wait_well(time.monotonic(), load, timeout=120)
        if len(samples) < 9:
            print("too short to say whether anything levels off")
        for what in ROOM if len(samples) >= 9 else ():
            before, after, is_rising = risen(samples, what)
            print(f"{what}: at most {before:.0f} in the second third, {after:.0f} in the last{' - RISING' if is_rising else ''}")
            if is_rising:
                faults.append(f"{what} rises")
        # A session that unbinds may have a report under way; that is then given again.
        allowed = Allowed(window=WINDOW, repeated_reports=WINDOW * max(1, load.reconnects))
        found = plant.findings(load, allowed=allowed, patience=60)
        for sentence in found:
            print(f"audit: {sentence}")
        faults += found
        texts = [sighting.text for sighting in plant.smsc.book.sightings]
        print(
            f"{load.accepted} accepted, {len(load.book.refused)} refused, {len(load.book.unknown)} without an answer; {restarts} restarts, "
            f"{changes} changes, {load.reconnects} sessions lost; {len(texts) - len(set(texts))} sent twice; healthy in the end after {healthy:.1f} s")
    finally:
        plant.stop(check=False)
    print("soak: " + ("nothing wrong" if not faults else f"{len(faults)} faults"), flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
