"""What a connector can ask for towards its provider, and what it learns of it."""

import ssl
import struct
import subprocess
import time

import pytest

from client import Client
from egress_provider import Provider, apply, connector
from gateway import wait_for
from ingress import (
    DELIVER_SM, RMSGQFUL, SUBMIT_SM, UNBIND, add_connector, ask, bind, bind_status, new_account, receive_deliveries, set_options,
    submit_body, text_of)
from provider import RESPONSE as PROVIDER_RESPONSE
from provider import PythonProvider
from smpp_raw import OK, RESPONSE, RINVPASWD, RINVSYSID, pdu

PREFIX = "9966"


@pytest.fixture(scope="module")
def gateway(own_gateway):
    apply(own_gateway, connector("alpha", own_gateway.base + 30))
    own_gateway.run("route", "add", "--prefix", PREFIX, "--connector", "alpha")
    return own_gateway


@pytest.fixture
def provider(gateway):
    running = PythonProvider(gateway.base + 30).start()
    yield running
    running.stop()


@pytest.fixture
def session(gateway):
    session = bind(gateway.smpp_port, new_account(gateway))
    yield session
    session.socket.close()


def state(gateway, name="alpha"):
    return {one["name"]: one for one in gateway.json("connector", "list")["connectors"]}[name]


def configure(gateway, port, **options):
    """The connector alpha, bound with these options."""
    apply(gateway, connector("alpha", port, **options))
    gateway.wait_applied()
    wait_for("it is bound", lambda: state(gateway)["sessions"] >= 1, 40, 0.2)


def submit(session, sequence, **more):
    status, body = ask(session, SUBMIT_SM, sequence, submit_body(**({"destination": PREFIX + "1"} | more)))
    assert status == OK
    return text_of(body)


def receipt_text(identity, stat="DELIVRD"):
    return f"id:{identity} sub:001 dlvrd:001 submit date:2101010000 done date:2101010001 stat:{stat} err:000 text:".encode()


def send_receipt(provider, identity, parameters=b""):
    """A receipt of the provider's, which it must get an answer to."""
    text = receipt_text(identity)
    body = b"\0" + bytes([1, 1]) + PREFIX.encode() + b"1\0" + bytes([5, 0]) + b"Signalbox\0" + bytes([4, 0, 0]) + b"\0\0"
    body += bytes([0, 0, 0, 0, len(text)]) + text + parameters
    with provider._lock:
        session = provider._sessions[-1]
        session.sendall(struct.pack(">IIII", 16 + len(body), DELIVER_SM, 0, next(provider._sequences)) + body)
    assert provider.answers.get(timeout=20) == 0


def test_vendors_parameters_of_a_receipt_reach_the_client(gateway, provider, session):
    configure(gateway, provider.port, FORCE_DESTADDR="46709999999", MESSAGEMODE="STORE", USEPRIORITY=0, TCPSOURCEPORT=gateway.base + 31)
    # Where the connection came from.
    assert provider._sessions[-1].getpeername()[1] == gateway.base + 31
    identity = submit(session, 5)
    wait_for("it is with the provider", lambda: provider.submits, 20)
    sent = provider.submits[-1]
    assert sent.destination == "46709999999" and sent.esm_class & 3 == 3
    send_receipt(provider, "p1", struct.pack(">HH3s", 0x1401, 3, b"abc") + struct.pack(">HHB", 0x3FFE, 1, 7) + struct.pack(">HHB", 0x0427, 1, 2))
    (report,) = receive_deliveries(session, 1)
    assert (report.receipt_id, report.stat) == (identity, "DELIVRD")
    assert report.tlvs[0x1401] == b"abc" and report.tlvs[0x3FFE] == b"\7"
    # In the log it is the recipient that its sender named.
    wait_for("it is in the log", lambda: gateway.sql("SELECT 1 FROM routelog WHERE msgid = %s", (int(identity),)), 20)
    assert gateway.one("SELECT destaddr FROM routelog WHERE msgid = %s", (int(identity),)) == PREFIX + "1"


# 3GPP TS 23.038: what stands behind ESC (A.2.1), and what stands in place of the default table's characters (A.3.1).
TURKISH_SINGLE = {0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x65: "€", 0x67: "ğ", 0x69: "ı", 0x73: "ş"}
TURKISH_LOCKING = {0x04: "€", 0x07: "ı", 0x0B: "Ğ", 0x0C: "ğ", 0x1C: "Ş", 0x1D: "ş", 0x40: "İ", 0x60: "ç"}


def turkish(octets):
    """The text of a message whose header names a Turkish table, as its recipient's phone reads it."""
    length, element, _, language = octets[:4]
    assert (length, language) == (3, 1)
    locked = TURKISH_LOCKING if element == 0x25 else {0x04: "è"}
    text, places = "", iter(octets[4:])
    for octet in places:
        text += TURKISH_SINGLE[next(places)] if octet == 0x1B else locked.get(octet, chr(octet))
    return element, text


def submit_unicode(session, sequence, text):
    body = submit_body(text=text.encode("utf-16-be"), destination=PREFIX + "1")
    place = len(body) - 3 - len(text.encode("utf-16-be"))
    status, answer = ask(session, SUBMIT_SM, sequence, body[:place] + bytes([8]) + body[place + 1:])
    assert status == OK
    return text_of(answer)


def test_turkish_leaves_in_seven_bits_with_its_table_named(gateway, session, provider):
    text = "Sayın abone, şifreniz 4711. Bu şifreyi kimseyle paylaşmayınız, bağlantı açık kalmasın."
    configure(gateway, provider.port)
    submit_unicode(session, 5, text)
    wait_for("it is with the provider, in two parts", lambda: len(provider.submits) == 2, 20)
    assert all(one.data_coding == 8 for one in provider.submits)
    configure(gateway, provider.port, NATIONALLANGUAGES="turkish,spanish")
    identity = submit_unicode(session, 6, text)
    # The locking table lacks è: there only the shift helps.
    submit_unicode(session, 7, "crème, ışık")
    wait_for("they are with the provider", lambda: len(provider.submits) == 4, 20)
    assert all(one.esm_class & 0x40 and one.data_coding == 0 for one in provider.submits[2:])
    assert {turkish(one.content) for one in provider.submits[2:]} == {(0x25, text), (0x24, "crème, ışık")}
    wait_for("it is charged as one part", lambda: gateway.sql(
        "SELECT 1 FROM routelog WHERE msgid = %s AND charge = (SELECT charge FROM price WHERE priceid = charge_price_id)",
        (int(identity),)), 20)


def test_how_ids_are_written_is_not_forgotten_with_a_restart(gateway, session):
    smsc = Provider(gateway, "hexadecimal", 2).start("--id-format", "hex", "--receipt-id-format", "decimal")
    try:
        configure(gateway, smsc.port)
        submit(session, 5)
        receive_deliveries(session, 1)
        wait_for("it is learnt", lambda: gateway.sql("SELECT 1 FROM connector_id_rule WHERE connector = 'alpha' AND answer_base = 16 AND receipt_base = 10"), 20)
        # Its receipt comes when the process that knows the answer is no more.
        smsc.start("--id-format", "hex", "--receipt-id-format", "decimal", "--receipt-delay", 6000)
        wait_for("it is bound again", lambda: state(gateway)["sessions"] == 1 and smsc.events("BIND"), 40, 0.2)
        identity = submit(session, 6)
        wait_for("it is with the provider", lambda: gateway.sql("SELECT 1 FROM routelog WHERE msgid = %s AND status = 4", (int(identity),)), 20)
        gateway.wait_restarted("egress-smpp", gateway.kill("egress-smpp"))
        (report,) = receive_deliveries(session, 1, timeout=40)
        assert (report.receipt_id, report.stat) == (identity, "DELIVRD")
        gateway.wait_healthy()
    finally:
        smsc.stop()


def test_a_window_that_finds_its_size_keeps_several_submits_open(gateway):
    smsc = Provider(gateway, "slow", 3).start("--answer-delay", 100)
    try:
        configure(gateway, smsc.port, WINDOWSIZE="auto")
        client = Client(gateway.smpp_port, 500, destination=PREFIX + "3")
        client.connect()
        client.submit_all()
        client.receive_all(120)
        client.close()
        assert len(smsc.events("SUBMIT")) == 500, "each once"
        # Without the keyword it is one submit at a time. How far the window grows depends on how busy the machine is.
        open_submits, most = 0, 0
        for event in smsc.events():
            open_submits += {"SUBMIT": 1, "ANSWER": -1}.get(event.event, 0)
            most = max(most, open_submits)
        assert 5 <= most <= 500
    finally:
        smsc.stop()


@pytest.mark.parametrize("password, is_bound", [("right", True), ("wrong", False)])
def test_only_the_provider_may_call_us_by_outbind(gateway, provider, password, is_bound):
    listen = gateway.base + 32
    caller = Provider(gateway, f"caller-{password}", 4)
    beta = connector(
        "beta", caller.port, STATIC=False, OUTBINDLISTEN=f"127.0.0.1:{listen}", OUTBINDSYSTEMID="signalbox-smsc", OUTBINDPASSWORD="right")
    apply(gateway, connector("alpha", provider.port), beta)
    gateway.wait_applied()
    caller.start("--outbind", f"127.0.0.1:{listen}", "--outbind-password", password)
    try:
        if is_bound:
            wait_for("we bound as receiver", lambda: [event for event in caller.events("BIND") if "receiver" in event.detail], 20)
        else:
            log = gateway.data / "log"
            wait_for("it is refused", lambda: any("outbind refused" in one.read_text(errors="replace") for one in log.glob("egress-smpp*")), 20)
            assert not caller.events("BIND")
    finally:
        caller.stop()


def make_certificate(place, name):
    key, certificate = place / f"{name}.key", place / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both = place / f"{name}.both"
    both.write_text(key.read_text() + certificate.read_text())
    return certificate, both


def test_a_provider_that_asks_for_our_certificate_gets_it(gateway, tmp_path):
    server, server_both = make_certificate(tmp_path, "provider")
    ours, ours_both = make_certificate(tmp_path, "ours")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_both)
    context.load_verify_locations(ours)
    context.verify_mode = ssl.CERT_REQUIRED
    provider = PythonProvider(gateway.base + 33)
    shown = []

    def serve(session):
        try:
            secure = context.wrap_socket(session, server_side=True)
            shown.append(secure.getpeercert()["subject"])
        except (OSError, ssl.SSLError):
            shown.append(None)
            session.close()
            return
        plain(secure)

    plain, provider._serve = provider._serve, serve
    provider.start()
    try:
        options = {"SSL": None, "SSL_CAFILE": server}
        apply(gateway, connector("alpha", provider.port, **options))
        wait_for("a session without a certificate is refused", lambda: shown and shown[-1] is None, 20)
        assert not provider.is_bound
        configure(gateway, provider.port, **options, SSL_KEYFILE=ours_both)
        assert ((("commonName", "ours"),),) == shown[-1]
    finally:
        provider.stop()


def test_users_of_a_file_log_in(gateway, tmp_path):
    users = tmp_path / "users"
    users.write_text("# our clients\nfileuser first\n")
    _, port = add_connector(gateway, USERDB=[], USERS=users)
    assert bind_status(port, "fileuser", "wrong") == RINVPASWD
    assert bind_status(port, "demo", "secret") == RINVSYSID, "the file alone counts"
    session = bind(port, "fileuser", "first")
    identity = submit(session, 5, destination="46701234567")
    (report,) = receive_deliveries(session, 1)
    assert (report.receipt_id, report.stat) == (identity, "DELIVRD")
    session.socket.close()
    # The next login reads the file anew.
    users.write_text("fileuser second\n")
    assert bind_status(port, "fileuser", "first") == RINVPASWD
    bind(port, "fileuser", "second").socket.close()
    _, other = add_connector(gateway, USERS=users)
    bind(other, "demo", "secret").socket.close()
    users.unlink()
    assert bind_status(port, "fileuser", "second") == 8, "nobody can be asked"


def test_a_session_that_is_ended_by_a_change_refuses_for_the_moment_only(gateway):
    name, port = add_connector(gateway)
    account = new_account(gateway)
    session = bind(port, account)
    set_options(gateway, name, MSGIDFORMAT="HEX")
    # Our unbind; the client's next request was on its way already.
    while True:
        command, _, sequence, _ = session.receive()
        if command == UNBIND:
            break
    session.send(pdu(SUBMIT_SM, 7, submit_body()))
    while True:
        command, status, number, _ = session.receive()
        if (command, number) == (SUBMIT_SM | RESPONSE, 7):
            break
    assert status == RMSGQFUL
    session.send(pdu(UNBIND | RESPONSE, sequence))
    assert session.is_closed()
    session.socket.close()
    # And whoever connects anew is served, from the first PDU on.
    deadline = time.monotonic() + 20
    while True:
        try:
            again = bind(port, account)
            break
        except (ConnectionRefusedError, ConnectionResetError, EOFError):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    status, body = ask(again, SUBMIT_SM, 5, submit_body())
    assert status == OK and int(text_of(body), 16) > 0
    again.socket.close()
