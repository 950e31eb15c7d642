"""An SMPP client that keeps books: it submits at a steady rate over some sessions, binds again when it loses one, and never tries a
message twice, so that what became of each attempt can be said with certainty."""

import random
import re
import selectors
import socket
import threading
import time

from audit import ClientBook
from wire import BIND_TRX, DELIVER, ENQUIRE, RESPONSE, SUBMIT, UNBIND, Wire, pdu

REPORT = re.compile(rb"id:(\S+) .*?stat:(\S+)")
#: a destination's last digits: its session and its place there
DESTINATIONS_PER_SESSION = 4


class Session(Wire):
    """One connection, or the wish for one."""

    def __init__(self, number):
        super().__init__()
        self.number = number
        self.is_bound = False
        #: it was bound on this connection
        self.was_bound = False
        #: no attempt to connect before
        self.next_attempt = 0.0
        self.sequence = 2
        self.unanswered = {}
        self.last_asked = 0.0


class Load(threading.Thread):
    """
    :param tag: begins every text; no two loads on one gateway have the same.
    :param rate: messages a second, over all sessions.
    :param window: unanswered submits of one session.
    :param silence: seconds without an octet after which a session is given up.
    """

    def __init__(self, port, tag, rate=200, sessions=2, window=50, account="demo", password="secret", prefix="4670", silence=30.0, churn=0.0):
        super().__init__(daemon=True, name=f"load {tag}")
        self.port, self.tag, self.rate, self.window = port, tag, rate, window
        self.account, self.password, self.prefix, self.silence = account, password, prefix, silence
        #: seconds after which a session unbinds and comes again; 0 = never
        self.churn = churn
        self.book = ClientBook()
        self.sessions = [Session(number) for number in range(sessions)]
        self.selector = selectors.DefaultSelector()
        self.submitted = 0
        #: bound sessions that ended otherwise than by our own wish
        self.reconnects = 0
        #: of them, those that ended without an unbind, so that reports may have been on their way
        self.broken = 0
        #: when the latest message that was answered positively had been submitted
        self.latest_accepted = 0.0
        self.problems = []
        self.is_submitting = True
        self.is_reading = True
        self._ending = threading.Event()
        self._sent = {}
        self._random = random.Random(tag)

    # What others ask

    @property
    def accepted(self):
        return len(self.book.acknowledged)

    @property
    def unanswered(self):
        return sum(len(session.unanswered) for session in self.sessions)

    @property
    def open(self):
        """Acknowledged messages that have no report yet."""
        return sum(1 for one in list(self.book.acknowledged) if one not in self.book.reports)

    @property
    def bound(self):
        return sum(session.is_bound for session in self.sessions)

    def stop(self):
        self._ending.set()
        self.join(20)
        assert not self.is_alive(), "the load does not end"
        for problem in self.problems:
            raise AssertionError(problem)

    # The thread

    def run(self):
        try:
            self._run()
        except BaseException as problem:
            self.problems.append(f"the load ended: {problem!r}")
            raise
        finally:
            for session in self.sessions:
                if session.socket is not None:
                    session.socket.close()

    def _run(self):
        due = time.monotonic()
        turn = 0
        while not self._ending.is_set():
            now = time.monotonic()
            for session in self.sessions:
                self._look_after(session, now)
            if self.is_submitting and self.rate:
                # What a long pause held up is not made up for at once.
                due = max(due, now - 0.25)
                while due <= now:
                    ready = [session for session in self.sessions if session.is_bound and len(session.unanswered) < self.window]
                    if not ready:
                        due = now
                        break
                    self._submit(ready[turn % len(ready)])
                    turn += 1
                    due += 1 / self.rate
            else:
                due = now
            for session in self.sessions:
                self._flush(session)
            for key, _ in self.selector.select(0.01 if self.is_submitting else 0.05):
                self._read(key.data)
        for session in self.sessions:
            if session.is_bound:
                session.out += pdu(UNBIND, 1)
                self._flush(session)

    def _look_after(self, session, now):
        if session.socket is None:
            if now >= session.next_attempt:
                self._connect(session, now)
            return
        if not self.is_reading:
            return
        if now - session.last_heard > self.silence:
            return self._lost(session)
        if now - max(session.last_heard, session.last_asked) > self.silence / 3 and session.is_bound:
            session.last_asked = now
            session.out += pdu(ENQUIRE, 1)
        if self.churn and session.is_bound and self._random.random() < 0.01 / self.churn and not session.unanswered:
            session.out += pdu(UNBIND, 1)
            session.is_bound = False

    def _connect(self, session, now):
        session.next_attempt = now + 0.2
        try:
            session.attach(socket.create_connection(("127.0.0.1", self.port), timeout=2))
        except OSError:
            return
        session.sequence = 2
        session.last_asked = session.last_heard
        session.out += pdu(BIND_TRX, 1, self.account.encode() + b"\0" + self.password.encode() + b"\0\0\x34\0\0\0")
        self.selector.register(session.socket, selectors.EVENT_READ, session)

    def _lost(self, session):
        self.selector.unregister(session.socket)
        session.socket.close()
        session.socket = None
        if session.is_bound:
            self.broken += 1
        self.reconnects += session.was_bound
        session.is_bound = session.was_bound = False
        session.next_attempt = time.monotonic() + 0.2
        self.book.unknown.update(text for text, _ in session.unanswered.values())
        session.unanswered.clear()

    def _submit(self, session):
        text = f"{self.tag} {self.submitted}"
        self.submitted += 1
        destination = f"{self.prefix}{session.number:03d}{self.submitted % DESTINATIONS_PER_SESSION:04d}"
        octets = text.encode()
        body = b"\0\x01\x0146700000000\0\x01\x01" + destination.encode() + b"\0\0\0\0\0\0\x01\0\0\0" + bytes([len(octets)]) + octets
        session.out += pdu(SUBMIT, session.sequence, body)
        session.unanswered[session.sequence] = (text, time.monotonic())
        session.sequence += 1
        self.book.order[destination].append(text)

    def _flush(self, session):
        if not session.flush():
            self._lost(session)

    def _read(self, session):
        if not self.is_reading or session.socket is None:
            time.sleep(0.01)
            return
        pdus = session.receive()
        if pdus is None:
            return self._lost(session)
        for command, status, sequence, body in pdus:
            self._received(session, command, status, sequence, body)

    def _received(self, session, command, status, sequence, body):
        if command == SUBMIT | RESPONSE:
            text, when = session.unanswered.pop(sequence)
            if status == 0:
                identity = body.split(b"\0")[0].decode()
                if identity in self.book.acknowledged:
                    self.book.twice.append(identity)
                self.book.acknowledged[identity] = text
                self.latest_accepted = max(self.latest_accepted, when)
            else:
                self.book.refused[text] = status
        elif command == DELIVER:
            named = REPORT.search(body)
            if named:
                self.book.reports[named[1].decode()].append(named[2].decode())
            else:
                self.problems.append(f"a deliver_sm that is no report: {body!r}")
            session.out += pdu(DELIVER | RESPONSE, sequence, b"\0")
        elif command == ENQUIRE:
            session.out += pdu(ENQUIRE | RESPONSE, sequence)
        elif command == BIND_TRX | RESPONSE:
            session.is_bound = session.was_bound = status == 0
            if status:
                # Its connection may stay open; it is of no use.
                self._lost(session)
        elif command == UNBIND:
            session.out += pdu(UNBIND | RESPONSE, sequence)
            session.is_bound = False
            self._flush(session)
        elif command == UNBIND | RESPONSE:
            # As we wished: no loss.
            session.was_bound = False
            self._lost(session)
