"""A message goes in over SMPP, out over SMPP, and its report comes back; a thousand times, to the last cent."""

from gateway import wait_for
from client import Client

COUNT = 1_000


def test_a_thousand_messages_and_their_reports(gateway):
    balance = gateway.balance()
    before = gateway.one("SELECT coalesce(max(msgid), 0) FROM routelog")

    client = Client(gateway.smpp_port, COUNT)
    client.connect()
    client.submit_all()
    ids = [submission.message_id for submission in client.answered]
    assert len(ids) == COUNT and len(set(ids)) == COUNT
    assert client.refused == [] and client.reconnects == 0

    client.receive_all()
    client.linger(1)
    client.close()
    assert len(client.receipts) == COUNT
    assert {identity for identity, _ in client.receipts} == set(ids)
    assert {stat for _, stat in client.receipts} == {"DELIVRD"}

    finished = """
        SELECT count(*) FROM routelog WHERE msgid > %s AND msgtype = 1
            AND startsecs IS NOT NULL AND endsecs IS NOT NULL AND lastdlrsecs IS NOT NULL AND smscid <> ''
            AND inconnector = 'smpp-in1' AND outconnector = 'smpp-providerA' AND username = 'demo'
            AND charge IS NOT NULL AND charge_cost IS NOT NULL
            AND charge_price_id IS NOT NULL AND charge_cost_price_id IS NOT NULL
        """
    wait_for("each message has its finished row", lambda: gateway.one(finished, (before,)) >= COUNT)
    rows = gateway.sql("SELECT msgid, msgtype, origid, charge, smscid FROM routelog WHERE msgid > %s", (before,))
    messages = [row for row in rows if row[1] == 1]
    assert gateway.one(finished, (before,)) == len(messages) == COUNT
    assert {str(row[0]) for row in messages} == set(ids)
    assert len({row[4] for row in messages}) == COUNT

    def reports():
        return gateway.sql("SELECT origid FROM routelog WHERE msgid > %s AND msgtype = 5 AND endsecs IS NOT NULL", (before,))

    wait_for("each report has its finished row", lambda: len(reports()) >= COUNT)
    assert sorted(row[0] for row in reports()) == sorted(row[0] for row in messages)

    charged = sum(row[3] for row in messages)
    assert charged > 0
    assert balance - gateway.balance() == charged
    assert gateway.one("SELECT -sum(amount) FROM ledger WHERE msgid > %s", (before,)) == charged

    submitted = [event.text for event in gateway.journal() if event.event == "SUBMIT" and event.text.startswith("message ")]
    assert len(submitted) == len(set(submitted)) == COUNT
