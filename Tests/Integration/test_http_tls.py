"""HTTPS: curl over TLS, a certificate replaced while connections are open, client certificates, and who speaks no TLS."""

import http.client
import os
import socket
import ssl
import subprocess

import pytest

from certificates import as_der, make_certificate
from gateway import wait_for
from http_endpoint import API
from ingress import add_connector, new_account


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def account(gateway):
    return new_account(gateway)


def add_https(gateway, **options):
    return add_connector(gateway, PROTOCOL="HTTP", INTERFACES="API,KANNEL", SSL="1", **options)[1]


def curl(port, path, *arguments):
    """The status that curl sees (0: none), and what it is told. The certificates' name is that of the test, not this machine's."""
    done = subprocess.run(
        ["curl", "-s", "-S", "-m", "30", "-w", "\n%{http_code}", *map(str, arguments), f"https://gateway:{port}{path}",
         "--resolve", f"gateway:{port}:127.0.0.1"], capture_output=True, text=True, timeout=60)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body, done.stderr


def shown(port):
    """The certificate that a new connection is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10)) as connection:
        return connection.getpeercert(binary_form=True)


def test_a_message_by_curl_and_a_new_certificate_without_a_restart(gateway, place, account):
    key, certificate = make_certificate(place, "gateway")
    both = place / "both.pem"
    both.write_text(key.read_text() + certificate.read_text())
    port = add_https(gateway, SSL_KEYFILE=both)
    # curl checks the chain and the name.
    status, body, _ = curl(
        port, "/v1/messages", "--cacert", certificate, "-u", f"{account}:secret", "-H", "Content-Type: application/json", "-d",
        '{"to": "46700000001", "from": "Shop", "text": "under seal"}')
    assert status == 202 and '"status":"accepted"' in body
    status, body, _ = curl(
        port, f"/cgi-bin/sendsms?username={account}&password=secret&to=46700000001&text=under+seal+too", "--cacert", certificate)
    assert (status, body) == (202, "0: Accepted for delivery")
    wait_for("both are sent", lambda: {"under seal", "under seal too"} <= {event.text for event in gateway.journal()}, 60)

    # A connection that stays open keeps what it began with, and goes on.
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    kept = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)

    def ask():
        kept.request("GET", "/v1/balance", headers=API(port, account).headers)
        answer = kept.getresponse()
        answer.read()
        return answer.status

    assert ask() == 200
    new_key, new_certificate = make_certificate(place, "gateway-2")
    fresh = place / "fresh.pem"
    fresh.write_text(new_key.read_text() + new_certificate.read_text())
    os.replace(fresh, both)
    wait_for("the new certificate is shown", lambda: shown(port) == as_der(new_certificate), 20)
    assert ask() == 200
    kept.close()
    assert curl(port, "/openapi.json", "--cacert", certificate)[0] == 0, "the old one vouches for nothing any more"
    assert curl(port, "/openapi.json", "--insecure")[0] == 200


def test_who_speaks_no_tls_is_let_go(gateway, place):
    key, certificate = make_certificate(place, "plain")
    port = add_https(gateway, SSL_KEYFILE=key, SSL_CERTFILE=certificate)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: gateway\r\n\r\n")
        answer = b""
        try:
            while data := plain.recv(4_096):
                answer += data
        except ConnectionResetError:
            pass
        # An alert of TLS at most.
        assert b"HTTP/1.1" not in answer and b"openapi" not in answer
    assert curl(port, "/openapi.json", "--insecure")[0] == 200


@pytest.mark.parametrize("minimum, refused", [("1.2", "1.1"), ("1.3", "1.2")])
def test_older_versions_of_tls_are_refused(gateway, place, minimum, refused):
    key, certificate = make_certificate(place, f"versions-{minimum}")
    port = add_https(gateway, SSL_KEYFILE=key, SSL_CERTFILE=certificate, SSL_MINVERSION=minimum)
    assert curl(port, "/openapi.json", "--insecure", f"--tlsv{minimum}")[0] == 200
    status, _, why = curl(port, "/openapi.json", "--insecure", "--ciphers", "DEFAULT@SECLEVEL=0", "--tlsv1.0", "--tls-max", refused)
    assert status == 0 and "SSL" in why, why


@pytest.mark.parametrize("demand", ["OPTIONAL", "REQUIRED"])
def test_client_certificates(gateway, place, demand):
    server = make_certificate(place, f"server-{demand}")
    make_certificate(place, "authority")
    make_certificate(place, "somebody")
    good, bad = make_certificate(place, "client", "authority"), make_certificate(place, "liar", "somebody")
    port = add_https(
        gateway, SSL_KEYFILE=server[0], SSL_CERTFILE=server[1], SSL_CAFILE=place / "authority.pem", SSL_CLIENTCERT=demand)

    def is_let_in(client):
        shows = ["--key", client[0], "--cert", client[1]] if client else []
        return curl(port, "/openapi.json", "--insecure", *shows)[0] == 200

    assert is_let_in(good)
    assert not is_let_in(bad)
    assert is_let_in(None) == (demand == "OPTIONAL")
