"""SMPP over TLS: certificates are read again when they change, client certificates are asked for where the connector says so."""

import os
import socket
import ssl
import subprocess

import pytest

from certificates import as_der, make_certificate
from gateway import executable, wait_for
from ingress import SUBMIT_SM, add_connector, ask, bind, new_account, receive_deliveries, submit_body, text_of
from smpp_raw import OK, RawSession


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


def tls_session(port, certificate=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate[1], certificate[0])
    session = RawSession.__new__(RawSession)
    session.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10))
    return session


def shown(port):
    with tls_session(port) as session:
        return session.socket.getpeercert(binary_form=True)


def test_a_session_over_tls_and_a_new_certificate_without_a_restart(gateway, place):
    account = new_account(gateway)
    key, certificate = make_certificate(place, "gateway")
    both = place / "both.pem"
    both.write_text(key.read_text() + certificate.read_text())
    _, port = add_connector(gateway, SSL="1", SSL_KEYFILE=both)
    assert shown(port) == as_der(certificate)
    session = tls_session(port)
    assert session.bind(account)[1] == OK
    status, body = ask(session, SUBMIT_SM, 5, submit_body())
    assert status == OK
    (report,) = receive_deliveries(session, 1)
    assert report.receipt_id == text_of(body)

    # Half a file is no certificate: the old one stays.
    both.write_text("-----BEGIN")
    wait_for("the gateway has said so", lambda: "changed certificate cannot be used" in gateway.log.read_text(errors="replace")
             or any("changed certificate cannot be used" in log.read_text(errors="replace") for log in (gateway.data / "log").glob("*.log")))
    assert shown(port) == as_der(certificate)
    new_key, new_certificate = make_certificate(place, "gateway-2")
    fresh = place / "fresh.pem"
    fresh.write_text(new_key.read_text() + new_certificate.read_text())
    os.replace(fresh, both)
    wait_for("the new certificate is shown", lambda: shown(port) == as_der(new_certificate), 20)
    assert session.is_alive(), "sessions keep what they began with"
    session.socket.close()


def test_who_speaks_no_tls_is_let_go(gateway, place):
    key, certificate = make_certificate(place, "plain")
    _, port = add_connector(gateway, SSL_KEYFILE=key, SSL_CERTFILE=certificate)
    with RawSession(port) as session:
        session.send(b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\1")
        assert session.is_closed()
    with pytest.raises((EOFError, OSError)):
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        old.set_ciphers("DEFAULT@SECLEVEL=0")
        old.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10))


@pytest.mark.parametrize("demand", ["OPTIONAL", "REQUIRED"])
def test_client_certificates(gateway, place, demand):
    account = new_account(gateway)
    server = make_certificate(place, f"server-{demand}")
    make_certificate(place, "authority")
    make_certificate(place, "somebody")
    good, bad = make_certificate(place, "client", "authority"), make_certificate(place, "liar", "somebody")
    _, port = add_connector(
        gateway, SSL="1", SSL_KEYFILE=server[0], SSL_CERTFILE=server[1], SSL_CAFILE=place / "authority.pem", SSL_CLIENTCERT=demand)

    def is_let_in(certificate):
        # TLS 1.3 tells a client only afterwards that its certificate was not liked.
        try:
            with tls_session(port, certificate) as session:
                return session.bind(account)[1] == OK
        except (EOFError, OSError):
            return False

    assert is_let_in(good)
    assert not is_let_in(bad)
    assert is_let_in(None) == (demand == "OPTIONAL")


def test_tls_without_a_key_file_is_a_fault_of_the_configuration(tmp_path):
    file = tmp_path / "server.cfg"
    file.write_text("CONNECTOR x <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:1\nUSERDB=emg\nSSL\nTHROTTLE=SOMETIMES\nACCESS=10.0.0.0/99\n>\n")
    checked = subprocess.run([str(executable()), "config", "check", str(file)], capture_output=True, text=True)
    assert checked.returncode == 1
    for word in ("SSL_KEYFILE", "DELAY, REJECT", "10.0.0.0/99"):
        assert word in checked.stderr, checked.stderr
