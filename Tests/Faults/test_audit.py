"""The audit itself, on books made up by hand: right ones, and each with one thing wrong in it."""

from decimal import Decimal

import pytest
from audit import Allowed, ClientBook, DatabaseBook, ProviderBook, Row, Sighting, audit

PRICE = Decimal("0.032")


def books(count=3):
    """Messages 1 to `count`, all delivered, on the provider's session 1."""
    client, provider, database = ClientBook(), ProviderBook(), DatabaseBook()
    for number in range(1, count + 1):
        one, text = str(number), f"text {number}"
        client.acknowledged[one] = text
        client.reports[one].append("DELIVRD")
        client.order["46"].append(text)
        provider.sightings.append(Sighting(text, "46", 1, answered=True))
        database.rows[one] = Row(text, 11, True, True, PRICE, 1)
        database.ledger[one].append((1, -PRICE))
    database.balance = database.ledger_sum = Decimal(100) - count * PRICE
    return client, provider, database


def test_right_books_are_right():
    assert audit(*books(), {"router of sms.accepted": 0}) == []


def not_in_the_log(client, provider, database):
    del database.rows["2"], database.ledger["2"]


def not_at_the_provider(client, provider, database):
    del provider.sightings[1]


def no_report(client, provider, database):
    del client.reports["2"]


def another_text(client, provider, database):
    database.rows["2"].text = "text 9"


def refused_and_kept(client, provider, database):
    client.refused[client.acknowledged.pop("2")] = 8


def from_nowhere(client, provider, database):
    del client.acknowledged["2"]


def one_id_for_two(client, provider, database):
    client.twice.append("2")


def no_end(client, provider, database):
    database.rows["2"].status, database.rows["2"].ended = 4, False


def two_ends(client, provider, database):
    client.reports["2"].append("UNDELIV")


def reported_twice(client, provider, database):
    client.reports["2"].append("DELIVRD")


def another_end(client, provider, database):
    client.reports["2"] = ["EXPIRED"]


def sent_twice(client, provider, database):
    provider.sightings.append(Sighting("text 2", "46", 1))


def sent_twice_on_another_session(client, provider, database):
    provider.sightings.append(Sighting("text 2", "46", 2))


def out_of_order(client, provider, database):
    provider.sightings.reverse()


def charged_twice(client, provider, database):
    database.ledger["2"].append((1500, -PRICE))
    database.balance -= PRICE
    database.ledger_sum -= PRICE


def charged_beside_the_ledger(client, provider, database):
    database.balance -= PRICE


def charged_for_nothing(client, provider, database):
    database.ledger["9"].append((1, -PRICE))


def report_awaited(client, provider, database):
    database.open_reports = 1


def delivery_parked(client, provider, database):
    database.parked = 1


def receipt_left_over(client, provider, database):
    database.early_receipts = 1


def dead(client, provider, database):
    database.dead_letters = 1


@pytest.mark.parametrize(
    "rule, wrong", [
        ("lost", not_in_the_log), ("lost", not_at_the_provider), ("lost", no_report), ("lost", another_text), ("accepted", refused_and_kept),
        ("accepted", from_nowhere), ("accepted", one_id_for_two), ("end", no_end), ("end", two_ends), ("end", reported_twice),
        ("end", another_end), ("twice", sent_twice), ("twice", sent_twice_on_another_session), ("order", out_of_order),
        ("money", charged_twice), ("money", charged_beside_the_ledger), ("money", charged_for_nothing), ("queues", report_awaited),
        ("queues", delivery_parked), ("queues", receipt_left_over), ("queues", dead)], ids=lambda value: getattr(value, "__name__", ""))
def test_each_wrong_is_found_under_its_rule(rule, wrong):
    made = books()
    wrong(*made)
    assert rule in {sentence.split(":")[0] for sentence in audit(*made, {})}


def test_a_queue_that_is_not_empty_is_found():
    assert audit(*books(), {"router of sms.accepted": 2}) == ["queues: 1 are not empty: router of sms.accepted holds 2"]


def test_a_broken_session_excuses_its_window_and_no_more():
    client, provider, database = books(60)
    provider.broken.add(1)
    provider.sightings += [Sighting(f"text {number}", "46", 2, answered=True) for number in range(11, 61)]
    assert audit(client, provider, database, {}) == []
    provider.sightings.append(Sighting("text 10", "46", 2, answered=True))
    assert [sentence.split(":")[0] for sentence in audit(client, provider, database, {})] == ["twice"]


def test_what_got_no_answer_may_be_kept_or_not():
    client, provider, database = books()
    client.unknown = {client.acknowledged.pop("3"), "text 4"}
    assert audit(client, provider, database, {}) == []


def test_a_throttled_message_that_comes_again_is_no_repetition():
    client, provider, database = books()
    provider.sightings.insert(0, Sighting("text 3", "46", 1, refused=True))
    assert audit(client, provider, database, {}, Allowed(in_order=False)) == []
