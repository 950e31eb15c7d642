"""Runs the whole gateway, `signalbox up --demo`, for one test session, and looks into it."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[2]
PORTS_PER_GATEWAY = 40


def executable():
    """The program under test: SIGNALBOX_BIN, or the newest build of this tree."""
    named = os.environ.get("SIGNALBOX_BIN")
    candidates = [Path(named)] if named else [ROOT / ".build/debug/signalbox", ROOT / ".build/release/signalbox"]
    built = [path for path in candidates if path.exists()]
    if not built:
        raise RuntimeError(f"no signalbox to test: {', '.join(map(str, candidates))}")
    return max(built, key=lambda path: path.stat().st_mtime).resolve()


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port_base():
    """A run of free ports below those that the kernel hands out by itself."""
    for _ in range(200):
        base = random.randrange(15_000, 30_000, PORTS_PER_GATEWAY)
        if all(is_free(base + offset) for offset in range(PORTS_PER_GATEWAY)):
            return base
    raise RuntimeError("no free ports")


def wait_for(what, condition, timeout=60.0, interval=0.05):
    """Polls `condition` until it is true, and returns what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout} s still not so: {what}")
        time.sleep(interval)


class Gateway:
    """One running gateway with the demo's configuration, in a temporary directory."""

    def __init__(self, demo=True):
        self.demo = demo
        self.place = Path(tempfile.mkdtemp(prefix="signalbox-test-"))
        self.data = self.place / "data"
        self.base = free_port_base()
        self.smpp_port = self.base + 5
        self.smsc_port = self.base + 2
        self.http_port = self.base + 6
        self.log = self.place / "up.log"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_")}
        #: further ones of `up`
        self.arguments = []
        self.process = None
        #: when a command changed routes, prices or connectors
        self._changed = 0.0
        self._database = None
        self._lock = threading.Lock()

    # Life

    def start(self, timeout=120):
        output = open(self.log, "ab")
        command = [executable(), "up", "--data", self.data, "--port-base", str(self.base), *self.arguments]
        command += ["--demo"] if self.demo else []
        # In its own session: a Ctrl-C at the test run's terminal is for the test run, which then stops this.
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment,
            start_new_session=True)
        output.close()
        try:
            self.wait_healthy(timeout)
        except BaseException:
            self.stop(check=False)
            print(self.tail())
            raise
        return self

    def wait_healthy(self, timeout=60):
        def healthy():
            if self.process.poll() is not None:
                raise AssertionError(f"`up` ended with {self.process.returncode}:\n{self.tail()}")
            return self.status_code() == 0

        wait_for("every service is healthy", healthy, timeout, interval=0.2)
        self.wait_applied()

    def changed(self):
        """A test changed the configuration by SQL."""
        self._changed = time.monotonic()

    def wait_applied(self):
        """Until what the last command changed is in force: the promise is a second, on every instance; a busy machine gets two."""
        time.sleep(max(0.0, self._changed + 2.0 - time.monotonic()))

    def stop(self, check=True):
        if self._database is not None:
            self._database.close()
            self._database = None
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(90)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"`up` did not stop:\n{self.tail()}")
        code, self.process = self.process.returncode, None
        if check:
            assert code == 0, f"`up` ended with {code}:\n{self.tail()}"

    def remove(self):
        shutil.rmtree(self.place, ignore_errors=True)

    def tail(self, lines=80):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    # Processes

    def pids(self):
        """Process ids by the children's names, as `up` records them."""
        try:
            return json.loads((self.data / "processes.json").read_text())
        except FileNotFoundError:
            return {}

    def kill(self, name):
        """SIGKILL. Returns the id of the process that is no more."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_restarted(self, name, old, timeout=60):
        wait_for(f"{name} runs again", lambda: self.pids().get(name, old) != old, timeout)

    # Commands

    def run(self, *arguments, check=True, timeout=60, environment=None):
        """A command of signalbox against this gateway."""
        words = [str(executable()), *map(str, arguments), "--data", str(self.data)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, env=environment or self.environment)
        if arguments[0] in ("route", "price", "config", "blacklist", "whitelist") and arguments[1] not in ("list", "test", "show", "check"):
            self.changed()
        if arguments[:2] == ("account", "set"):
            self.changed()
        if check:
            assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def json(self, *arguments, timeout=60):
        return json.loads(self.run(*arguments, "--json", timeout=timeout).stdout)

    def status_code(self):
        return self.run("status", "--json", check=False).returncode

    @property
    def state(self):
        return json.loads((self.data / "up.json").read_text())

    # Database

    def sql(self, query, parameters=None):
        """All rows of a query. A lost connection (the server may be killed by a test) is opened again."""
        with self._lock:
            for attempt in range(100):
                try:
                    if self._database is None or self._database.closed:
                        self._database = psycopg.connect(self.state["database_url"], autocommit=True, connect_timeout=5)
                    cursor = self._database.execute(query, parameters)
                    return cursor.fetchall() if cursor.description else []
                except psycopg.OperationalError:
                    if self._database is not None:
                        self._database.close()
                    self._database = None
                    if attempt == 99:
                        raise
                    time.sleep(0.1)

    def story(self, msgid):
        """`message show` of a message that has ended; the log comes a moment after the report."""
        def ended():
            done = self.run("message", "show", msgid, "--json", check=False)
            found = json.loads(done.stdout)["message"] if done.returncode == 0 else None
            return found if found and (found["status"] or 0) >= 10 else None
        return wait_for(f"the log has the end of {msgid}", ended, 20, 0.2)

    def one(self, query, parameters=None):
        """The only value of a query's only row."""
        ((value,),) = self.sql(query, parameters)
        return value

    def balance(self, account="demo"):
        return self.one("SELECT charge_balance FROM emguser WHERE username = %s", (account,))

    # The simulated SMSC

    def journal(self):
        """Events of the simulated SMSC, in their order."""
        path = self.data / "smsc.journal"
        text = path.read_text(errors="replace") if path.exists() else ""
        # The last line may not be written to its end yet.
        return [JournalEvent(line) for line in text.split("\n")[:-1] if line and not line.startswith("#")]


class JournalWatch:
    """Counts what the simulated SMSC is sent from now on, cheaply enough to be asked all the time."""

    def __init__(self, gateway):
        self.path = gateway.data / "smsc.journal"
        self.offset = self.path.stat().st_size if self.path.exists() else 0
        self.count = 0

    def submits(self):
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            new = file.read()
        whole = new.rfind(b"\n") + 1
        self.offset += whole
        self.count += new[:whole].count(b"\tSUBMIT\t")
        return self.count


class JournalEvent:
    """One line: milliseconds, event, and for messages smscid, source, destination, text; separated by tabs; the tenth column is the detail."""

    def __init__(self, line):
        fields = line.split("\t") + [""] * 10
        self.milliseconds = int(fields[0])
        self.event = fields[1]
        self.smscid, self.source, self.destination = fields[2:5]
        self.detail = fields[9]
        self.text = re.sub(r"\\([nrt\\])", lambda match: {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}[match[1]], fields[5])
