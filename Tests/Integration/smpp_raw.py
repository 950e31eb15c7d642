"""SMPP by hand, to send what no library would."""

import socket
import struct

BIND_TRANSCEIVER, SUBMIT_SM, ENQUIRE_LINK, UNBIND, GENERIC_NACK = 0x09, 0x04, 0x15, 0x06, 0x80000000
RESPONSE = 0x80000000
OK, RINVMSGLEN, RINVCMDLEN, RINVCMDID, RINVBNDSTS, RBINDFAIL, RINVPASWD, RINVSYSID = 0, 0x01, 0x02, 0x03, 0x04, 0x0D, 0x0E, 0x0F


def pdu(command, sequence, body=b"", status=0, length=None):
    return struct.pack(">IIII", 16 + len(body) if length is None else length, command, status, sequence) + body


def c_string(text):
    return text.encode("ascii") + b"\0"


def bind_body(system_id, password, interface_version=0x34):
    return c_string(system_id) + c_string(password) + c_string("") + bytes([interface_version, 0, 0]) + c_string("")


def submit_body(text=b"hello", source="Signalbox", destination="46701234567", registered=0, declared_length=None):
    return (
        c_string("") + bytes([5, 0]) + c_string(source) + bytes([1, 1]) + c_string(destination)
        + bytes([0, 0, 0]) + c_string("") + c_string("") + bytes([registered, 0, 0, 0, len(text) if declared_length is None else declared_length])
        + text)


class RawSession:
    """A TCP connection that speaks PDUs."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def receive(self):
        """(command, status, sequence, body) of the next PDU; EOFError when the peer closed."""
        length, command, status, sequence = struct.unpack(">IIII", self._exactly(16))
        return command, status, sequence, self._exactly(length - 16)

    def ask(self, command, sequence, body=b"", **more):
        self.send(pdu(command, sequence, body, **more))
        return self.receive()

    def bind(self, system_id="demo", password="secret"):
        return self.ask(BIND_TRANSCEIVER, 1, bind_body(system_id, password))

    def is_alive(self, sequence=77):
        command, status, answered, _ = self.ask(ENQUIRE_LINK, sequence)
        return (command, status, answered) == (ENQUIRE_LINK | RESPONSE, OK, sequence)

    def is_closed(self):
        """Whether the peer has closed, or closes within the time limit."""
        try:
            while True:
                self.receive()
        except (EOFError, ConnectionResetError):
            return True
        except socket.timeout:
            return False
