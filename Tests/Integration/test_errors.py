"""Wrong clients get their SMPP error, the connection closes where it must, and nobody else notices."""

import struct

import pytest

from smpp_raw import (
    BIND_TRANSCEIVER, ENQUIRE_LINK, GENERIC_NACK, OK, RBINDFAIL, RESPONSE, RINVBNDSTS, RINVCMDID, RINVCMDLEN, RINVPASWD, RINVSYSID,
    SUBMIT_SM, UNBIND, RawSession, bind_body, pdu, submit_body)


@pytest.fixture
def neighbour(gateway):
    """Another client's session, which must not notice what happens beside it."""
    with RawSession(gateway.smpp_port) as session:
        assert session.bind()[:2] == (BIND_TRANSCEIVER | RESPONSE, OK)
        pids = gateway.pids()
        yield session
        assert session.is_alive()
        # Nothing crashed.
        assert gateway.pids() == pids


@pytest.fixture
def session(gateway, neighbour):
    with RawSession(gateway.smpp_port) as opened:
        yield opened


@pytest.fixture
def bound(session):
    assert session.bind()[:2] == (BIND_TRANSCEIVER | RESPONSE, OK)
    return session


def test_a_wrong_password_is_refused(session):
    assert session.bind("demo", "wrong")[:3] == (BIND_TRANSCEIVER | RESPONSE, RINVPASWD, 1)
    assert session.is_closed()


def test_an_unknown_user_is_refused(session):
    assert session.bind("nobody", "secret")[:3] == (BIND_TRANSCEIVER | RESPONSE, RINVSYSID, 1)
    assert session.is_closed()


@pytest.mark.parametrize("network", [None, "192.0.2.0/24"], ids=["no access row", "another address"])
def test_an_account_without_access_from_here_is_refused(gateway, session, network):
    name = "noaccess" if network is None else "elsewhere"
    gateway.run("account", "add", name, "--password", "secret", "--prepaid", "--balance", "10", check=False)
    if network:
        gateway.run("access", "add", name, "--network", network, "--connector", "*")
    command, status, _, _ = session.bind(name, "secret")
    assert command == BIND_TRANSCEIVER | RESPONSE
    assert status == RBINDFAIL
    assert session.is_closed()


def test_the_right_password_gives_the_system_id(session):
    command, status, sequence, body = session.bind()
    assert (command, status, sequence) == (BIND_TRANSCEIVER | RESPONSE, OK, 1)
    assert b"\0" in body


def test_a_submit_without_a_bind_is_refused(session):
    assert session.ask(SUBMIT_SM, 5, submit_body())[:3] == (SUBMIT_SM | RESPONSE, RINVBNDSTS, 5)


def test_a_second_bind_is_refused_and_the_session_lives(bound):
    command, status, sequence, _ = bound.ask(BIND_TRANSCEIVER, 6, bind_body("demo", "secret"))
    # ESME_RALYBND, or the general wrong state.
    assert (command, sequence) == (BIND_TRANSCEIVER | RESPONSE, 6) and status in (0x05, RINVBNDSTS)
    assert bound.is_alive()


def test_an_unknown_command_is_answered_with_a_generic_nack_and_the_session_lives(bound):
    assert bound.ask(0x00000777, 8, b"whatever")[:3] == (GENERIC_NACK, RINVCMDID, 8)
    assert bound.is_alive()


@pytest.mark.parametrize("length", [0, 4, 15, 1_000_000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_impossible_length_is_answered_with_a_generic_nack_and_a_close(bound, length):
    command, status, *_ = bound.ask(SUBMIT_SM, 9, submit_body(), length=length)
    assert (command, status) == (GENERIC_NACK, RINVCMDLEN)
    assert bound.is_closed()


@pytest.mark.parametrize("octets", [0, 1, 10, 30])
def test_a_body_that_ends_too_early_is_refused_and_the_session_lives(bound, octets):
    command, status, sequence, _ = bound.ask(SUBMIT_SM, 10, submit_body()[:octets])
    assert command in (SUBMIT_SM | RESPONSE, GENERIC_NACK) and status != OK and sequence == 10
    assert bound.is_alive()


def test_a_text_that_is_shorter_than_it_says_is_refused_and_the_session_lives(bound):
    command, status, sequence, _ = bound.ask(SUBMIT_SM, 11, submit_body(b"hello", declared_length=200))
    assert command == SUBMIT_SM | RESPONSE and status != OK and sequence == 11
    assert bound.is_alive()


def test_a_pdu_that_stops_half_way_with_its_connection_does_no_harm(gateway, neighbour):
    for cut in (1, 15, 16, 20, 40):
        with RawSession(gateway.smpp_port) as session:
            assert session.bind()[1] == OK
            session.send(pdu(SUBMIT_SM, 12, submit_body())[:cut])
    assert neighbour.is_alive()


def test_octets_that_are_no_smpp_at_all_close_the_connection(session):
    session.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert session.is_closed()


def test_a_pdu_in_single_octets_is_a_pdu(bound):
    for octet in pdu(ENQUIRE_LINK, 13):
        bound.send(struct.pack("B", octet))
    assert bound.receive()[:3] == (ENQUIRE_LINK | RESPONSE, OK, 13)


def test_an_unbind_is_answered_and_the_connection_closed(bound):
    assert bound.ask(UNBIND, 14)[:3] == (UNBIND | RESPONSE, OK, 14)
    assert bound.is_closed()
