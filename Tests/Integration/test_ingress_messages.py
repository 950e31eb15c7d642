"""What a client can say beside submit_sm, and how its reports look."""

import datetime
import re
import struct

from gateway import wait_for
from ingress import (
    CANCEL_SM, DATA_SM, QUERY_SM, RCANCELFAIL, RCNTSUBDL, REPLACE_SM, RINVMSGID, RREPLACEFAIL, SUBMIT_MULTI, SUBMIT_SM, add_connector,
    address, ask, bind, multi_body, new_account, receive_deliveries, submit_body, text_of)
from smpp_raw import OK, c_string

RINVDSTADR, RQUERYFAIL = 0x0B, 0x67
DELIVERED, ENROUTE, DELETED = 2, 1, 4


def query_body(identity, source=""):
    return c_string(identity) + address(source, 5, 0)


def cancel_body(identity, source="", destination=""):
    return c_string("") + c_string(identity) + address(source, 5, 0) + address(destination)


def replace_body(identity, text, source="", schedule="", validity="", registered=1):
    return (
        c_string(identity) + address(source, 5, 0) + c_string(schedule) + c_string(validity) + bytes([registered, 0, len(text)]) + text)


def in_seconds(seconds):
    """SMPP's absolute time, in UTC."""
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%y%m%d%H%M%S") + "000+"


def submit(session, sequence, **more):
    status, body = ask(session, SUBMIT_SM, sequence, submit_body(**more))
    assert status == OK
    return text_of(body)


def texts(gateway):
    return [event.text for event in gateway.journal() if event.event == "SUBMIT"]


# submit_multi and data_sm


def test_submit_multi_sends_to_each_and_names_those_that_it_could_not_send_to(gateway):
    session = bind(gateway.smpp_port, new_account(gateway))
    status, body = ask(session, SUBMIT_MULTI, 5, multi_body(["46701000001", "", "46701000002", "46701000003"], b"to many of you"))
    assert status == OK
    identity = text_of(body)
    rest = body[len(identity) + 1:]
    assert rest == b"\1" + address("") + struct.pack(">I", RINVDSTADR)
    # One id for all, and a report for each destination that bears it.
    reports = receive_deliveries(session, 3)
    assert {report.receipt_id for report in reports} == {identity}
    assert {report.source.decode() for report in reports} == {"46701000001", "46701000002", "46701000003"}
    assert texts(gateway).count("to many of you") == 3
    logged = "SELECT count(*) FROM routelog WHERE msgid >= %s AND msgtype = 1 AND destaddr LIKE '4670100000_'"
    wait_for("each message has its row", lambda: gateway.one(logged, (int(identity),)) == 3)
    session.socket.close()


def test_a_distribution_list_is_refused_and_nothing_is_sent(gateway):
    session = bind(gateway.smpp_port, new_account(gateway))
    assert ask(session, SUBMIT_MULTI, 5, multi_body(["46701000009", ("list", "friends")], b"to a list"))[0] == RCNTSUBDL
    assert ask(session, SUBMIT_MULTI, 6, multi_body([], b"to nobody"))[0] == 0x33
    submit(session, 7, text=b"after the list")
    receive_deliveries(session, 1)
    assert "to a list" not in texts(gateway)
    session.socket.close()


def test_a_hundred_destinations_are_a_hundred_messages(gateway):
    session = bind(gateway.smpp_port, new_account(gateway))
    numbers = [f"4670200{number:04}" for number in range(100)]
    status, body = ask(session, SUBMIT_MULTI, 5, multi_body(numbers, b"a hundred"))
    assert status == OK and body.endswith(b"\0\0")
    assert sorted(report.source.decode() for report in receive_deliveries(session, 100, timeout=60)) == numbers
    session.socket.close()


def test_data_sm_carries_its_text_in_message_payload(gateway):
    session = bind(gateway.smpp_port, new_account(gateway))
    body = (
        c_string("") + address("Signalbox", 5, 0) + address("46701000010") + bytes([0, 1, 0])
        + struct.pack(">HH", 0x0424, 9) + b"from data" + struct.pack(">HHI", 0x0017, 4, 600))
    status, answer = ask(session, DATA_SM, 5, body)
    assert status == OK
    identity = text_of(answer)
    (report,) = receive_deliveries(session, 1)
    assert report.receipt_id == identity and "from data" in texts(gateway)
    expires = wait_for(
        "its options are logged",
        lambda: gateway.sql("SELECT optionvalue::bigint FROM messageoption WHERE msgid = %s AND optionname = 'VP'", (int(identity),)))
    accepted = gateway.one("SELECT startsecs FROM routelog WHERE msgid = %s", (int(identity),))
    assert 595 <= expires[0][0] / 1000 - accepted <= 605
    session.socket.close()


def test_a_connector_logs_its_pdus_without_texts_and_limits_their_length(gateway):
    """LOGLEVEL, PDULOG and MESSAGELENGTH of a connector."""
    account, log = new_account(gateway), gateway.data / "log" / "ingress-smpp.log"
    _, port = add_connector(gateway, PDULOG=1, LOGLEVEL="INFO", MESSAGELENGTH=20)
    session = bind(port, account)
    assert ask(session, SUBMIT_SM, 7_001, submit_body(text=b"secret 4711", destination="46701000044"))[0] == OK
    assert ask(session, SUBMIT_SM, 7_002, submit_body(text=b"x" * 21))[0] == 0x01
    payload = submit_body(text=b"") + struct.pack(">HH", 0x0424, 21) + b"y" * 21
    assert ask(session, SUBMIT_SM, 7_003, payload)[0] == 0x01
    lines = wait_for(
        "all are logged", lambda: (lambda found: found if len(found) >= 6 else None)(
            [line for line in log.read_text().splitlines() if " PDU " in line and "sequence 700" in line]), 20)
    assert any("received" in line and "submit_sm, sequence 7001" in line and "to 1.1:4670100****" in line for line in lines)
    assert any("sent" in line and "submit_sm_resp, sequence 7002, ESME_RINVMSGLEN" in line for line in lines)
    assert not any(secret in line for line in lines for secret in ("4711", "46701000044", "xxx", "yyy"))
    assert not any("secret" in line for line in log.read_text().splitlines() if " PDU " in line), "the password, or a text"
    session.socket.close()
    # Without the keyword nothing of the kind is written.
    session = bind(gateway.smpp_port, account)
    assert ask(session, SUBMIT_SM, 7_004, submit_body(text=b"x" * 21))[0] == OK
    receive_deliveries(session, 1)
    assert "sequence 7004" not in log.read_text()
    session.socket.close()


# query_sm, cancel_sm, replace_sm


def test_a_message_is_asked_about_by_its_sender_only(gateway):
    session, stranger = bind(gateway.smpp_port, new_account(gateway)), bind(gateway.smpp_port, new_account(gateway))
    identity = submit(session, 5)
    # At once: the log may not have it yet.
    status, body = ask(session, QUERY_SM, 6, query_body(identity))
    assert status == OK and text_of(body) == identity and body[-2] in (ENROUTE, DELIVERED)
    receive_or_passed = wait_for(
        "it is delivered", lambda: (lambda answer: answer[1] if answer[1][-2] == DELIVERED else None)(
            ask(session, QUERY_SM, 7, query_body(identity, "Signalbox"))), 30)
    final = receive_or_passed[len(identity) + 1:].split(b"\0")[0].decode()
    assert re.fullmatch(r"\d{13}00\+", final), final
    assert ask(session, QUERY_SM, 8, query_body(identity, "Somebody"))[0] == RQUERYFAIL
    assert ask(stranger, QUERY_SM, 9, query_body(identity))[0] == RINVMSGID
    assert ask(session, QUERY_SM, 10, query_body("12345"))[0] == RINVMSGID
    assert ask(session, QUERY_SM, 11, query_body("no id at all"))[0] == RINVMSGID
    session.socket.close()
    stranger.socket.close()


def test_a_scheduled_message_is_cancelled_and_never_sent(gateway):
    session, stranger = bind(gateway.smpp_port, new_account(gateway)), bind(gateway.smpp_port, new_account(gateway))
    goes = submit(session, 5, text=b"it goes", schedule=in_seconds(8))
    stays = submit(session, 6, text=b"it must not go", schedule=in_seconds(8), destination="46701000020")
    assert ask(stranger, CANCEL_SM, 7, cancel_body(stays))[0] == RINVMSGID
    assert ask(session, CANCEL_SM, 8, cancel_body(stays, "Signalbox", "46701999999"))[0] == RCANCELFAIL
    assert ask(session, CANCEL_SM, 9, cancel_body(stays, "Signalbox", "46701000020"))[0] == OK
    # The end comes at once, not when its time would have come.
    (report,) = receive_deliveries(session, 1, timeout=6)
    assert (report.receipt_id, report.stat) == (stays, "DELETED")
    status, body = ask(session, QUERY_SM, 10, query_body(stays))
    assert status == OK and body[-2] == DELETED
    assert ask(session, CANCEL_SM, 11, cancel_body(stays))[0] == OK, "once more changes nothing"
    (report,) = receive_deliveries(session, 1, timeout=40)
    assert (report.receipt_id, report.stat) == (goes, "DELIVRD")
    assert "it goes" in texts(gateway) and "it must not go" not in texts(gateway)
    # What is done cannot be undone.
    assert ask(session, CANCEL_SM, 12, cancel_body(goes))[0] == RCANCELFAIL
    assert ask(session, CANCEL_SM, 13, cancel_body("", "Signalbox", "46701000020"))[0] == RCANCELFAIL
    assert gateway.one("SELECT status FROM routelog WHERE msgid = %s", (int(stays),)) == 14
    assert gateway.one("SELECT count(*) FROM ledger WHERE msgid = %s", (int(stays),)) == 0
    session.socket.close()
    stranger.socket.close()


def test_a_scheduled_message_is_replaced(gateway):
    session, stranger = bind(gateway.smpp_port, new_account(gateway)), bind(gateway.smpp_port, new_account(gateway))
    identity = submit(session, 5, text=b"the old words", schedule=in_seconds(7))
    assert ask(stranger, REPLACE_SM, 6, replace_body(identity, b"mine"))[0] == RINVMSGID
    assert ask(session, REPLACE_SM, 7, replace_body(identity, b"soon", schedule=in_seconds(1)))[0] == 0x61
    assert ask(session, REPLACE_SM, 8, replace_body(identity, b"the first correction"))[0] == OK
    assert ask(session, REPLACE_SM, 9, replace_body(identity, b"the second correction", schedule=in_seconds(9)))[0] == OK
    (report,) = receive_deliveries(session, 1, timeout=40)
    assert (report.receipt_id, report.stat) == (identity, "DELIVRD")
    sent = texts(gateway)
    assert sent.count("the second correction") == 1 and "the old words" not in sent and "the first correction" not in sent
    assert gateway.one("SELECT body FROM messagebody WHERE msgid = %s", (int(identity),)) == "the second correction"
    assert ask(session, REPLACE_SM, 10, replace_body(identity, b"too late"))[0] == RREPLACEFAIL
    session.socket.close()
    stranger.socket.close()


# Reports


def test_ids_in_hex_where_the_connector_says_so(gateway):
    _, port = add_connector(gateway, MSGIDFORMAT="HEX")
    session = bind(port, new_account(gateway))
    identity = submit(session, 5)
    assert gateway.sql("SELECT 1 FROM routelog WHERE msgid = %s", (int(identity, 16),)) or wait_for(
        "it is logged", lambda: gateway.sql("SELECT 1 FROM routelog WHERE msgid = %s", (int(identity, 16),)))
    (report,) = receive_deliveries(session, 1)
    assert report.receipt_id == identity and report.tlvs[0x001E] == identity.encode() + b"\0" and report.tlvs[0x0427] == b"\2"
    assert ask(session, QUERY_SM, 6, query_body(identity))[0] == OK
    session.socket.close()


def test_a_client_of_smpp_3_3_gets_its_report_as_text_alone(gateway):
    session = bind(gateway.smpp_port, new_account(gateway), version=0x33)
    identity = submit(session, 5)
    (report,) = receive_deliveries(session, 1)
    assert report.receipt_id == identity and report.stat == "DELIVRD" and report.tlvs == {}
    session.socket.close()


def test_revdlr_leaves_the_addresses_as_they_were_in_the_message(gateway):
    account = new_account(gateway)
    _, port = add_connector(gateway, REVDLR="1")
    for place, source in ((gateway.smpp_port, b"46701234567"), (port, b"Signalbox")):
        session = bind(place, account)
        submit(session, 5)
        (report,) = receive_deliveries(session, 1)
        assert report.source == source
        session.socket.close()


def test_a_client_is_sent_no_more_reports_at_a_time_than_windowsize(gateway):
    account = new_account(gateway)
    _, port = add_connector(gateway, WINDOWSIZE=3)
    session = bind(port, account)
    for sequence in range(5, 15):
        submit(session, sequence)
    # None is answered: three come, and no fourth.
    first = receive_deliveries(session, 3, answer=False)
    assert len({report.receipt_id for report in first}) == 3
    session.socket.settimeout(2)
    try:
        session.receive()
        raise AssertionError("a fourth report came")
    except TimeoutError:
        pass
    session.socket.close()
    # They come again to the next session, all of them.
    session = bind(port, account)
    assert len({report.receipt_id for report in receive_deliveries(session, 10, timeout=60)}) == 10
    session.socket.close()


def test_reports_that_nobody_fetched_expire_with_a_word_in_the_log(gateway):
    account = new_account(gateway)
    _, port = add_connector(gateway, PARKTIME=1)
    session = bind(port, account, command=2)  # a transmitter takes no reports
    identity = int(submit(session, 5))
    session.socket.close()
    wait_for(
        "the report is parked", lambda: gateway.sql("SELECT 1 FROM parked_delivery WHERE username = %s", (account,)), 30)
    row = wait_for(
        "it has expired",
        lambda: gateway.sql("SELECT status, reasontext FROM routelog WHERE origid = %s AND status = 13", (identity,)), 90)
    assert "did not fetch it in time" in row[0][1]
    assert gateway.one("SELECT count(*) FROM parked_delivery WHERE username = %s", (account,)) == 0
