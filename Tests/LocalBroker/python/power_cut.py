"""What a power cut leaves of the broker's files."""

import random
from pathlib import Path


def take_back(directory, sync_log):
    """Cuts each file somewhere between what was synced and what was written, and may put zeros or garbage behind.

    `sync_log` is what the broker's hidden option `--sync-log` wrote."""
    synced = {}
    for line in Path(sync_log).read_text().splitlines():
        length, path = line.split(" ", 1)
        synced[path] = int(length)
    for path in Path(directory).rglob("*.*"):
        if path.suffix not in (".journal", ".log", ".index"):
            continue
        size = path.stat().st_size
        sure = min(size, synced.get(str(path), 0))
        kept = random.choice([sure, sure, size, random.randint(sure, size)])
        with open(path, "r+b") as file:
            file.truncate(kept)
            file.seek(kept)
            count = random.choice([0, 1, 100, 10_000])
            file.write(random.choice([b"", bytes(count), random.randbytes(count)]))
