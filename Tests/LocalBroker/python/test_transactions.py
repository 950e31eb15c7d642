import pytest
from clients import QUIET, create, produce, producer, values
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from conftest import until


def transactional(address, name, **settings):
    p = Producer({"bootstrap.servers": address, "transactional.id": name, **QUIET, **settings})
    p.init_transactions(20)
    return p


def test_committed_records_show_and_aborted_ones_do_not(shared_broker, topic):
    create(shared_broker, topic)
    p = transactional(shared_broker, topic)
    expected = []
    for n in range(30):
        p.begin_transaction()
        batch = [b"%03d-%d" % (n, k) for k in range(8)]
        for value in batch:
            p.produce(topic, value, key=value)
        if n % 3 == 1:
            p.flush(10)
            p.abort_transaction(10)
        else:
            p.commit_transaction(10)
            expected += batch
    assert values(shared_broker, topic) == expected
    assert len(values(shared_broker, topic, "read_uncommitted")) > len(expected)


def test_an_open_transaction_holds_readers_back(shared_broker, topic):
    create(shared_broker, topic, 1)
    p = transactional(shared_broker, topic)
    p.begin_transaction()
    p.produce(topic, b"open", partition=0)
    p.flush(10)
    produce(shared_broker, topic, [b"after"])
    assert values(shared_broker, topic, partitions=1) == []
    assert values(shared_broker, topic, "read_uncommitted", partitions=1) == [b"after", b"open"]
    p.commit_transaction(10)
    assert values(shared_broker, topic, partitions=1) == [b"after", b"open"]


def test_a_zombie_is_fenced_and_its_transaction_aborted(shared_broker, topic):
    create(shared_broker, topic, 1)
    zombie = transactional(shared_broker, topic)
    zombie.begin_transaction()
    zombie.produce(topic, b"zombie", partition=0)
    zombie.flush(10)
    heir = transactional(shared_broker, topic)
    heir.begin_transaction()
    heir.produce(topic, b"heir", partition=0)
    heir.commit_transaction(10)
    with pytest.raises(KafkaException) as failure:
        zombie.commit_transaction(10)
    assert failure.value.args[0].fatal()
    assert values(shared_broker, topic, partitions=1) == [b"heir"]


def test_a_transaction_that_takes_too_long_is_aborted(shared_broker, topic):
    create(shared_broker, topic, 1)
    p = transactional(shared_broker, topic, **{"transaction.timeout.ms": 1000, "message.timeout.ms": 1000, "socket.timeout.ms": 900})
    p.begin_transaction()
    p.produce(topic, b"late", partition=0)
    p.flush(10)
    produce(shared_broker, topic, [b"other"])
    until(lambda: values(shared_broker, topic, partitions=1) == [b"other"], 30)
    with pytest.raises(KafkaException):
        p.commit_transaction(10)


def test_offsets_commit_with_the_transaction_or_not_at_all(shared_broker, topic):
    create(shared_broker, topic, 1)
    create(shared_broker, topic + "-out", 1)
    produce(shared_broker, topic, [b"%d" % n for n in range(10)])
    c = Consumer(
        {
            "bootstrap.servers": shared_broker, "group.id": topic, "auto.offset.reset": "earliest", "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )  # fmt: skip
    c.subscribe([topic])
    batch = until(lambda: c.consume(10, 1))
    p = transactional(shared_broker, topic)

    def move(commit):
        p.begin_transaction()
        for m in batch:
            p.produce(topic + "-out", m.value())
        p.send_offsets_to_transaction(c.position(c.assignment()), c.consumer_group_metadata(), 10)
        p.commit_transaction(10) if commit else p.abort_transaction(10)
        return c.committed([TopicPartition(topic, 0)], 10)[0].offset

    assert move(False) == -1001
    assert move(True) == len(batch)
    metadata = c.consumer_group_metadata()
    c.close()
    # The generation is over: a straggler with its metadata is turned away (KIP-447).
    p.begin_transaction()
    p.produce(topic + "-out", b"straggler")
    with pytest.raises(KafkaException):
        p.send_offsets_to_transaction([TopicPartition(topic, 0, 5)], metadata, 10)
    p.abort_transaction(10)
    assert len(values(shared_broker, topic + "-out", partitions=1)) == len(batch)
