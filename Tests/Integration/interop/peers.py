"""Starts and ends programs that others wrote, and reads what they tell."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from gateway import is_free, wait_for

import random

HERE = Path(__file__).resolve().parent


def free_port():
    """A free port below those that the kernel hands out by itself."""
    for _ in range(1_000):
        port = random.randrange(30_000, 32_000)
        if is_free(port):
            return port
    raise RuntimeError("no free port")


class Peer:
    """A child process; what it prints as JSON lines is in `told`."""

    def __init__(self, command, name):
        self.place = Path(tempfile.mkdtemp(prefix=f"signalbox-peer-{name}-"))
        self.name = name
        self.output = self.place / "output"
        self.errors = self.place / "errors"
        with open(self.output, "wb") as output, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd=self.place)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def told(self):
        # The last line may not be written to its end yet.
        return [json.loads(line) for line in self.output.read_text().split("\n")[:-1]]

    def of_kind(self, key):
        return [line for line in self.told if key in line]

    def said(self):
        return f"{self.name}:\n{self.output.read_text()[-2000:]}\n{self.errors.read_text(errors='replace')[-3000:]}"

    def wait_told(self, key, count=1, timeout=60):
        def enough():
            if len(self.of_kind(key)) >= count:
                return self.of_kind(key)
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said()}"
            return None

        return wait_for(f"{self.name} tells {count} times of '{key}'", enough, timeout)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.place, ignore_errors=True)
