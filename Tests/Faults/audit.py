"""Holds three sets of books and the queues against each other: the client's, the provider's and the database's.

Pure: the books are values, `audit` returns what is wrong with them, as sentences. Where they come from is the business of `books.py`.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

#: `routelog.status` by the word that a final report of SMPP says (docs/status.md)
FINAL = {10: "ACCEPTD", 11: "DELIVRD", 12: "UNDELIV", 13: "EXPIRED", 14: "DELETED", 15: "UNDELIV", 16: "REJECTD", 17: "UNKNOWN"}
DELIVERED = 11


@dataclass
class ClientBook:
    """What a client knows. Every text is unique: it names one attempt to hand in a message."""

    #: message id by the gateway's positive answer -> text
    acknowledged: dict = field(default_factory=dict)
    #: text -> command_status of the refusal
    refused: dict = field(default_factory=dict)
    #: texts that were sent and never answered: the gateway may have them or not
    unknown: set = field(default_factory=set)
    #: message id -> the words of its final reports, one for each time that one came
    reports: dict = field(default_factory=lambda: defaultdict(list))
    #: destination -> texts in the order in which they were handed in
    order: dict = field(default_factory=lambda: defaultdict(list))
    #: ids that were answered to two different messages
    twice: list = field(default_factory=list)


def merged(books):
    """One book of several clients' books."""
    whole = ClientBook()
    for book in books:
        whole.twice += book.twice + [one for one in book.acknowledged if one in whole.acknowledged]
        whole.acknowledged |= book.acknowledged
        whole.refused |= book.refused
        whole.unknown |= book.unknown
        for one, words in book.reports.items():
            whole.reports[one] += words
        for destination, texts in book.order.items():
            whole.order[destination] += texts
    return whole


@dataclass
class Sighting:
    """One submit_sm, as the provider saw it."""

    text: str
    destination: str
    #: number of the session that it came on
    session: int
    #: whether the provider answered it, with success
    answered: bool = False
    #: the provider refused it
    refused: bool = False


@dataclass
class ProviderBook:
    sightings: list = field(default_factory=list)
    #: sessions that ended otherwise than by unbind after every answer
    broken: set = field(default_factory=set)
    #: receipts that were sent again, for their answer never came
    repeated_receipts: int = 0


@dataclass
class Row:
    """A message in `routelog`."""

    text: str
    status: int
    ended: bool
    reported: bool
    charge: object
    #: rows of type 5 (reports) that name it
    reports: int = 0


@dataclass
class DatabaseBook:
    rows: dict = field(default_factory=dict)
    #: message id -> [(kind, amount)]
    ledger: dict = field(default_factory=lambda: defaultdict(list))
    #: sum of the accounts' balances, and of all of their ledger rows
    balance: object = 0
    ledger_sum: object = 0
    #: what `signalbox report reconcile` has to say
    differences: list = field(default_factory=list)
    open_reports: int = 0
    parked: int = 0
    early_receipts: int = 0
    dead_letters: int = 0


@dataclass
class Allowed:
    """What the faults of a case excuse."""

    #: submits of one broken session that may come again: WINDOWSIZE
    window: int = 50
    #: reports that a client may be given twice: the window of each session of its that broke
    repeated_reports: int = 0
    #: words that final reports may say
    outcomes: tuple = ("DELIVRD",)
    #: messages that were refused for a passing reason may leave all the same, when the gateway could not know better
    refused_may_be_kept: bool = False
    #: whether messages leave in the order in which they came
    in_order: bool = True
    #: the most that a session of the provider's may have unanswered is no bound on repeats (it answers twice, late, or with garbage)
    repeats: int = 0


def some(items, limit=5):
    items = list(items)
    return ", ".join(map(str, items[:limit])) + (f" and {len(items) - limit} more" if len(items) > limit else "")


def audit(client, provider, database, queues, allowed=None):
    """What is wrong, as sentences that begin with the rule's name; empty where the books agree."""
    allowed = allowed or Allowed()
    found = []

    def wrong(rule, items, say):
        items = list(items)
        if items:
            found.append(f"{rule}: {len(items)} {say}: {some(items)}")

    _lost(client, provider, database, wrong, allowed)
    _strangers(client, database, wrong, allowed)
    _ends(client, database, wrong, allowed)
    repeats = _repeats(provider, wrong, allowed)
    _order(client, provider, wrong, allowed)
    _money(database, wrong)
    waiting = {name: count for name, count in queues.items() if count}
    wrong("queues", [f"{name} holds {count}" for name, count in waiting.items()], "are not empty")
    if database.open_reports:
        found.append(f"queues: {database.open_reports} reports are still awaited from the provider")
    if database.parked:
        found.append(f"queues: {database.parked} reports still wait for a client")
    # Of a message that reached the provider twice only one id is known; the other id's receipt waits for nobody. Nor does a receipt that
    # came once more after the first had closed its entry.
    excused = repeats + provider.repeated_receipts
    if database.early_receipts > excused:
        found.append(f"queues: {database.early_receipts} receipts wait for their message, and only {excused} are repetitions")
    if database.dead_letters:
        found.append(f"queues: {database.dead_letters} records are in the dead letters")
    return found


def _lost(client, provider, database, wrong, allowed):
    seen = {sighting.text for sighting in provider.sightings}
    wrong("lost", (f"{one} ({text})" for one, text in client.acknowledged.items() if one not in database.rows),
          "acknowledged messages are not in the log")
    wrong("lost", (f"{one} ({text})" for one, text in client.acknowledged.items()
                   if text not in seen and (one not in database.rows or database.rows[one].status == DELIVERED)),
          "acknowledged messages never reached the provider")
    wrong("lost", (f"{one} ({text})" for one, text in client.acknowledged.items() if not client.reports.get(one)),
          "acknowledged messages got no final report")
    wrong("lost", (f"{one}: '{database.rows[one].text}' instead of '{text}'" for one, text in client.acknowledged.items()
                   if one in database.rows and database.rows[one].text != text), "messages have another text in the log")


def _strangers(client, database, wrong, allowed):
    """What the gateway took without an answer must be what the client got no answer to."""
    accounted = set(client.acknowledged)
    others = {one: row for one, row in database.rows.items() if one not in accounted}
    wrong("accepted", (f"{one} ({row.text})" for one, row in others.items() if row.text in client.refused and not allowed.refused_may_be_kept),
          "messages were refused to the client and kept all the same")
    wrong("accepted", (f"{one} ({row.text})" for one, row in others.items() if row.text not in client.unknown and row.text not in client.refused),
          "messages are in the log that no client handed in")
    wrong("accepted", client.twice, "message ids were given to two messages")
    texts = Counter(row.text for row in database.rows.values())
    wrong("accepted", (text for text, count in texts.items() if count > 1), "messages are in the log twice")
    wrong("accepted", (one for one in client.reports if one not in database.rows), "reports name a message that the log does not know")


def _ends(client, database, wrong, allowed):
    wrong("end", (f"{one} (status {row.status})" for one, row in database.rows.items() if row.status not in FINAL or not row.ended),
          "messages have no final state")
    wrong("end", (f"{one}: {row.reports}" for one, row in database.rows.items() if row.reports > 1), "messages have several reports in the log")
    wrong("end", (f"{one}: {set(words)}" for one, words in client.reports.items() if len(set(words)) > 1),
          "messages were reported with different ends")
    wrong("end", (f"{one}: {words[0]}, and the log says {database.rows[one].status}" for one, words in client.reports.items()
                  if one in database.rows and words[0] != FINAL.get(database.rows[one].status)), "reports contradict the log")
    wrong("end", (f"{one}: {words[0]}" for one, words in client.reports.items() if words[0] not in allowed.outcomes),
          f"messages did not end as {' or '.join(allowed.outcomes)}")
    again = [one for one, words in client.reports.items() if len(words) > 1]
    if len(again) > allowed.repeated_reports:
        wrong("end", again, f"reports came twice, and {allowed.repeated_reports} are excused")


def _repeats(provider, wrong, allowed):
    """Returns how many submits were repetitions. Each must be excused by the session that the message was sent on before: it broke,
    and no more of its submits come again than its window holds."""
    last = {}
    unexcused, by_session, repeats = [], Counter(), 0
    for sighting in provider.sightings:
        before = last.get(sighting.text)
        last[sighting.text] = sighting
        if before is None or before.refused:
            continue
        repeats += 1
        if before.session in provider.broken and before.session != sighting.session:
            by_session[before.session] += 1
        else:
            unexcused.append(f"{sighting.text} (sessions {before.session} and {sighting.session})")
    if len(unexcused) > allowed.repeats:
        wrong("twice", unexcused, "messages were sent twice although their session lived")
    wrong("twice", (f"{count} of session {session}" for session, count in by_session.items() if count > allowed.window),
          f"broken sessions had more than {allowed.window} submits sent again")
    return repeats


def _order(client, provider, wrong, allowed):
    if not allowed.in_order:
        return
    acknowledged = set(client.acknowledged.values())
    first = defaultdict(list)
    seen = set()
    for sighting in provider.sightings:
        if sighting.text in acknowledged and sighting.text not in seen:
            seen.add(sighting.text)
            first[sighting.destination].append(sighting.text)
    misplaced = []
    for destination, arrived in first.items():
        handed_in = [text for text in client.order.get(destination, []) if text in seen]
        misplaced += [f"{got} before {wanted}" for got, wanted in zip(arrived, handed_in) if got != wanted][:1]
    wrong("order", misplaced, "destinations got their messages in another order")


def _money(database, wrong):
    wrong("money", (f"{one}: paid {-sum(amount for _, amount in database.ledger.get(one, []))}, the log says {row.charge}"
                    for one, row in database.rows.items()
                    if -sum(amount for _, amount in database.ledger.get(one, [])) != row.charge), "messages' ledger and log differ")
    wrong("money", (f"{one}: kinds {[kind for kind, _ in entries]}" for one, entries in database.ledger.items()
                    if sum(1 for kind, amount in entries if amount < 0) > 1), "messages were charged twice")
    wrong("money", (one for one in database.ledger if one not in database.rows), "ledger entries belong to no message of the log")
    if database.balance != database.ledger_sum:
        wrong("money", [f"{database.balance} and {database.ledger_sum}"], "time balances and ledger differ")
    wrong("money", database.differences, "differences are named by `report reconcile`")
