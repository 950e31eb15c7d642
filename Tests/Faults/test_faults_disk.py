"""A disk that is full, under the broker and under PostgreSQL: clients are refused, and with room all goes on by itself."""

import os
import shutil
import subprocess
import time

import pytest
from plant import IS_FULL, Plant

pytestmark = pytest.mark.skipif(not IS_FULL, reason="two gateways of their own: only in the whole suite")


class SmallDisk:
    """A file system in memory over a directory, and a file that takes what is left of it."""

    def __init__(self, directory, megabytes):
        self.directory = directory
        kept = None
        if directory.exists():
            kept = directory.with_name(directory.name + ".kept")
            directory.rename(kept)
        directory.mkdir(mode=0o700)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", str(directory)], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip("may not mount a file system here: " + done.stderr.strip())
        if kept:
            subprocess.run(["cp", "-a", f"{kept}/.", str(directory)], check=True)
            shutil.rmtree(kept)

    def fill(self):
        with open(self.directory / "ballast", "wb", buffering=0) as ballast:
            for size in (1 << 20, 4096):
                try:
                    while ballast.write(bytes(size)) == size:
                        pass
                except OSError:
                    pass

    def make_room(self):
        os.unlink(self.directory / "ballast")

    def close(self):
        subprocess.run(["umount", str(self.directory)], check=True)


@pytest.fixture
def small_disk(request):
    """A running gateway, one of whose stores lies on a small disk."""
    name, megabytes = request.param
    running = Plant()
    running.start()
    running.gateway.stop()
    disk = SmallDisk(running.gateway.data / name, megabytes)
    try:
        running.gateway.start()
        running.wait_well()
        yield running, disk
    finally:
        running.gateway.stop(check=False)
        disk.close()
        running.stop(check=False)


@pytest.mark.parametrize("small_disk", [("broker", 256), ("postgresql", 400)], indirect=True, ids=["broker", "postgresql"])
def test_a_full_disk_loses_nothing(small_disk):
    running, disk = small_disk
    load = running.load(rate=100)
    running.run_for(2)
    disk.fill()
    running.run_for(15)
    disk.make_room()
    since = time.monotonic()
    healthy = running.wait_well(since, load, timeout=120)
    running.check(load, f"disk full for 15 s under {disk.directory.name}", healthy)
