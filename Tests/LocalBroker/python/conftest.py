"""Starts the broker under test. SIGNALBOX_BIN names the executable; SIGNALBOX_KAFKA, when set, names a Kafka to use instead,
and what needs to kill or restart the broker is skipped."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid

import pytest


class Broker:
    """One broker process on a data directory of its own, on a port that stays the same over restarts."""

    def __init__(self, directory, *options):
        self.directory = str(directory)
        self.options = options
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
        self.start()

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


@pytest.fixture(params=["usual", "constant-checkpoints"])
def broker(tmp_path, request):
    """A broker of one's own, to be killed and restarted: as it is, and with a checkpoint every few requests and tiny segments,
    so that a kill meets it in the middle of one."""
    if "SIGNALBOX_KAFKA" in os.environ:
        pytest.skip("needs a broker that may be killed")
    options = [] if request.param == "usual" else ["--journal-bytes", "65536", "--segment-bytes", "16384"]
    broker = Broker(tmp_path / "data", *options)
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
