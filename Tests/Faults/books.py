"""Reads the books of a running gateway: the database's, and what its queues hold."""

import json

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from audit import DatabaseBook, Row

MESSAGE, REPORT = 1, 5
COUNTER_GROUP = "signalbox-audit"


def database_book(gateway, after):
    """Everything about messages with ids above `after`, and all money."""
    book = DatabaseBook()
    rows = gateway.sql(
        """
        SELECT m.msgid, coalesce(b.body, ''), m.status, m.endsecs IS NOT NULL, m.lastdlrsecs IS NOT NULL, coalesce(m.charge, 0),
            (SELECT count(*) FROM routelog r WHERE r.origid = m.msgid AND r.msgtype = %s)
        FROM routelog m LEFT JOIN messagebody b ON b.msgid = m.msgid WHERE m.msgid > %s AND m.msgtype = %s
        """, (REPORT, after, MESSAGE))
    for msgid, text, status, ended, reported, charge, reports in rows:
        book.rows[str(msgid)] = Row(text, status, ended, reported, charge, reports)
    for msgid, kind, amount in gateway.sql("SELECT msgid, kind, amount FROM ledger WHERE msgid > %s", (after,)):
        book.ledger[str(msgid)].append((kind, amount))
    book.balance = gateway.one("SELECT coalesce(sum(charge_balance), 0) FROM emguser")
    book.ledger_sum = gateway.one("SELECT coalesce(sum(amount), 0) FROM ledger WHERE mechanism = 2")
    report = gateway.run("report", "reconcile", "--settle", "5", "--json", check=False)
    if report.returncode not in (0, 1):
        book.differences = [report.stderr]
    elif report.returncode == 1:
        book.differences = [f"{one.get('msgid') or one['username']}: {one['what']}" for one in json.loads(report.stdout)["differences"]]
    book.open_reports = gateway.one("SELECT count(*) FROM open_dlr WHERE closed_at IS NULL AND msgid > %s", (after,))
    book.parked = gateway.one("SELECT count(*) FROM parked_delivery")
    book.early_receipts = unmatched_receipts(gateway)
    return book


def unmatched_receipts(gateway):
    """Receipts that wait for their message. Those that closed an entry have done their work, and are tidied up later."""
    return gateway.one("SELECT count(*) FROM early_receipt e WHERE NOT EXISTS (SELECT FROM open_dlr o WHERE o.closed_by = e.source)")


def unfinished(gateway, after):
    """Messages without an end, and without the report that they asked for."""
    return gateway.one(
        "SELECT count(*) FROM routelog WHERE msgid > %s AND msgtype = %s AND (endsecs IS NULL OR status < 10)", (after, MESSAGE))


class Queues:
    """Looks into every topic that some group reads."""

    def __init__(self, address):
        self.address = address

    def waiting(self, counting=True):
        """`group of topic` -> committed records that the group has not finished. Not counting, marks of transactions count too."""
        # A new one each time: the broker may have been killed since.
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        groups = [one.group_id for one in admin.list_consumer_groups(request_timeout=10).result(15).valid]
        positions = {}
        for group in groups:
            if group.startswith("signalbox-"):
                continue
            future = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=10)[group]
            for one in future.result(15).topic_partitions:
                positions[group, one.topic, one.partition] = max(0, one.offset)
        reader = Consumer(
            {"bootstrap.servers": self.address, "group.id": COUNTER_GROUP, "enable.auto.commit": False, "isolation.level": "read_committed",
             "enable.partition.eof": True, "fetch.wait.max.ms": 20, "log_level": 0})
        try:
            found, behind = {}, {}
            for (group, topic, partition), position in positions.items():
                _, end = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=10, cached=False)
                name = f"{group} of {topic}" if topic not in group else group
                found.setdefault(name, 0)
                if end > position and counting:
                    behind.setdefault((topic, partition), {})[name] = position
                else:
                    found[name] += max(0, end - position)
            offsets = self._offsets(reader, {place: min(readers.values()) for place, readers in behind.items()})
            for place, readers in behind.items():
                for name, position in readers.items():
                    found[name] += sum(1 for offset in offsets[place] if offset >= position)
            return found
        finally:
            reader.close()

    @staticmethod
    def _offsets(reader, starts):
        """(topic, partition) -> offsets of the committed records from its start on."""
        offsets = {place: [] for place in starts}
        reader.assign([TopicPartition(topic, partition, start) for (topic, partition), start in starts.items()])
        open_places = set(starts)
        while open_places:
            message = reader.poll(10)
            if message is None:
                raise AssertionError(f"{open_places} cannot be read")
            place = message.topic(), message.partition()
            if message.error() is None:
                offsets[place].append(message.offset())
            elif message.error().code() == KafkaError._PARTITION_EOF:
                open_places.discard(place)
            elif not message.error().retriable():
                raise KafkaException(message.error())
        return offsets

    def length(self, topic):
        """Records that a topic holds, roughly."""
        reader = Consumer({"bootstrap.servers": self.address, "group.id": COUNTER_GROUP, "log_level": 0})
        try:
            partitions = reader.list_topics(topic, 10).topics[topic].partitions
            total = 0
            for partition in partitions:
                low, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=10, cached=False)
                total += high - low
            return total
        finally:
            reader.close()

