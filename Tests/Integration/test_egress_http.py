"""Providers with an HTTP API: SMPP in, HTTP out, reports back; and what becomes of a message when they refuse, are slow, or die."""

import os
import signal
import subprocess
import threading
from collections import Counter

import pytest

from client import Client
from gateway import executable, wait_for
from egress_provider import apply, connector, hold, row, send, state
from http_endpoint import API, Endpoint
from http_provider import CALLBACK_TOKEN, TOKEN, Cut, HTTPProvider, call
from ingress import (
    CANCEL_SM, REPLACE_SM, SUBMIT_SM, add_connector, address, ask, bind, new_account, receive_deliveries, submit_body, text_of)
from smpp_raw import OK, c_string

EMG, JSON, TEXT, SECURE, MISTRUSTED, SLOW = "9981", "9982", "9983", "9984", "9985", "9986"
WINDOW = 10
SHORT_CODE = "72346"


def emg_answer(provider, request):
    return 200, provider.next_id() + "\n"


def json_answer(provider, request):
    """Takes everything and reports it as delivered."""
    identity = provider.next_id()
    provider.callbacks.put((identity, "DELIVERED"))
    return 202, '{"status": "ok", "messages": [{"id": "%s"}]}' % identity


def text_answer(provider, request):
    return 200, f"OK id={provider.next_id()}"


def make_certificate(place, name="provider"):
    """For localhost, signed by itself. Certificate and key."""
    certificate, key = place / f"{name}.pem", place / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def secure(own_gateway):
    provider = HTTPProvider(emg_answer, tls=make_certificate(own_gateway.place)).start()
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def slow(own_gateway):
    provider = HTTPProvider(emg_answer).start()
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def providers(own_gateway, secure, slow):
    gateway = own_gateway
    emg, rest, text = HTTPProvider(emg_answer).start(), HTTPProvider(json_answer).start(), HTTPProvider(text_answer).start()
    callbacks = f"127.0.0.1:{gateway.base + 30}"
    rest.report_to(f"http://{callbacks}/from-rest")
    certificates = {name: make_certificate(gateway.place, name) for name in ("listener", "caller")}
    common = {"PROTOCOL": "HTTP", "STATIC": False, "RETRYSCHEME": "1s,1s"}
    # The gateway came up without a connector of this kind: the service starts when there is one.
    assert "egress-http" not in gateway.pids()
    apply(
        gateway,
        connector("emg", 0, **common | {"ADDRESS": f"http://127.0.0.1:{emg.port}/bin/send", "WINDOWSIZE": 5}),
        connector(
            "rest", 0, **common | {
                "ADDRESS": f"http://127.0.0.1:{rest.port}/v1/sms", "INSTANCES": 2, "WINDOWSIZE": WINDOW // 2, "HTTP_TOKEN": TOKEN,
                "HTTP_BODY": '{"to": "${DESTADDR|plus}", "from": "${SOURCEADDR}", "text": "${MESSAGE}", "ref": "${MSGID}"}',
                "HTTP_SUCCESSIF": "json:$.status = ok", "HTTP_ID": "json:$.messages[0].id", "HTTP_ERROR": "json:$.error.code",
                "HTTP_ERRORTEXT": "json:$.error.text", "ERRORMAP": "code:NO_CREDIT=failover code:17=reject code:BUSY=retry",
                "CALLBACK_LISTEN": callbacks, "CALLBACK_PATH": "/from-rest", "CALLBACK_TOKEN": CALLBACK_TOKEN,
                "CALLBACK_LIST": "json:$.results", "CALLBACK_ID": "json:id", "CALLBACK_STATUS": "json:$.state.name",
                "CALLBACK_ERROR": "json:error",
                "MO_LIST": "json:$.messages", "MO_ID": "json:id", "MO_SOURCEADDR": "json:from", "MO_DESTADDR": "json:to",
                "MO_MESSAGE": "json:text", "MO_UDH": "json:udh", "MO_BINARYIF": "json:kind = binary"}),
        connector(
            "secure", 0, **common | {
                "ADDRESS": f"https://localhost:{secure.port}/bin/send", "DEFAULT_SMSCOP": "POST", "SSL_CAFILE": secure.tls[0],
                "CALLBACK_LISTEN": f"127.0.0.1:{gateway.base + 31}", "CALLBACK_SSL_CERTFILE": certificates["listener"][0],
                "CALLBACK_SSL_KEYFILE": certificates["listener"][1], "CALLBACK_SSL_CAFILE": certificates["caller"][0],
                "MO_PATH": "/from-phones", "MO_SOURCEADDR": "param:sender", "MO_DEFAULT_DESTADDR": SHORT_CODE, "MO_MESSAGE": "param:text",
                "MO_CHARSET": "param:charset", "MO_ANSWER": "thanks"}),
        connector(
            "slow", 0, **common | {
                "ADDRESS": f"http://127.0.0.1:{slow.port}/bin/send", "WINDOWSIZE": 5, "RESPONSETIMEOUT": 2, "RETRYSCHEME": "1s,1s,1s,1s,1s"}),
        connector("mistrusted", 0, **common | {"ADDRESS": f"https://localhost:{secure.port}/bin/send", "VP": 3}),
        connector(
            "text", 0, **common | {
                "ADDRESS": f"http://127.0.0.1:{text.port}/send?v=2", "XAUTHUSERNAME": "Aladdin", "XAUTHPASSWORD": "open sesame",
                "LONGMESSAGE": "UDH8", "HTTP_PARAM": "to=${DESTADDR}\nHTTP_PARAM=text=${MESSAGE}\nHTTP_PARAM=udh=${UDH}",
                "HTTP_SUCCESSIF": "body ~ ^OK", "HTTP_ID": r"regex:id=(\w+)", "HTTP_ERROR": r"regex:^ERR (\d+)",
                "ERRORMAP": "code:9=failover"}))
    gateway.sql("UPDATE route SET disabled = true WHERE out_connector = 'smpp-providerA'")
    for prefix, name in ((EMG, "emg"), (JSON, "rest"), (TEXT, "text"), (SECURE, "secure"), (MISTRUSTED, "mistrusted"), (SLOW, "slow")):
        gateway.run("route", "add", "--prefix", prefix, "--connector", name, "--priority", "0")
    for prefix in (JSON, TEXT):
        gateway.run("route", "add", "--prefix", prefix, "--connector", "emg", "--priority", "1")
    gateway.wait_healthy()
    yield emg, rest, text
    for provider in (emg, rest, text):
        provider.close()


@pytest.fixture(autouse=True)
def as_before(providers):
    yield
    for provider, answer in zip(providers, (emg_answer, json_answer, text_answer)):
        provider.answer = answer


# Providers that take it


def test_emgs_own_interface_needs_no_template(own_gateway, providers):
    emg = providers[0]
    client, words = send(own_gateway, EMG + "0001", 20)
    assert words == ["DELIVRD"] * 20
    requests = emg.seen(EMG + "0001")
    assert {request.method for request in requests} == {"GET"} and {request.path for request in requests} == {"/bin/send"}
    assert Counter(request.query["MESSAGE"] for request in requests) == {one.text: 1 for one in client.answered}
    first = requests[0].query
    assert first["SOURCEADDR"] == "Signalbox" and first["DLR"] == "1" and "UDH" not in first
    status, connector_name, smscid = row(own_gateway, client, "status, outconnector, smscid")
    assert (status, connector_name) == (10, "emg") and smscid.startswith("P")
    # Connections are kept and used again, and never more than the window.
    assert emg.connections <= 5


def test_success_by_json_and_reports_by_callback(own_gateway, providers):
    rest = providers[1]
    client, words = send(own_gateway, JSON + "0001", 40)
    assert words == ["DELIVRD"] * 40
    requests = rest.seen(JSON + "0001")
    assert Counter(request.json["text"] for request in requests) == {one.text: 1 for one in client.answered}
    assert {request.json["ref"] for request in requests} == {one.message_id for one in client.answered}
    request = requests[0]
    assert (request.method, request.path, request.json["to"]) == ("POST", "/v1/sms", f"+{JSON}0001")
    assert request.headers["Authorization"] == f"Bearer {TOKEN}" and request.headers["Content-Type"] == "application/json"
    assert row(own_gateway, client, "status, outconnector") == (11, "rest")
    assert {answer for answer in rest.callback_answers} == {(200, "OK")}


def test_any_text_arrives_as_it_was(own_gateway, providers):
    text = 'Grüße "€" \\ <&> ünd 😀'
    own_gateway.run("send", "--from", "Signalbox", "--to", JSON + "0002", "--text", text, "--wait")
    assert [request.json["text"] for request in providers[1].seen(JSON + "0002")] == [text]


def test_success_by_a_regular_expression_with_basic_authentication(own_gateway, providers):
    client, words = send(own_gateway, TEXT + "0001")
    assert words == ["DELIVRD"]
    (request,) = providers[2].seen(TEXT + "0001")
    assert request.basic == "Aladdin:open sesame"
    assert request.query == {"v": "2", "to": TEXT + "0001", "text": client.answered[0].text}


def test_over_tls_where_the_certificate_is_trusted_and_only_there(own_gateway, providers, secure):
    client, words = send(own_gateway, SECURE + "0001", 3)
    assert words == ["DELIVRD"] * 3
    requests = secure.seen(SECURE + "0001")
    assert {request.method for request in requests} == {"POST"} and len(requests) == 3
    assert requests[0].query["SOURCEADDR"] == "Signalbox"
    # An unknown certificate is no connection: it waits, and its validity ends.
    assert send(own_gateway, MISTRUSTED + "0001")[1] == ["EXPIRED"]
    assert secure.seen(MISTRUSTED + "0001") == []
    own_gateway.wait_healthy()


def test_a_long_message_goes_out_whole_or_in_parts(own_gateway, providers):
    text = "0123456789" * 20

    def send_long(destination):
        client = Client(own_gateway.smpp_port, 1, destination=destination)
        client.to_submit[0].text = text
        client.connect()
        client.submit_all()
        client.receive_all(30)
        client.close()
        return client

    client = send_long(JSON + "0003")
    assert [request.json["text"] for request in providers[1].seen(JSON + "0003")] == [text]
    assert row(own_gateway, client, "status, npdus") == (11, 2)
    client = send_long(TEXT + "0003")
    parts = sorted(providers[2].seen(TEXT + "0003"), key=lambda request: request.query["udh"])
    assert "".join(request.query["text"] for request in parts) == text
    assert [request.query["udh"][:6] + request.query["udh"][8:] for request in parts] == ["0500030201", "0500030202"]
    assert row(own_gateway, client, "status, npdus") == (10, 2)


# Providers that refuse


def cut(provider, request):
    raise Cut


def scripted(*answers):
    """The first requests get these answers, all others that of every day."""
    left = list(answers)
    lock = threading.Lock()

    def answer(provider, request):
        with lock:
            found = left.pop(0) if left else None
        return found or json_answer(provider, request)

    return answer


@pytest.mark.parametrize("status, body, reason", [
    (400, "", 400), (200, '{"status": "error", "error": {"code": 17, "text": "no such number"}}', 17), (202, "what?", 202),
], ids=["by status", "by the provider's code", "an answer that nobody understands"])
def test_a_final_refusal_ends_the_message_and_costs_nothing(own_gateway, providers, status, body, reason):
    balance = own_gateway.balance()
    providers[1].answer = lambda *_: (status, body)
    destination = f"{JSON}1{reason}"
    client, words = send(own_gateway, destination)
    assert words == ["REJECTD"] and len(providers[1].seen(destination)) == 1
    assert row(own_gateway, client, "status, reason, outconnector") == (16, reason, "rest")
    wait_for("the charge is given back", lambda: own_gateway.balance() == balance, 20)


@pytest.mark.parametrize("status, body", [(500, ""), (200, '{"error": {"code": "busy"}}')], ids=["by status", "by the provider's code"])
def test_a_passing_error_is_tried_again(own_gateway, providers, status, body):
    providers[1].answer = scripted((status, body), (status, body))
    destination = f"{JSON}2{status}"
    assert send(own_gateway, destination)[1] == ["DELIVRD"]
    requests = providers[1].seen(destination)
    assert len(requests) == 3 and requests[1].at - requests[0].at >= 1


def test_attempts_end(own_gateway, providers):
    providers[1].answer = lambda *_: (502, "")
    client, words = send(own_gateway, JSON + "3001")
    assert words == ["UNDELIV"] and len(providers[1].seen(JSON + "3001")) == 3
    status, reason, text = row(own_gateway, client, "status, reason, reasontext")
    assert (status, reason) == (12, 502) and "3 attempts: the provider answered 502" in text


def test_an_overloaded_provider_gets_the_same_again_a_little_later(own_gateway, providers):
    providers[1].answer = scripted(*[(429, "slow down")] * 5)
    client, words = send(own_gateway, JSON + "3002", 10)
    assert words == ["DELIVRD"] * 10
    assert len(providers[1].seen(JSON + "3002")) == 15
    assert own_gateway.one("SELECT count(*) FROM routelog WHERE destaddr = %s AND msgtype = 1", (JSON + "3002",)) == 10


@pytest.mark.parametrize("number, status, body", [
    (1, 401, ""), (1, 200, '{"error": {"code": "no_credit"}}'), (2, 200, "ERR 9 go away")],
    ids=["by status", "by a code in JSON", "by a code in text"])
def test_a_refusal_that_concerns_this_provider_goes_to_the_next_route(own_gateway, providers, number, status, body):
    providers[number].answer = lambda *_: (status, body)
    destination = f"{(JSON, TEXT)[number - 1]}4{status}{len(body)}"
    client, words = send(own_gateway, destination)
    assert words == ["DELIVRD"]
    assert len(providers[number].seen(destination)) == 1 and len(providers[0].seen(destination)) == 1
    assert row(own_gateway, client, "outconnector") == ("emg",)


# Providers that are slow, or away


def test_no_answer_in_time_and_a_cut_connection_are_passing_errors_and_others_get_through(own_gateway, providers, slow):
    lock = threading.Lock()
    met = []

    def answer(provider, request):
        with lock:
            met.append(request)
            turn = len(met)
        if turn == 1:
            # Longer than anybody waits for it.
            provider.released.wait(60)
        if turn <= 2:
            raise Cut
        return emg_answer(provider, request)

    slow.answer = answer
    client, words = send(own_gateway, SLOW + "5001", 20)
    slow.released.set()
    assert words == ["DELIVRD"] * 20
    # A busy machine may be late once more: then it is sent once more.
    texts = Counter(request.query["MESSAGE"] for request in slow.seen(SLOW + "5001"))
    assert set(texts) == {one.text for one in client.answered}
    assert all(texts[request.query["MESSAGE"]] >= 2 for request in met[:2])


def test_a_provider_that_is_away_keeps_everything_waiting_in_order_and_no_attempt_is_used(own_gateway, providers):
    emg = providers[0]
    # A connection that is open already would still be served.
    emg.answer = cut
    emg.stop()
    client = Client(own_gateway.smpp_port, 10, destination=EMG + "6001")
    client.connect()
    client.submit_all()
    wait_for("the connector says that it cannot send", lambda: state(own_gateway, "emg")["state"] == "connecting", 30)
    assert state(own_gateway, "emg")["detail"]
    assert own_gateway.status_code() == 1
    before = len(emg.seen(EMG + "6001"))
    emg.answer = emg_answer
    emg.start()
    client.receive_all(90)
    client.close()
    assert [word for _, word in client.receipts] == ["DELIVRD"] * 10
    taken = emg.seen(EMG + "6001")[before:]
    assert Counter(request.query["MESSAGE"] for request in taken) == {one.text: 1 for one in client.answered}
    own_gateway.wait_healthy()
    assert state(own_gateway, "emg")["state"] == "bound"


def test_held_nothing_leaves_and_unheld_everything(own_gateway, providers):
    hold(own_gateway, "emg")
    client = Client(own_gateway.smpp_port, 3, destination=EMG + "7001")
    client.connect()
    client.submit_all()
    wait_for("they wait", lambda: state(own_gateway, "emg")["queued"] == 3, 20)
    assert providers[0].seen(EMG + "7001") == []
    own_gateway.run("connector", "unhold", "emg")
    client.receive_all(30)
    client.close()
    assert len(providers[0].seen(EMG + "7001")) == 3


def test_what_waits_for_it_is_cancelled_and_replaced_by_its_sender(own_gateway, providers):
    gateway = own_gateway
    account = new_account(gateway)
    hold(gateway, "emg")
    session = bind(gateway.smpp_port, account)
    api = API(gateway.http_port, account)
    destination = EMG + "7101"

    def submit(sequence, text):
        status, body = ask(session, SUBMIT_SM, sequence, submit_body(text=text, destination=destination))
        assert status == OK
        return text_of(body)

    gone, stays, other = submit(5, b"it must not go"), submit(6, b"the old words"), submit(7, b"as it is")
    by_http = api.send({"to": destination, "from": "Shop", "text": "nor may this"}).json["id"]
    wait_for("they wait", lambda: state(gateway, "emg")["queued"] == 4, 30)
    # A busy machine may not decide in time; then the sender asks again.
    cancellation = c_string("") + c_string(gone) + address("") + address("")
    wait_for("the cancellation stands", lambda: ask(session, CANCEL_SM, 8, cancellation)[0] == OK, 60)
    (report,) = receive_deliveries(session, 1)
    assert (report.receipt_id, report.stat) == (gone, "DELETED")
    new = b"the new words"
    replacement = c_string(stays) + address("") + c_string("") + c_string("") + bytes([1, 0, len(new)]) + new
    wait_for("the replacement stands", lambda: ask(session, REPLACE_SM, 9, replacement)[0] == OK, 60)
    wait_for("it is cancelled by HTTP", lambda: api.ask("DELETE", f"/v1/messages/{by_http}").status == 200, 60)
    gateway.run("connector", "unhold", "emg")
    reports = receive_deliveries(session, 2, timeout=60)
    session.socket.close()
    assert {(one.receipt_id, one.stat) for one in reports} == {(stays, "DELIVRD"), (other, "DELIVRD")}
    assert Counter(request.query["MESSAGE"] for request in providers[0].seen(destination)) == {"the new words": 1, "as it is": 1}
    # The log is written a moment after the report, and by its own service.
    deleted = "SELECT count(*) FROM routelog WHERE msgid = ANY(%s) AND status = 14"
    wait_for("both are deleted in the log", lambda: gateway.one(deleted, ([int(gone), int(by_http)],)) == 2, 30)


# Reports


def test_calls_are_answered_by_what_is_wrong_with_them(own_gateway, providers):
    url = providers[1].callback_url
    good = {"results": [{"id": "nobody's", "state": {"name": "DELIVERED"}}]}
    assert call(url, good) == (200, "OK")
    assert call(url, good, token="wrong")[0] == 401 and call(url, good, token=None)[0] == 401
    assert call(url + "/else", good)[0] == 404
    assert call(url, good, method="DELETE")[0] == 405
    status, text = call(url, {"results": [{"id": "x", "state": {"name": "hm"}}]})
    assert status == 400 and "hm" in text and "CALLBACK_STATUSMAP" in text
    assert call(url, {"results": []})[0] == 400 and call(url, {"results": [{"state": {"name": "DELIVERED"}}]})[0] == 400


def test_a_report_of_failure_reaches_the_client_with_its_error(own_gateway, providers):
    def answer(provider, request):
        identity = provider.next_id()
        # The report comes before the answer.
        item = {"id": identity, "state": {"name": "undelivered"}, "error": "7"}
        assert call(provider.callback_url, {"results": [item]}) == (200, "OK")
        return 200, '{"status": "ok", "messages": [{"id": "%s"}]}' % identity

    providers[1].answer = answer
    client, words = send(own_gateway, JSON + "8001")
    assert words == ["UNDELIV"]
    assert row(own_gateway, client, "status, outconnector") == (15, "rest")


# Messages from phones


@pytest.fixture(scope="module")
def phones(own_gateway, providers):
    """A session of the account that messages to the short code belong to."""
    account = new_account(own_gateway)
    own_gateway.run("route", "add", "--traffic", "mo", "--prefix", SHORT_CODE, "--connector", "smpp-in1", "--to-account", account)
    own_gateway.changed()
    own_gateway.wait_applied()
    session = bind(own_gateway.smpp_port, account)
    yield session
    session.socket.close()


def in_log(gateway, source):
    return gateway.one("SELECT count(*) FROM routelog WHERE sourceaddr = %s", (source,))


def test_a_phones_message_comes_by_a_call_and_goes_to_the_clients_session_once(own_gateway, providers, phones):
    gateway = own_gateway
    url = providers[1].callback_url.replace("/from-rest", "/messages/rest")
    source = "46709990001"

    def message(identity, text, **more):
        return {"id": identity, "from": "+" + source, "to": SHORT_CODE, "text": text} | more

    two = {"messages": [message("M1", "Grüße "), message("M2", "00FF10", kind="binary", udh="0605040B8423F0")]}
    assert call(url, two, token="wrong")[0] == 401
    assert call(url, {"messages": [message("M1", "x", to="")]})[0] == 400
    assert call(url, two) == (200, "OK")
    first, second = sorted(receive_deliveries(phones, 2), key=lambda one: one.data_coding)
    assert (first.source, first.destination, first.data_coding) == (source.encode(), SHORT_CODE.encode(), 0)
    # ü and ß as SMS have them.
    assert first.text == "Gr\x7e\x1ee "
    assert (second.data_coding, second.text.encode("latin-1")) == (4, bytes.fromhex("0605040B8423F000FF10"))
    # Its answer may have been lost, also with the process that took it.
    assert call(url, two) == (200, "OK")
    gateway.wait_restarted("egress-http", gateway.kill("egress-http"))
    gateway.wait_healthy()
    three = {"messages": two["messages"] + [message("M3", "the third")] * 2}
    wait_for("it is taken again", lambda: call(url, three) == (200, "OK"), 30)
    (third,) = receive_deliveries(phones, 1)
    assert third.text == "the third"
    wait_for("all are in the log", lambda: in_log(gateway, source) >= 3, 20)
    assert gateway.sql("SELECT DISTINCT inconnector FROM routelog WHERE sourceaddr = %s", (source,)) == [("rest",)]
    wait_for("each has ended", lambda: gateway.one("SELECT count(*) FROM routelog WHERE sourceaddr = %s AND status >= 10", (source,)) == 3, 20)
    assert in_log(gateway, source) == 3


def test_calls_come_over_tls_from_those_who_show_their_certificate(own_gateway, providers, phones):
    place = own_gateway.place
    url = f"https://localhost:{own_gateway.base + 31}/from-phones"
    text = ["--data-urlencode", "sender=46709990002", "--data", "text=Gr%FC%DFe&charset=ISO-8859-1"]
    own = ["--cert", place / "caller.pem", "--key", place / "caller.key"]

    def curl(*arguments, authority="listener"):
        done = subprocess.run(
            ["curl", "-s", "-m", "30", "--resolve", f"localhost:{own_gateway.base + 31}:127.0.0.1", "--cacert", place / f"{authority}.pem",
             "-w", " %{http_code}", *arguments, url], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout

    assert curl(*own, *text) == (0, "thanks 200")
    (delivery,) = receive_deliveries(phones, 1)
    assert (delivery.source, delivery.text) == (b"46709990002", "Gr\x7e\x1ee")
    assert curl(*text)[0] != 0, "without a certificate"
    assert curl(*own, *text, authority="caller")[0] == 60, "somebody else's listener"
    # A new certificate counts without a restart.
    make_certificate(place, "listener")
    wait_for("it is shown", lambda: curl(*own)[0] == 0, 20)
    assert curl(*own)[1].endswith(" 400"), "a call that says nothing"


# Ends of the process


def under_load(gateway, provider, destination, count, deed):
    """Sends `count` messages and does `deed` in the middle. Returns the client when each has its report."""
    client = Client(gateway.smpp_port, count, destination=destination)
    client.connect()
    client.run_until(lambda: len(provider.seen(destination)) >= count // 5, 120)
    old = gateway.pids()["egress-http"]
    deed(old)
    client.submit_all()
    gateway.wait_restarted("egress-http", old)
    client.receive_all(180)
    client.linger(1)
    client.close()
    assert Counter(identity for identity, _ in client.receipts) == {one.message_id: 1 for one in client.answered}
    assert {word for _, word in client.receipts} == {"DELIVRD"}
    gateway.wait_healthy()
    return client


def test_killed_it_repeats_no_more_than_the_unanswered_window(own_gateway, providers):
    rest = providers[1]
    client = under_load(own_gateway, rest, JSON + "9001", 600, lambda pid: os.kill(pid, signal.SIGKILL))
    texts = Counter(request.json["text"] for request in rest.seen(JSON + "9001"))
    assert set(texts) == {one.text for one in client.answered}
    twice = [times for times in texts.values() if times > 1]
    assert len(twice) <= WINDOW and all(times == 2 for times in twice)
    ends = own_gateway.sql(
        "SELECT status, count(*) FROM routelog WHERE destaddr = %s AND msgtype = 1 GROUP BY status", (JSON + "9001",))
    assert ends == [(11, 600)]


def test_told_to_stop_it_waits_for_its_answers_and_repeats_nothing(own_gateway, providers):
    rest = providers[1]
    client = under_load(own_gateway, rest, JSON + "9002", 300, lambda pid: os.kill(pid, signal.SIGTERM))
    texts = Counter(request.json["text"] for request in rest.seen(JSON + "9002"))
    assert texts == {one.text: 1 for one in client.answered}


def test_http_in_and_http_out_with_reports_both_ways_outlive_a_restarted_provider_and_a_killed_service(own_gateway, providers):
    gateway, rest = own_gateway, providers[1]
    destination, ids, cuts = JSON + "9301", {}, []
    endpoint = Endpoint()
    _, port = add_connector(gateway, PROTOCOL="HTTP", INTERFACES="API", WEBHOOKALLOW="127.0.0.0/8", WEBHOOKRETRY="1,2")
    api = API(port, new_account(gateway, balance="1000"))
    gateway.changed()
    gateway.wait_applied()

    def submit(numbers):
        texts = [f"message {number}" for number in numbers]
        answer = api.send(
            {"messages": [{"to": destination, "from": "Shop", "text": text, "callback_url": endpoint.url("/reports")} for text in texts]})
        assert answer.status < 300, answer.text
        ids.update(zip((one["id"] for one in answer.json["messages"]), texts))

    def cut_and_note(provider, request):
        cuts.append(request)
        raise Cut

    submit(range(200))
    wait_for("the provider takes them", lambda: len(rest.seen(destination)) >= 50, 60)
    rest.answer = cut_and_note
    rest.stop()
    submit(range(200, 400))
    wait_for("it is away", lambda: state(gateway, "rest")["state"] == "connecting", 60)
    rest.answer = json_answer
    before = len(rest.seen(destination))
    rest.start()
    wait_for("it takes them again", lambda: len(rest.seen(destination)) >= before + 50, 90)
    old = gateway.kill("egress-http")
    submit(range(400, 600))
    gateway.wait_restarted("egress-http", old)
    wait_for("every sender is told", lambda: {one.json["message_id"] for one in endpoint.got("/reports")} == set(ids), 180, 0.2)
    told = [(one.json["message_id"], one.json["status"]) for one in endpoint.got("/reports")]
    assert Counter(told) == {(identity, "delivered"): 1 for identity in ids}
    texts = Counter(request.json["text"] for request in rest.seen(destination))
    assert set(texts) == set(ids.values())
    # Again comes only what it left without an answer, and what was unanswered at the kill.
    assert sum(texts.values()) - len(ids) <= len(cuts) + WINDOW
    endpoint.close()
    # The log comes after the reports.
    wait_for(
        "the log has all ends",
        lambda: gateway.sql("SELECT status, count(*) FROM routelog WHERE destaddr = %s AND msgtype = 1 GROUP BY status", (destination,)) == [(11, 600)],
        60, 0.2)
    gateway.wait_healthy()


def test_at_the_end_every_amount_agrees(own_gateway, providers):
    done = own_gateway.run("report", "reconcile", "--settle", "30", check=False, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_configuration_with_a_mistake_is_refused_with_its_line(own_gateway):
    path = own_gateway.place / "wrong.cfg"
    path.write_text(
        "CONNECTOR x <\nTYPE=OUTGOING\nPROTOCOL=HTTP\nADDRESS=http://127.0.0.1:1/\nHTTP_PARAM=to=${DESTADDR}\nHTTP_PARAM=a=${NUMBER}\n"
        "HTTP_ID=json:$.a[\nCALLBACK_STATUS=param:s\n>\n")
    done = subprocess.run([executable(), "config", "check", path], capture_output=True, text=True, timeout=60)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "line 6: error" in text and "${NUMBER}" in text and "line 7: error" in text and "line 8: error" in text
