import shutil
import socket
import struct
import subprocess
import time

import pytest
from clients import create, produce, producer, read_all, values
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, OffsetSpec, ResourceType
from conftest import until


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_what_librdkafka_produces_it_reads_back(shared_broker, topic, codec):
    create(shared_broker, topic)
    sent = [b"%06d" % n for n in range(5000)]
    assert sorted(produce(shared_broker, topic, sent, **{"compression.type": codec})) == sent
    assert values(shared_broker, topic) == sent


def test_kafka_python_and_librdkafka_read_each_other(shared_broker, topic):
    from kafka import KafkaConsumer, KafkaProducer

    create(shared_broker, topic)
    theirs = KafkaProducer(bootstrap_servers=shared_broker, acks="all")
    for n in range(500):
        theirs.send(topic, b"p%04d" % n, key=b"%d" % n)
    theirs.flush()
    theirs.close()
    produce(shared_broker, topic, [b"r%04d" % n for n in range(500)])
    expected = sorted([b"p%04d" % n for n in range(500)] + [b"r%04d" % n for n in range(500)])
    assert values(shared_broker, topic) == expected
    consumer = KafkaConsumer(
        topic, bootstrap_servers=shared_broker, group_id="py-" + topic, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    seen = []
    end = time.monotonic() + 30
    while len(seen) < 1000 and time.monotonic() < end:
        for records in consumer.poll(500).values():
            seen += [r.value for r in records]
    consumer.commit()
    consumer.close()
    assert sorted(seen) == expected


@pytest.mark.skipif(not shutil.which("kcat"), reason="kcat is not installed")
def test_kcat_lists_writes_reads_and_seeks_by_time(shared_broker, topic):
    def kcat(*args, text=None):
        return subprocess.run(["kcat", "-b", shared_broker, *args], input=text, capture_output=True, text=True, timeout=60, check=True).stdout

    create(shared_broker, topic, 1)
    assert f'topic "{topic}" with 1 partitions' in kcat("-L")
    kcat("-P", "-t", topic, text="early\n")
    time.sleep(0.05)
    between = int(time.time() * 1000)
    kcat("-P", "-t", topic, text="late\nlater\n")
    assert kcat("-C", "-t", topic, "-e", "-q").split() == ["early", "late", "later"]
    assert kcat("-C", "-t", topic, "-e", "-q", "-o", f"s@{between}").split() == ["late", "later"]
    assert kcat("-C", "-t", topic, "-e", "-q", "-o", "-1").split() == ["later"]


def test_offsets_by_time_point_at_the_very_record(shared_broker, topic):
    # The records are years old: without this the retention, whenever it looks, takes them away.
    create(shared_broker, topic, 1, **{"retention.ms": "-1"})
    p = producer(shared_broker, **{"linger.ms": 200})
    for n in range(3000):
        p.produce(topic, b"%d" % n, partition=0, timestamp=1_700_000_000_000 + n * 1000)
    p.flush(30)
    admin = AdminClient({"bootstrap.servers": shared_broker})
    for at, expected in [(1_700_000_000_000, 0), (1_700_001_234_000, 1234), (1_700_001_234_001, 1235), (1_800_000_000_000, -1)]:
        result = admin.list_offsets({TopicPartition(topic, 0): OffsetSpec.for_timestamp(at)})
        assert [f.result(10).offset for f in result.values()] == [expected]


def test_a_group_shares_partitions_commits_and_goes_on(shared_broker, topic):
    create(shared_broker, topic)
    sent = produce(shared_broker, topic, [b"%05d" % n for n in range(1000)])
    settings = {
        "bootstrap.servers": shared_broker, "group.id": "g-" + topic, "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "partition.assignment.strategy": "cooperative-sticky",
    }  # fmt: skip
    members = [Consumer(settings) for _ in range(3)]
    for member in members:
        member.subscribe([topic])
    seen = []

    def spread():
        for member in members:
            for m in member.consume(100, 0.05):
                if m.error() is None:
                    seen.append(m.value())
        held = [member.assignment() for member in members]
        # Whoever took a partition over begins it anew, for nothing is committed yet: all have to stand at its end.
        at = [t.offset for member, mine in zip(members, held) for t in member.position(mine)]
        return len(at) == 4 and all(held) and min(at) >= 0 and sum(at) == len(sent)

    until(spread)
    for member in members:
        member.commit(offsets=[TopicPartition(topic, t.partition, t.offset, "note ü") for t in member.position(member.assignment())], asynchronous=False)
    for member in members:
        member.close()
    assert set(seen) == set(sent)
    again = Consumer(settings)
    committed = again.committed([TopicPartition(topic, n) for n in range(4)], 10)
    assert sum(t.offset for t in committed) == 1000
    assert {t.metadata for t in committed} == {"note ü"}
    again.close()
    admin = AdminClient({"bootstrap.servers": shared_broker})
    group = "g-" + topic
    assert admin.describe_consumer_groups([group])[group].result(10).state.name == "EMPTY"
    assert group in [g.group_id for g in admin.list_consumer_groups().result(10).valid]
    admin.delete_consumer_groups([group])[group].result(10)
    assert group not in [g.group_id for g in admin.list_consumer_groups().result(10).valid]


def test_a_static_member_comes_back_without_a_rebalance(shared_broker, topic):
    create(shared_broker, topic)
    revoked, assigned = [], []

    def member(name):
        c = Consumer(
            {
                "bootstrap.servers": shared_broker, "group.id": "s-" + topic, "group.instance.id": name, "session.timeout.ms": 20000,
                "auto.offset.reset": "earliest",
            }
        )  # fmt: skip
        c.subscribe([topic], on_assign=lambda c, p: assigned.append((name, len(p))), on_revoke=lambda c, p: revoked.append(name))
        return c

    a, b = member("a"), member("b")
    until(lambda: (a.poll(0.05), b.poll(0.05)) and len(a.assignment()) == 2 and len(b.assignment()) == 2)
    before = sorted((t.partition) for t in b.assignment())
    del revoked[:], assigned[:]
    b.close()  # a static member does not leave the group when it closes
    del revoked[:]
    b = member("b")
    until(lambda: (a.poll(0.05), b.poll(0.05)) and len(b.assignment()) == 2)
    assert sorted(t.partition for t in b.assignment()) == before
    assert "a" not in revoked
    a.close()
    b.close()


def test_topics_are_made_grown_configured_emptied_and_removed(shared_broker, topic):
    create(shared_broker, topic, 2, **{"retention.ms": "3600000"})
    admin = AdminClient({"bootstrap.servers": shared_broker})
    resource = ConfigResource(ResourceType.TOPIC, topic)
    config = admin.describe_configs([resource])[resource].result(10)
    assert config["retention.ms"].value == "3600000" and config["cleanup.policy"].value == "delete"
    change = ConfigResource(
        ResourceType.TOPIC, topic,
        incremental_configs=[ConfigEntry("retention.bytes", "1000000", incremental_operation=AlterConfigOpType.SET)],
    )  # fmt: skip
    admin.incremental_alter_configs([change])[change].result(10)
    config = admin.describe_configs([resource])[resource].result(10)
    assert (config["retention.ms"].value, config["retention.bytes"].value) == ("3600000", "1000000")
    admin.create_partitions([NewPartitions(topic, 4)])[topic].result(10)
    assert len(admin.list_topics(topic, 10).topics[topic].partitions) == 4
    with pytest.raises(Exception, match="compact"):
        create(shared_broker, topic + "-c", 1, **{"cleanup.policy": "compact"})
    p = producer(shared_broker)
    for n in range(10):
        p.produce(topic, b"%d" % n, partition=3)
    p.flush(10)
    admin.delete_records([TopicPartition(topic, 3, 6)])[TopicPartition(topic, 3)].result(10)
    assert [v for _, _, v in read_all(shared_broker, topic)] == [b"6", b"7", b"8", b"9"]
    admin.delete_topics([topic])[topic].result(10)
    assert topic not in admin.list_topics(timeout=10).topics


def test_an_idle_broker_acknowledges_and_delivers_at_once(shared_broker, topic):
    create(shared_broker, topic, 1)
    c = Consumer({"bootstrap.servers": shared_broker, "group.id": "l-" + topic, "fetch.wait.max.ms": 5000, "auto.offset.reset": "earliest"})
    c.assign([TopicPartition(topic, 0, 0)])
    p = producer(shared_broker, **{"linger.ms": 0})
    p.produce(topic, b"warm")
    p.flush(10)
    assert c.poll(10).value() == b"warm"
    acknowledged, delivered = [], []
    for _ in range(50):
        began = time.perf_counter()
        p.produce(topic, b"x", on_delivery=lambda e, m: acknowledged.append(time.perf_counter() - began))
        p.flush(10)
        assert c.poll(10) is not None
        delivered.append(time.perf_counter() - began)
    c.close()
    print("median ack %.2f ms, delivery %.2f ms" % (sorted(acknowledged)[25] * 1e3, sorted(delivered)[25] * 1e3))
    # Far above what it takes (about a millisecond), far below any timer.
    assert sorted(acknowledged)[25] < 0.02 and sorted(delivered)[25] < 0.04


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        struct.pack(">i", -5) + b"x" * 20,
        struct.pack(">i", 2_000_000_000),
        struct.pack(">ihhih", 10, 999, 0, 1, -1),
        struct.pack(">ihhih", 10, 0, 99, 1, -1),
        struct.pack(">ihhih", 10, 3, 1, 7, -1) + b"",
        struct.pack(">ihhihi", 14, 3, 1, 7, -1, 2_000_000_000),
        struct.pack(">ihhihhi", 16, 0, 3, 7, -1, -1, 1) + b"\0" * 40,
    ],
    ids=["http", "negative", "huge", "unknown-api", "unknown-version", "no-body", "huge-array", "cut-produce"],
)
def test_garbage_closes_only_its_own_connection(shared_broker, topic, octets):
    with socket.create_connection(shared_broker.rsplit(":", 1), timeout=10) as s:
        s.sendall(octets)
        assert s.recv(100) == b""
    create(shared_broker, topic, 1)


def test_a_client_from_the_future_learns_the_versions(shared_broker):
    with socket.create_connection(shared_broker.rsplit(":", 1), timeout=10) as s:
        s.sendall(struct.pack(">ihhih", 10, 18, 77, 42, -1))
        length, correlation, error, count = struct.unpack(">iihi", s.recv(4096)[:14])
        assert (correlation, error) == (42, 35) and count > 20
