"""A whole gateway to break: with proxies between everything, a provider that obeys, loads that keep books, and the audit of it all."""

import os
import random
import re
import signal
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("Integration", "LocalBroker/python")]

from gateway import ROOT, Gateway, executable, wait_for  # noqa: E402

from audit import Allowed, audit, merged  # noqa: E402
from books import Queues, database_book, unfinished, unmatched_receipts  # noqa: E402
from load import Load  # noqa: E402
from proxy import Link  # noqa: E402
from scripted_smsc import ScriptedSMSC  # noqa: E402

#: The whole suite, as `make faults` runs it; else the short form of `make test`.
IS_FULL = os.environ.get("SIGNALBOX_FAULTS") == "full"
SEED = int(os.environ.get("SIGNALBOX_FAULTS_SEED") or random.randrange(1_000_000))
#: Seconds in which every service is to be healthy again, with no hand moved. That is the promise, and `make faults` holds the release
#: build to it; the short form runs a debug build beside other tests.
PROMPTLY = 10.0 if IS_FULL else 60.0
WINDOW = 50
CONNECTOR = "smpp-providerA"
SERVICES = ["ingress-smpp", "router", "billing", "egress-smpp", "dlr-matcher", "routelog", "delay"]
STORES = ["broker", "postgresql"]

#: What the runs of this session came to, for the table at the end.
FIGURES = []


class Plant:
    """
    :param options: keywords of the provider's connector over the usual ones; None takes one away.
    """

    def __init__(self, **options):
        self.gateway = Gateway()
        self.sabotage = self.gateway.place / "sabotage"
        self.gateway.environment |= {"SIGNALBOX_SABOTAGE": str(self.sabotage)}
        base = self.gateway.base
        self.gateway.arguments = [
            "--database-via", f"127.0.0.1:{base + 33}", "--broker-via", f"127.0.0.1:{base + 34}"]
        self.options = {"WINDOWSIZE": WINDOW, "STATIC": None, "USERNAME": "x", "PASSWORD": "x"} | options
        self.random = random.Random(SEED)
        self.loads = []
        self.links = {}
        self.smsc = None
        self.tags = 0
        self._queues = None

    # Life

    def start(self):
        base = self.gateway.base
        try:
            self.links = {
                "clients": Link(base + 30, self.gateway.smpp_port), "provider": Link(base + 31, base + 32),
                "database": Link(base + 33, base), "broker": Link(base + 34, base + 1)}
            self.smsc = ScriptedSMSC(base + 32)
            self.smsc.start()
            self.gateway.start()
            self.configure()
            self.gateway.run("account", "topup", "demo", "100000")
            self.wait_well(timeout=60)
        except BaseException:
            self.stop(check=False)
            raise
        return self

    def configure(self, **options):
        """The demo's configuration, with our provider behind its connector."""
        text = (ROOT / "docs/demo.cfg").read_text()
        text = re.sub(r":2775\b", f":{self.gateway.smpp_port}", text)
        text = re.sub(r":8080\b", f":{self.gateway.http_port}", text)
        options = {"TYPE": "OUTGOING", "PROTOCOL": "SMPP", "ADDRESS": f"127.0.0.1:{self.gateway.base + 31}"} | self.options | options
        lines = "\n".join(key if value is None else f"{key}={value}" for key, value in options.items())
        text = text[:text.index(f"CONNECTOR {CONNECTOR}")] + f"CONNECTOR {CONNECTOR} <\n{lines}\n>\n"
        path = self.gateway.place / "faults.cfg"
        path.write_text(text)
        self.gateway.run("config", "apply", path)
        self.gateway.wait_applied()

    def stop(self, check=True):
        for load in self.loads:
            load.stop()
        try:
            self.gateway.stop(check)
        finally:
            if self.smsc is not None:
                self.smsc.stop()
            for link in self.links.values():
                link.close()
            self.gateway.remove()

    # Load

    def load(self, further=False, **settings):
        """A new load, bound and under way. A further one is audited together with the first."""
        self.tags += 1
        if not further:
            self.smsc.book.sightings.clear()
            self.smsc.book.broken.clear()
            self.smsc.book.repeated_receipts = 0
            # Receipts for nobody stay for an hour.
            self.early_before = unmatched_receipts(self.gateway)
            self.before = self.gateway.one("SELECT coalesce(max(msgid), 0) FROM routelog")
        load = Load(self.gateway.base + 30, f"t{self.tags}", **settings)
        self.loads.append(load)
        load.start()
        wait_for("the load is bound", lambda: load.bound == len(load.sessions), 30)
        if load.rate:
            wait_for("messages come through", lambda: load.book.reports, 60)
        return load

    def run_for(self, seconds):
        """Lets the load go on. Ends nothing, waits for nothing: for what has to last a while."""
        time.sleep(seconds)

    # Faults

    def pid(self, name):
        return self.gateway.pids()[name]

    def signal(self, name, number):
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def kill(self, name):
        return self.signal(name, signal.SIGKILL)

    def processes(self, name):
        """A child and what it started: PostgreSQL is many."""
        found = [self.pid(name)]
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) in found[:1]:
                found.append(int(path.parent.name))
        return found

    def freeze(self, name):
        """Returns what thaws it."""
        pids = self.processes(name)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

        def thaw():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    pass

        return thaw

    # Recovery

    def memory(self):
        """Resident MiB of each service, and of the broker."""
        pids = self.gateway.pids()
        return {name: resident(pids[name]) for name in [*SERVICES, "broker"] if name in pids}

    def trouble(self, since):
        """What is not well yet: services that have not reported themselves healthy after `since` (monotonic)."""
        pids = self.gateway.pids()
        elapsed = time.monotonic() - since
        # By the database's clock alone: it may have been stepped.
        rows = {
            service: (pid, state, detail, age) for service, pid, state, detail, age in self.gateway.sql(
                "SELECT service, pid, state, detail, extract(epoch FROM clock_timestamp() - beat)::float8 FROM service_instance")}
        for service in SERVICES:
            if service not in pids or service not in rows:
                return f"{service} does not run"
            pid, state, detail, age = rows[service]
            if pid != pids[service] or not 0 <= age <= elapsed:
                return f"{service} has not reported itself"
            if state != "healthy":
                return f"{service} is {state}: {detail}"
        if not self.smsc.bound:
            return "the provider has no session"
        for load in self.loads:
            if load.is_alive() and load.is_reading and load.bound < len(load.sessions):
                return "a client is not bound"
        return None

    def wait_well(self, since=None, load=None, timeout=None):
        """Waits until every service is healthy, and with a load until a message that came after `since` (monotonic) was accepted.
        Returns the seconds from `since` on."""
        since = time.monotonic() if since is None else since
        deadline = time.monotonic() + (timeout or max(60.0, PROMPTLY))
        trouble = "?"
        while time.monotonic() < deadline:
            if self.gateway.process.poll() is not None:
                raise AssertionError(f"`up` ended with {self.gateway.process.returncode}:\n{self.gateway.tail()}")
            trouble = self.trouble(since)
            if trouble is None and load is not None and load.is_submitting and load.latest_accepted < since:
                trouble = "nothing is accepted"
            if trouble is None:
                return time.monotonic() - since
            time.sleep(0.1)
        raise AssertionError(f"not well after {time.monotonic() - since:.0f} s: {trouble}\n{self.gateway.tail(30)}")

    # Audit

    @property
    def queues(self):
        if self._queues is None:
            self._queues = Queues(self.gateway.state["kafka"])
        return self._queues

    def settle(self, loads, patience=30):
        """Ends the submitting and waits until all that was accepted has come to its end, or nothing moves for `patience` seconds."""
        for load in loads:
            load.is_submitting = False
        seen, since = None, time.monotonic()
        while True:
            unfinished_rows = unfinished(self.gateway, self.before)
            state = (
                sum(load.open for load in loads), sum(load.unanswered for load in loads), unfinished_rows,
                sum(load.accepted for load in loads), self.smsc.seen, self.smsc.acknowledged_receipts)
            if state[:3] == (0, 0, 0):
                break
            if state != seen:
                seen, since = state, time.monotonic()
            elif time.monotonic() - since > patience:
                break
            time.sleep(0.2)
        # The same patience for what stands behind: empty queues, and a log that has everything.
        since = time.monotonic()
        while time.monotonic() - since < patience:
            waiting = self.queues.waiting(counting=False)
            ids = sum(load.accepted for load in loads)
            logged = self.gateway.one("SELECT count(*) FROM routelog WHERE msgid > %s AND msgtype = 1", (self.before,))
            parked = self.gateway.one("SELECT count(*) FROM parked_delivery")
            if logged >= ids and not parked and not any(self.queues.waiting().values() if any(waiting.values()) else ()):
                break
            time.sleep(0.3)

    def findings(self, load, *further, allowed=None, patience=30):
        """The audit's sentences on these loads, once they have settled."""
        loads = [load, *further]
        self.settle(loads, patience)
        for load in loads:
            load.stop()
            self.loads.remove(load)
        database = database_book(self.gateway, self.before)
        database.early_receipts = max(0, database.early_receipts - self.early_before)
        database.dead_letters = self.queues.length("sms.dead")
        return audit(merged(load.book for load in loads), self.smsc.book, database, self.queues.waiting(), allowed)

    def kept_unanswered(self, load):
        """Texts that a load got no answer to and that the gateway has all the same: their client hands them in again. Asked after `check`."""
        rows = self.gateway.sql(
            "SELECT body FROM messagebody WHERE msgid > %s AND body = ANY(%s)", (self.before, sorted(load.book.unknown)))
        return [text for text, in rows]

    def check(self, load, what, healthy=None, *, further=(), allowed=None, patience=30):
        """The audit has nothing to say, and the services were well in time; a line for the table."""
        allowed = allowed or Allowed()
        loads = [load, *further]
        broken = sum(load.broken for load in loads)
        allowed.repeated_reports = max(allowed.repeated_reports, WINDOW * broken)
        found = self.findings(*loads, allowed=allowed, patience=patience)
        texts = [sighting.text for sighting in self.smsc.book.sightings if not sighting.refused]
        book = merged(load.book for load in loads)
        FIGURES.append(
            (what, len(book.acknowledged), len(book.refused), len(book.unknown), len(texts) - len(set(texts)),
             sum(len(words) - 1 for words in book.reports.values()), healthy))
        assert found == [], f"{what} (seed {SEED}):\n" + "\n".join(found)
        if healthy is not None:
            assert healthy <= PROMPTLY, f"{what} (seed {SEED}): well again only after {healthy:.1f} s"


def resident(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def is_debug():
    return "release" not in str(executable())
