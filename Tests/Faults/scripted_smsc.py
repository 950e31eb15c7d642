"""A provider's SMSC that keeps books, and misbehaves on command: one thread, any number of sessions."""

import itertools
import random
import selectors
import socket
import threading
import time

from audit import ProviderBook, Sighting
from wire import DELIVER, ENQUIRE, RESPONSE, SUBMIT, UNBIND, Wire, pdu

BINDS = (1, 2, 9)


class Session(Wire):
    def __init__(self, number, connection):
        super().__init__()
        self.attach(connection)
        self.number = number
        self.is_bound = False
        #: sequence number -> receipt that it carries, not answered yet
        self.receipts = {}
        self.unanswered = 0
        self.was_unbound = False


class ScriptedSMSC(threading.Thread):
    """
    Behaviour, to be changed at any time:

    * `is_mute`: takes submits and never answers (answers that are due later still come)
    * `status`: command_status of every answer
    * `delay`, `jitter`: seconds until the answer, and what chance adds: answers come out of order
    * `answers_twice`: each answer comes twice
    * `garbage`: the share of answers in whose place octets come that are no PDU
    """

    RECEIPT_DELAY = 0.05
    #: seconds after which a session that owes answers and says nothing is given up
    PATIENCE = 20.0

    def __init__(self, port):
        super().__init__(daemon=True, name="SMSC")
        self.port = port
        self.is_mute, self.status, self.delay, self.jitter = False, 0, 0.0, 0.0
        self.answers_twice, self.garbage = False, 0.0
        self.book = ProviderBook()
        #: all that was ever seen, accepted, and reported on
        self.seen = self.accepted = self.acknowledged_receipts = 0
        self.problems = []
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._sessions = {}
        self._numbers, self._sequences = itertools.count(1), itertools.count(1)
        # Hexadecimal and never the same again, over restarts too.
        self._ids = itertools.count(int(time.time() * 1000) << 20)
        #: (due, order, what to do)
        self._later = []
        self._receipts = []
        self._ending = threading.Event()
        self._random = random.Random(port)

    def behave(self, is_mute=False, status=0, delay=0.0, jitter=0.0, answers_twice=False, garbage=0.0):
        self.is_mute, self.status, self.delay, self.jitter = is_mute, status, delay, jitter
        self.answers_twice, self.garbage = answers_twice, garbage

    @property
    def bound(self):
        return sum(session.is_bound for session in list(self._sessions.values()))

    def stop(self):
        self._ending.set()
        self.join(20)
        for problem in self.problems:
            raise AssertionError(problem)

    # The thread

    def run(self):
        try:
            while not self._ending.is_set():
                self._turn()
        except BaseException as problem:
            self.problems.append(f"the SMSC ended: {problem!r}")
            raise
        finally:
            self._listener.close()
            for session in list(self._sessions.values()):
                session.socket.close()

    def _turn(self):
        for key, _ in self._selector.select(0.01):
            if key.data is None:
                self._accept()
            else:
                self._read(key.data)
        now = time.monotonic()
        if self._later:
            self._later.sort(key=lambda item: item[0])
            while self._later and self._later[0][0] <= now:
                _, session, sighting, sequence = self._later.pop(0)
                self._answer(session, sighting, sequence)
        self._send_receipts(now)
        for session in list(self._sessions.values()):
            self._flush(session)
            if session.receipts and now - session.last_heard > self.PATIENCE:
                self._ended(session)

    def _accept(self):
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        session = Session(next(self._numbers), connection)
        self._sessions[session.number] = session
        self._selector.register(connection, selectors.EVENT_READ, session)

    def _ended(self, session):
        if self._sessions.pop(session.number, None) is None:
            return
        self._selector.unregister(session.socket)
        session.socket.close()
        if not session.was_unbound or session.unanswered:
            self.book.broken.add(session.number)
        # As an operator does: a receipt that nobody answered is sent again.
        self._receipts[:0] = [(0.0, receipt) for receipt in session.receipts.values()]
        self.book.repeated_receipts += len(session.receipts)

    def _flush(self, session):
        if not session.flush():
            self._ended(session)

    def _read(self, session):
        pdus = session.receive()
        if pdus is None:
            return self._ended(session)
        for command, status, sequence, body in pdus:
            self._received(session, command, status, sequence, body)

    def _received(self, session, command, status, sequence, body):
        if command in BINDS:
            session.is_bound = True
            session.out += pdu(command | RESPONSE, sequence, b"scripted\0")
        elif command == SUBMIT:
            self._submitted(session, sequence, body)
        elif command == DELIVER | RESPONSE:
            receipt = session.receipts.pop(sequence, None)
            if receipt is None:
                self.problems.append(f"an answer to a receipt that was not sent: {sequence}")
            elif status:
                self._receipts.append((time.monotonic() + 1, receipt))
            else:
                self.acknowledged_receipts += 1
        elif command == ENQUIRE:
            session.out += pdu(ENQUIRE | RESPONSE, sequence)
        elif command == UNBIND:
            session.was_unbound = True
            session.is_bound = False
            session.out += pdu(UNBIND | RESPONSE, sequence)

    def _submitted(self, session, sequence, body):
        source, rest = body[body.index(b"\0") + 3:].split(b"\0", 1)
        destination, rest = rest[2:].split(b"\0", 1)
        rest = rest[3:].split(b"\0", 2)[2]
        text = rest[5:5 + rest[4]].decode("latin-1")
        sighting = Sighting(text, destination.decode(), session.number)
        self.book.sightings.append(sighting)
        self.seen += 1
        session.unanswered += 1
        if self.is_mute:
            return
        wait = self.delay + self._random.random() * self.jitter
        if wait:
            self._later.append((time.monotonic() + wait, session, sighting, sequence))
        else:
            self._answer(session, sighting, sequence)

    def _answer(self, session, sighting, sequence):
        if session.number not in self._sessions:
            return
        if self.garbage and self._random.random() < self.garbage:
            session.out += self._random.randbytes(64)
            return
        if self.status:
            sighting.refused = True
            session.unanswered -= 1
            session.out += pdu(SUBMIT | RESPONSE, sequence, b"", self.status)
            return
        sighting.answered = True
        session.unanswered -= 1
        self.accepted += 1
        identity = b"%X" % next(self._ids)
        for _ in range(2 if self.answers_twice else 1):
            session.out += pdu(SUBMIT | RESPONSE, sequence, identity + b"\0")
        self._receipts.append((time.monotonic() + self.RECEIPT_DELAY, (identity, sighting.destination.encode())))

    def _send_receipts(self, now):
        """On the sessions in turn, within a window of 100 each."""
        if not self._receipts:
            return
        open_sessions = [one for one in self._sessions.values() if one.is_bound and len(one.receipts) < 100]
        index = 0
        while open_sessions and index < len(self._receipts):
            due, receipt = self._receipts[index]
            if due > now:
                index += 1
                continue
            del self._receipts[index]
            session = open_sessions[0]
            sequence = next(self._sequences)
            if not session.receipts:
                session.last_heard = now
            session.receipts[sequence] = receipt
            identity, destination = receipt
            text = b"id:" + identity + b" sub:001 dlvrd:001 submit date:2601011200 done date:2601011201 stat:DELIVRD err:000 text:"
            session.out += pdu(
                DELIVER, sequence,
                b"\0\x01\x01" + destination + b"\0\x01\x0146700000000\0\x04\0\0\0\0\0\0\0\0" + bytes([len(text)]) + text)
            if len(session.receipts) >= 100:
                open_sessions.pop(0)
