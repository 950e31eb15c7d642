"""Kannel's and Jasmin's interfaces beyond a first message: reports in between, headers, signs of waiting messages, JSON and TLVs; with a
provider by hand that says what it is told to."""

import json
import subprocess
import urllib.parse

import pytest

from gateway import wait_for
from http_endpoint import Endpoint
from ingress import add_connector, free_port, new_account, set_options, tlvs
from provider import ESME_RINVDSTADR, PythonProvider


@pytest.fixture(scope="module")
def endpoint():
    running = Endpoint()
    yield running
    running.close()


@pytest.fixture(scope="module")
def provider(gateway):
    running = PythonProvider(free_port()).start()
    gateway.sql("INSERT INTO connector (name, type, protocol, position) VALUES ('by-hand', 'OUTGOING', 'SMPP', 71)")
    set_options(
        gateway, "by-hand", TYPE="OUTGOING", PROTOCOL="SMPP", ADDRESS=f"127.0.0.1:{running.port}", USERNAME="x", PASSWORD="x", STATIC=1)
    gateway.changed()
    wait_for("the provider is bound", lambda: running.is_bound)
    yield running
    gateway.sql("DELETE FROM route WHERE out_connector = 'by-hand'")
    gateway.sql("DELETE FROM connector WHERE name = 'by-hand'")
    gateway.changed()
    running.stop()


@pytest.fixture(scope="module")
def account(gateway, provider):
    name = new_account(gateway)
    gateway.run("route", "add", "--prefix", "", "--connector", "by-hand", "--account", name)
    gateway.wait_applied()
    return name


@pytest.fixture(scope="module")
def base(gateway, account):
    name, port = add_connector(gateway, PROTOCOL="HTTP", INTERFACES="KANNEL,JASMIN", WEBHOOKALLOW="127.0.0.0/8", WEBHOOKRETRY="1,2")
    yield f"http://127.0.0.1:{port}"
    gateway.sql("DELETE FROM connector WHERE name = %s", (name,))


def curl(*arguments):
    done = subprocess.run(["curl", "-s", "-m", "60", "-w", "\n%{http_code}", *arguments], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def kannel(base, account, **parameters):
    query = urllib.parse.urlencode({"username": account, "password": "secret", **{k.replace("_", "-"): v for k, v in parameters.items()}})
    answer = curl(f"{base}/cgi-bin/sendsms?{query}")
    assert answer == (202, "0: Accepted for delivery"), answer


def submitted(provider, text):
    """The submit_sm with a text."""
    return wait_for(f"the provider has {text!r}", lambda: next((one for one in list(provider.submits) if one.text == text), None))


def receipt(provider, smscid, state):
    text = f"id:{smscid} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:{state} err:000 text:"
    assert provider.deliver("46700000001", "Shop", text, esm_class=4) == 0


def types(endpoint, path):
    return [report.parameters["type"] for report in endpoint.got(path)]


def wait_type(endpoint, path, type):
    wait_for(f"{path} hears of type {type}", lambda: type in types(endpoint, path))


def test_kannel_hears_of_each_step_that_it_asked_for(gateway, base, account, provider, endpoint):
    def send(path, mask):
        kannel(base, account, to="46700000001", text=f"steps {path}", dlr_mask=mask, dlr_url=endpoint.url(path) + "?type=%d&smsc=%F")
        return submitted(provider, f"steps {path}").smscid

    every, between, none = send("/every", 31), send("/between", 4), send("/taken", 8)
    wait_type(endpoint, "/every", "8")
    wait_type(endpoint, "/taken", "8")
    for smscid in (every, between):
        receipt(provider, smscid, "ENROUTE")
    wait_type(endpoint, "/every", "4")
    wait_type(endpoint, "/between", "4")
    assert endpoint.got("/between")[0].parameters["smsc"] == between
    for smscid in (every, between):
        receipt(provider, smscid, "DELIVRD")
    wait_type(endpoint, "/every", "1")
    # What nobody asked for is ended, and not told.
    wait_for("the other report is ended", lambda: gateway.one(
        "SELECT count(*) FROM routelog WHERE msgtype = 5 AND username = %s AND status = 14", (account,)) == 1)
    assert types(endpoint, "/every") == ["8", "4", "1"]
    assert types(endpoint, "/between") == ["4"] and types(endpoint, "/taken") == ["8"]
    # The provider was asked for reports where there was something to wait for.
    asked = {one.text: one.registered_delivery & 3 for one in provider.submits}
    assert (asked["steps /every"], asked["steps /between"], asked["steps /taken"]) == (1, 1, 0)


@pytest.mark.parametrize("mask, type", [(16, "16"), (3, "2")])
def test_kannel_hears_of_a_refusal_as_it_asked_to(base, account, provider, endpoint, mask, type):
    path = f"/refused{mask}"
    provider.status = ESME_RINVDSTADR
    try:
        kannel(base, account, to="46700000001", text=f"to be refused {mask}", dlr_mask=mask, dlr_url=endpoint.url(path) + "?type=%d")
        wait_type(endpoint, path, type)
    finally:
        provider.status = 0
    assert types(endpoint, path) == [type]


def test_kannel_takes_a_text_as_the_body_with_the_rest_in_headers(base, account, provider):
    def post(body, type, **headers):
        words = [word for name, value in headers.items() for word in ("-H", f"X-Kannel-{name.replace('_', '-')}: {value}")]
        return curl(
            f"{base}/cgi-bin/sendsms", "-H", f"Content-Type: {type}", "-H", f"X-Kannel-Username: {account}", "-H", "X-Kannel-Password: secret",
            "-H", "X-Kannel-To: 46700000001", "-H", "X-Kannel-From: Shop", *words, "--data-binary", body)

    assert post("Text in a body", "text/plain; charset=UTF-8") == (202, "0: Accepted for delivery")
    assert submitted(provider, "Text in a body").source == "Shop"
    assert post("octets", "application/octet-stream", UDH="06050415811581") == (202, "0: Accepted for delivery")
    one = submitted(provider, "\x06\x05\x04\x15\x81\x15\x81octets")
    assert one.data_coding == 4 and one.esm_class & 0x40
    assert post("a", "text/plain", UDH="zz")[0] == 400
    assert post("<message/>", "text/xml")[0] == 415


def test_kannel_switches_the_sign_of_a_waiting_message_on_and_off(base, account, provider):
    kannel(base, account, to="46700000001", text="You have mail", mwi=2)
    kannel(base, account, to="46700000001", text="You have none", mwi=6)
    assert submitted(provider, "You have mail").data_coding == 0xDA
    assert submitted(provider, "You have none").data_coding == 0xD2


def test_jasmin_takes_json_with_tlvs_and_tells_both_levels(base, account, provider, endpoint):
    body = {
        "username": account, "password": "secret", "to": "46700000001", "from": "Shop", "content": "by JSON", "dlr": "yes", "dlr-level": 3,
        "dlr-url": endpoint.url("/jasmin-levels"), "custom_tlvs": [[12288, None, "COctetString", "billing-ref-42"], [12289, None, "Int2", 5000]]}
    status, text = curl(f"{base}/send", "-H", "Content-Type: application/json", "-d", json.dumps(body))
    assert status == 200 and text.startswith('Success "'), text
    one = submitted(provider, "by JSON")
    sent = tlvs(one.parameters)
    assert sent[0x3000] == b"billing-ref-42\0" and sent[0x3001] == (5000).to_bytes(2, "big")
    (first,) = endpoint.wait("/jasmin-levels")
    id = text.split('"')[1]
    assert (first.parameters["level"], first.parameters["message_status"], first.parameters["id"]) == ("1", "ESME_ROK", id)
    receipt(provider, one.smscid, "DELIVRD")
    second = endpoint.wait("/jasmin-levels", 2)[1]
    assert (second.parameters["level"], second.parameters["message_status"], second.parameters["id_smsc"]) == ("2", "DELIVRD", one.smscid)


def test_jasmin_refuses_what_it_does_not_know(base, account):
    login = f"username={account}&password=secret"
    assert curl(f"{base}/send?{login}&to=46700000001&content=a&colour=red") == (400, 'Error "Argument [colour] is unknown."')
    status, text = curl(f"{base}/send", "-H", "Content-Type: application/json", "-d", "[1]")
    assert status == 400 and text.startswith('Error "')
