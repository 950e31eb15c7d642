"""Starts the broker under test. SIGNALBOX_BIN names the executable; SIGNALBOX_KAFKA, when set, names a Kafka to use instead,
and what needs to kill or restart the broker is skipped."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from power_cut import take_back


class Broker:
    """One broker process on a data directory of its own, on a port that stays the same over restarts.

    With `power_cuts` a hard restart does what a power cut may: it takes back what was not synced."""

    def __init__(self, directory, *options, power_cuts=False):
        self.directory = str(directory)
        self.sync_log = self.directory + ".synced" if power_cuts else None
        self.options = [*options, "--sync-log", self.sync_log] if power_cuts else options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None
        self.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(
            [os.environ["SIGNALBOX_BIN"], "broker", "--data", self.directory, "--listen", self.address, *self.options],
            stdout=subprocess.PIPE,
            stderr=open(self.directory + ".log", "ab"),
            text=True,
        )
        line = self.process.stdout.readline()
        assert line.startswith("broker listens on"), line + open(self.directory + ".log").read()[-2000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0

    def restart(self, hard):
        self.kill() if hard else self.stop()
        if hard and self.sync_log:
            take_back(self.directory, self.sync_log)
        self.start()

    def memory(self, field="VmRSS"):
        """MiB; VmHWM is the most that it ever was."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

    def close(self):
        if self.process.poll() is None:
            self.kill()


@pytest.fixture(scope="session")
def shared_broker(tmp_path_factory):
    if "SIGNALBOX_KAFKA" in os.environ:
        yield os.environ["SIGNALBOX_KAFKA"]
        return
    broker = Broker(tmp_path_factory.mktemp("shared") / "data")
    yield broker.address
    broker.close()


CONSTANT_CHECKPOINTS = ["--journal-bytes", "65536", "--segment-bytes", "16384"]


@pytest.fixture(params=["usual", "constant-checkpoints", "power-cuts"])
def broker(tmp_path, request):
    """A broker of one's own, to be killed and restarted: as it is, with a checkpoint every few requests and tiny segments,
    so that a kill meets it in the middle of one, and with the power cut instead of the process killed."""
    if "SIGNALBOX_KAFKA" in os.environ:
        pytest.skip("needs a broker that may be killed")
    options = [] if request.param == "usual" else CONSTANT_CHECKPOINTS
    broker = Broker(tmp_path / "data", *options, power_cuts=request.param == "power-cuts")
    yield broker
    broker.close()


@pytest.fixture
def topic():
    return "t-" + uuid.uuid4().hex[:12]


def until(condition, seconds=30):
    """Waits for an event that only shows in a state."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def pytest_unconfigure(config):
    """The summary is the last thing to be seen: clients of brokers that were killed go on complaining until they are collected."""
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
