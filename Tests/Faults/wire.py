"""SMPP's frames over one TCP connection, for both ends of the tests: what waits to be sent, and what came but is not whole yet."""

import socket
import struct
import time

SUBMIT, DELIVER, UNBIND, BIND_TRX, ENQUIRE, RESPONSE = 4, 5, 6, 9, 0x15, 0x80000000
RMSGQFUL, RTHROTTLED = 0x14, 0x58
HEADER = 16


def pdu(command, sequence, body=b"", status=0):
    return struct.pack(">IIII", HEADER + len(body), command, status, sequence) + body


class Wire:
    """A connection that never blocks, or none at the moment (`socket` is None)."""

    def __init__(self):
        self.socket = None
        self.out, self._incoming = bytearray(), b""
        #: when the last octet came
        self.last_heard = 0.0

    def attach(self, connection):
        """A fresh connection: nothing of the one before is left."""
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.out, self._incoming = bytearray(), b""
        self.last_heard = time.monotonic()

    def flush(self):
        """Sends what there is room for. Whether the connection lives."""
        if self.out and self.socket is not None:
            try:
                del self.out[: self.socket.send(self.out)]
            except BlockingIOError:
                pass
            except OSError:
                return False
        return True

    def receive(self):
        """The PDUs that are whole now, as (command, status, sequence, body); None when the connection has ended."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        self.last_heard = time.monotonic()
        data, offset, pdus = self._incoming + data, 0, []
        while len(data) - offset >= HEADER:
            length, command, status, sequence = struct.unpack_from(">IIII", data, offset)
            if length < HEADER:
                raise ValueError(f"a PDU of {length} octets")
            if len(data) - offset < length:
                break
            pdus.append((command, status, sequence, data[offset + HEADER:offset + length]))
            offset += length
        self._incoming = data[offset:]
        return pdus
