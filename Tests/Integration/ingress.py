"""What the tests of the SMPP ingress share: accounts, connectors, sessions of a given kind, further instances."""

import itertools
import os
import random
import socket
import struct
import subprocess
import time

from gateway import executable, is_free, wait_for
from smpp_raw import OK, RESPONSE, RawSession, bind_body, c_string, pdu

BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 1, 2, 9
SUBMIT_SM, DELIVER_SM, QUERY_SM, REPLACE_SM, CANCEL_SM, SUBMIT_MULTI, DATA_SM = 4, 5, 3, 7, 8, 0x21, 0x103
UNBIND, ENQUIRE_LINK = 6, 0x15
RTHROTTLED, RMSGQFUL, RBINDFAIL, RINVMSGID, RCANCELFAIL, RREPLACEFAIL, RCNTSUBDL = 0x58, 0x14, 0x0D, 0x0C, 0x11, 0x13, 0x44

#: how far above the gateway's ports those of a further instance lie, in the tests that have one
INSTANCE_OFFSETS = (27, 40)

_names = itertools.count(1)


def new_account(gateway, *more, password="secret", balance="100", network="0.0.0.0/0"):
    """An account of its own for one test."""
    name = f"ing{os.getpid() % 1000}x{next(_names)}"
    gateway.run("account", "add", name, "--password", password, "--prepaid", "--balance", balance, *more)
    if network:
        gateway.run("access", "add", name, "--network", network, "--connector", "*")
    return name


def free_port():
    """Below those that the kernel hands out by itself, which may be an outgoing connection's any time, and below the gateways' own.

    Free for a further instance, too (`Instance`)."""
    for _ in range(200):
        port = random.randrange(10_000, 14_900)
        if all(is_free(port + offset) for offset in (0, *INSTANCE_OFFSETS)):
            return port
    raise RuntimeError("no free port")


def set_options(gateway, connector, **options):
    """Sets (or with None removes) keywords of a connector, as the portal does; takes effect live."""
    for key, value in options.items():
        gateway.sql("DELETE FROM connector_option WHERE connector = %s AND key = %s", (connector, key))
        if value is not None:
            for one in value if isinstance(value, list) else [value]:
                gateway.sql(
                    "INSERT INTO connector_option (connector, ordinal, key, value) VALUES (%s, "
                    "(SELECT coalesce(max(ordinal), 0) + 1 FROM connector_option WHERE connector = %s), %s, %s)",
                    (connector, connector, key, str(one)))


def answers(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def add_connector(gateway, host="127.0.0.1", **options):
    """A further incoming connector on a free port. Returns its name and port, when it listens."""
    name, port = f"in-{next(_names)}", free_port()
    gateway.sql("INSERT INTO connector (name, type, protocol, position) VALUES (%s, 'INCOMING', 'SMPP', 50)", (name,))
    values = {"TYPE": "INCOMING", "PROTOCOL": "SMPP", "ADDRESS": f"[{host}]:{port}" if ":" in host else f"{host}:{port}", "USERDB": "emg", "INSTANCES": 10, **options}
    # One statement: a connector that is read half way would be another one.
    flat = [(key, str(one)) for key, value in values.items() for one in (value if isinstance(value, list) else [value])]
    gateway.sql(
        "INSERT INTO connector_option (connector, ordinal, key, value) SELECT %s, n, k, v "
        "FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS u(k, v, n)",
        (name, [key for key, _ in flat], [value for _, value in flat]))
    wait_for(f"{name} listens on {port}", lambda: answers(host, port), 20)
    return name, port


def bind(port, account, password="secret", command=BIND_TRANSCEIVER, version=0x34, timeout=10):
    """A bound session, or an AssertionError with the status."""
    session = RawSession(port, timeout)
    answer = session.ask(command, 1, bind_body(account, password, version))
    assert answer[:2] == (command | RESPONSE, OK), f"bind answered {answer[0]:#x} with status {answer[1]:#x}"
    return session


def bind_status(port, account, password="secret", command=BIND_TRANSCEIVER):
    with RawSession(port) as session:
        return session.ask(command, 1, bind_body(account, password))[1]


def text_of(body):
    return body.split(b"\0")[0].decode()


def address(number, ton=1, npi=1):
    return bytes([ton, npi]) + c_string(number)


def submit_body(text=b"hello", source="Signalbox", destination="46701234567", registered=1, schedule="", validity="", service_type=""):
    return (
        c_string(service_type) + address(source, 5, 0) + address(destination) + bytes([0, 0, 0]) + c_string(schedule) + c_string(validity)
        + bytes([registered, 0, 0, 0, len(text)]) + text)


def multi_body(destinations, text=b"hello all", source="Signalbox", registered=1):
    """Destinations are numbers, or ("list", name)."""
    body = c_string("") + address(source, 5, 0) + bytes([len(destinations)])
    for one in destinations:
        body += b"\2" + c_string(one[1]) if isinstance(one, tuple) else b"\1" + address(one)
    return body + bytes([0, 0, 0]) + b"\0\0" + bytes([registered, 0, 0, 0, len(text)]) + text


def tlvs(data):
    """Optional parameters at the end of a body."""
    found = {}
    while len(data) >= 4:
        tag, length = struct.unpack_from(">HH", data)
        found[tag] = data[4:4 + length]
        data = data[4 + length:]
    return found


class Delivery:
    """A deliver_sm taken apart."""

    def __init__(self, body):
        rest = body[body.index(b"\0") + 1:]
        self.source, rest = rest[2:].split(b"\0", 1)
        self.destination, rest = rest[2:].split(b"\0", 1)
        self.esm_class = rest[0]
        rest = rest[3:].split(b"\0", 2)[2]
        self.data_coding = rest[2]
        length = rest[4]
        self.text = rest[5:5 + length].decode("latin-1")
        self.tlvs = tlvs(rest[5 + length:])

    @property
    def receipt_id(self):
        return self.text.split("id:")[1].split(" ")[0]

    @property
    def stat(self):
        return self.text.split("stat:")[1].split(" ")[0]


def receive_deliveries(session, count, timeout=30, answer=True):
    """The next deliver_sm, answered; what else comes is passed over."""
    got, deadline = [], time.monotonic() + timeout
    while len(got) < count:
        session.socket.settimeout(max(0.1, deadline - time.monotonic()))
        command, _, sequence, body = session.receive()
        if command == DELIVER_SM:
            got.append(Delivery(body))
            if answer:
                session.send(pdu(DELIVER_SM | RESPONSE, sequence, b"\0"))
        elif command == ENQUIRE_LINK:
            session.send(pdu(ENQUIRE_LINK | RESPONSE, sequence))
    session.socket.settimeout(10)
    return got


def answer_to(session, command, sequence, timeout=20, passed=None):
    """The answer to a request, whatever else comes before it (deliveries are answered, and added to `passed`)."""
    deadline = time.monotonic() + timeout
    while True:
        session.socket.settimeout(max(0.1, deadline - time.monotonic()))
        got, status, number, body = session.receive()
        if (got, number) == (command | RESPONSE, sequence):
            session.socket.settimeout(10)
            return status, body
        if got == DELIVER_SM:
            session.send(pdu(DELIVER_SM | RESPONSE, number, b"\0"))
            if passed is not None:
                passed.append(Delivery(body))
        elif got == ENQUIRE_LINK:
            session.send(pdu(ENQUIRE_LINK | RESPONSE, number))


def ask(session, command, sequence, body, timeout=20, passed=None):
    session.send(pdu(command, sequence, body))
    return answer_to(session, command, sequence, timeout, passed)


class Instance:
    """A further ingress beside the gateway's own, on ports of its own."""

    def __init__(self, gateway, name, offset, service="ingress-smpp"):
        self.gateway, self.name, self.offset, self.service = gateway, name, offset, service
        self.log = gateway.place / f"{name}.log"
        self.process = None

    def start(self):
        environment = {
            **self.gateway.environment, "SIGNALBOX_DATABASE_URL": self.gateway.state["database_url"],
            "SIGNALBOX_KAFKA": self.gateway.state["kafka"], "SIGNALBOX_INSTANCE": self.name,
            "SIGNALBOX_PORT_OFFSET": str(self.offset), "SIGNALBOX_DATA": str(self.gateway.place / self.name)}
        (self.gateway.place / self.name).mkdir(exist_ok=True)
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                [str(executable()), "run", self.service], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True)
        try:
            wait_for(f"{self.name} is healthy", self._is_healthy, 60)
        except BaseException:
            self.stop()
            print(self.log.read_text(errors="replace")[-4000:])
            raise
        return self

    def _is_healthy(self):
        assert self.process.poll() is None, self.log.read_text(errors="replace")
        return self.gateway.sql(
            "SELECT 1 FROM service_instance WHERE instance = %s AND state = 'healthy' AND beat > now() - interval '3 seconds'", (self.name,))

    def tail(self, count=60):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
