"""A provider's SMSC by hand: it answers what it is told to, remembers what it was sent, and sends messages of its own when asked."""

import itertools
import queue
import socket
import struct
import threading

RESPONSE = 0x80000000
BINDS, SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK = (0x01, 0x02, 0x09), 0x04, 0x05, 0x06, 0x15
ESME_RSUBMITFAIL, ESME_RINVDSTADR = 0x45, 0x0B


def c_string(data, offset):
    end = data.index(b"\0", offset)
    return data[offset:end].decode("latin-1"), end + 1


class Submit:
    """The fields of a submit_sm that tests look at."""

    def __init__(self, body):
        _, offset = c_string(body, 0)
        self.source_ton = body[offset]
        self.source, offset = c_string(body, offset + 2)
        self.destination, offset = c_string(body, offset + 2)
        self.esm_class = body[offset]
        _, offset = c_string(body, offset + 3)
        _, offset = c_string(body, offset)
        self.data_coding = body[offset + 2]
        length = body[offset + 4]
        self.content = body[offset + 5:offset + 5 + length]

    @property
    def text(self):
        return self.content.decode("latin-1")


class PythonProvider:
    def __init__(self, port):
        self.port = port
        #: command_status of the answers to submit_sm
        self.status = 0
        #: whether it takes submit_sm without ever answering
        self.is_mute = False
        self.submits = []
        self.answers = queue.Queue()
        self._ids = itertools.count(1)
        self._sequences = itertools.count(1000)
        self._listener = None
        self._sessions = []
        self._lock = threading.Lock()

    def start(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self):
        """Closes the door and every session."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # A shutdown wakes the thread that waits in accept.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            try:
                session.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def texts(self):
        return [submit.text for submit in list(self.submits)]

    @property
    def is_bound(self):
        return bool(self._sessions)

    def deliver(self, source, destination, text, esm_class=0):
        """Sends a message from a phone, or with an esm_class of 4 a receipt; returns the status that it is answered with."""
        body = b"\0" + bytes([1, 1]) + source.encode() + b"\0" + bytes([1, 1]) + destination.encode() + b"\0"
        body += bytes([esm_class, 0, 0]) + b"\0\0" + bytes([0, 0, 0, 0, len(text)]) + text.encode("ascii")
        with self._lock:
            session = self._sessions[-1]
            session.sendall(struct.pack(">IIII", 16 + len(body), DELIVER_SM, 0, next(self._sequences)) + body)
        return self.answers.get(timeout=20)

    def _accept(self, listener):
        while True:
            try:
                session, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session):
        try:
            while True:
                head = self._exactly(session, 16)
                length, command, status, sequence = struct.unpack(">IIII", head)
                body = self._exactly(session, length - 16)
                if command in BINDS:
                    self._answer(session, command, sequence, b"provider\0")
                    with self._lock:
                        self._sessions.append(session)
                elif command == SUBMIT_SM:
                    self.submits.append(Submit(body))
                    if self.is_mute:
                        continue
                    self._answer(
                        session, command, sequence, b"" if self.status else b"p%d\0" % next(self._ids), self.status)
                elif command == DELIVER_SM | RESPONSE:
                    self.answers.put(status)
                elif command in (ENQUIRE_LINK, UNBIND):
                    self._answer(session, command, sequence, b"")
        except (OSError, EOFError):
            pass
        finally:
            session.close()
            with self._lock:
                if session in self._sessions:
                    self._sessions.remove(session)

    def _answer(self, session, command, sequence, body, status=0):
        with self._lock:
            session.sendall(struct.pack(">IIII", 16 + len(body), command | RESPONSE, status, sequence) + body)

    @staticmethod
    def _exactly(session, count):
        data = b""
        while len(data) < count:
            part = session.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data
