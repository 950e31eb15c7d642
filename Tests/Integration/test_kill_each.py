"""Each process in turn is killed with SIGKILL in the middle of a run: nothing is lost, nothing is counted twice."""

from collections import Counter

import pytest

from client import SUBMIT_WINDOW, Client
from gateway import JournalWatch, wait_for

COUNT = 1_000
#: WINDOWSIZE of the demo's provider: so many messages may be sent again after the egress died.
PROVIDER_WINDOW = 50

VICTIMS = ["router", "billing", "dlr-matcher", "routelog", "egress-smpp", "ingress-smpp", "broker", "postgresql", "delay"]


@pytest.mark.parametrize("victim", VICTIMS)
def test_nothing_is_lost_or_doubled_when_a_process_is_killed(own_gateway, victim):
    gateway = own_gateway
    gateway.wait_healthy()
    balance = gateway.balance()
    before = gateway.one("SELECT coalesce(max(msgid), 0) FROM routelog")
    events_before = len(gateway.journal())

    client = Client(gateway.smpp_port, COUNT, first=VICTIMS.index(victim) * COUNT)
    client.connect()
    # In the middle of its work: some messages are through, others are not in yet.
    provider = JournalWatch(gateway)
    client.run_until(lambda: len(client.answered) >= COUNT // 4 and provider.submits() >= COUNT // 10, 120)
    killed = gateway.kill(victim)
    client.submit_all()
    gateway.wait_restarted(victim, killed)
    client.receive_all(180)
    client.linger(2)
    client.close()

    # The client's view: an answer for each message, a final report for each answer.
    ids = {submission.message_id for submission in client.answered}
    assert len(client.answered) == COUNT == len(ids)
    assert len({submission.number for submission in client.answered}) == COUNT
    reports = Counter(identity for identity, _ in client.receipts)
    assert ids <= set(reports)
    assert {stat for _, stat in client.receipts} == {"DELIVRD"}
    repeated = {identity for identity, times in reports.items() if times > 1}
    if victim == "ingress-smpp":
        # It may have died between our answer to a report and the moment at which it noted it.
        assert len(repeated) <= SUBMIT_WINDOW
    else:
        assert repeated == set()
        assert client.reconnects == 0
    # What was accepted although we never saw its answer is reported too, and nothing else is.
    assert len(set(reports) - ids) <= len(client.unknown)

    # The gateway's view: each message that was accepted is finished, and paid for once.
    def unfinished():
        return gateway.one(
            "SELECT count(*) FROM routelog WHERE msgid > %s AND msgtype = 1 AND (endsecs IS NULL OR lastdlrsecs IS NULL)", (before,))

    def logged():
        return {str(row[0]) for row in gateway.sql("SELECT msgid FROM routelog WHERE msgid > %s AND msgtype = 1", (before,))}

    wait_for("each acknowledged message has its row", lambda: ids <= logged())
    wait_for("each row is finished", lambda: unfinished() == 0)
    assert set(reports) <= logged()
    assert len(logged()) <= COUNT + len(client.unknown)
    charged = gateway.one("SELECT coalesce(sum(charge), 0) FROM routelog WHERE msgid > %s AND msgtype = 1", (before,))
    assert balance - gateway.balance() == charged
    assert gateway.one("SELECT -coalesce(sum(amount), 0) FROM ledger WHERE msgid > %s", (before,)) == charged
    assert gateway.one(
        "SELECT count(*) FROM (SELECT origid FROM routelog WHERE msgid > %s AND msgtype = 5 GROUP BY origid HAVING count(*) > 1) AS twice",
        (before,)) == 0

    # The provider's view: twice only what the killed egress had no answer to.
    submits = Counter(event.text for event in gateway.journal()[events_before:] if event.event == "SUBMIT")
    twice = {text: times for text, times in submits.items() if times > 1}
    assert {submission.text for submission in client.answered} <= set(submits)
    if victim == "egress-smpp":
        assert len(twice) <= PROVIDER_WINDOW and all(times == 2 for times in twice.values())
    else:
        assert twice == {}
    gateway.wait_healthy()
