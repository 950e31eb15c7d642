"""What an administrator asks: groups, configurations, and the protocol's own words for what makes no sense."""

import pytest
from clients import create, produce
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, ResourceType
from conftest import until


def code(failure):
    return failure.value.args[0].code()


@pytest.mark.parametrize("assignor", ["range", "roundrobin", "cooperative-sticky"])
def test_groups_are_listed_described_and_removed(shared_broker, topic, assignor):
    create(shared_broker, topic, 2)
    produce(shared_broker, topic, [b"%d" % n for n in range(10)])
    admin = AdminClient({"bootstrap.servers": shared_broker})
    members = [
        Consumer(
            {
                "bootstrap.servers": shared_broker, "group.id": topic, "client.id": f"member-{n}", "auto.offset.reset": "earliest",
                "enable.auto.commit": False, "partition.assignment.strategy": assignor, "heartbeat.interval.ms": 200,
            }
        )
        for n in range(2)
    ]  # fmt: skip
    for c in members:
        c.subscribe([topic])

    def settled():
        for c in members:
            c.poll(0.05)
        return all(len(c.assignment()) == 1 for c in members)

    until(settled)
    members[0].commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
    assert topic in [g.group_id for g in admin.list_consumer_groups().result(10).valid]
    described = admin.describe_consumer_groups([topic])[topic].result(10)
    assert described.state.name == "STABLE" and described.partition_assignor == assignor
    assert sorted(m.client_id for m in described.members) == ["member-0", "member-1"]
    assert sorted(t.partition for m in described.members for t in m.assignment.topic_partitions) == [0, 1]
    with pytest.raises(KafkaException) as failure:
        admin.delete_consumer_groups([topic])[topic].result(10)
    assert code(failure) == KafkaError.NON_EMPTY_GROUP
    for c in members:
        c.close()
    assert admin.describe_consumer_groups([topic])[topic].result(10).state.name == "EMPTY"
    admin.delete_consumer_groups([topic])[topic].result(10)
    assert topic not in [g.group_id for g in admin.list_consumer_groups().result(10).valid]
    with pytest.raises(KafkaException) as failure:
        admin.delete_consumer_groups([topic])[topic].result(10)
    assert code(failure) == KafkaError.GROUP_ID_NOT_FOUND
    c = Consumer({"bootstrap.servers": shared_broker, "group.id": topic})
    assert c.committed([TopicPartition(topic, 0)], 10)[0].offset == -1001
    c.close()


def test_a_configuration_is_replaced_whole(shared_broker, topic):
    create(shared_broker, topic, 1, **{"retention.ms": "3600000"})
    admin = AdminClient({"bootstrap.servers": shared_broker})
    change = ConfigResource(ResourceType.TOPIC, topic, set_config={"retention.bytes": "5000000"})
    admin.alter_configs([change])[change].result(10)
    config = admin.describe_configs([change])[change].result(10)
    assert config["retention.bytes"].value == "5000000" and config["retention.ms"].value != "3600000"


def test_what_makes_no_sense_is_refused_in_kafkas_words(shared_broker, topic):
    admin = AdminClient({"bootstrap.servers": shared_broker})
    create(shared_broker, topic, 3)
    for ask, expected in [
        (lambda: create(shared_broker, topic, 3), KafkaError.TOPIC_ALREADY_EXISTS),
        (lambda: create(shared_broker, topic + "-?", 1), KafkaError.TOPIC_EXCEPTION),
        (lambda: create(shared_broker, topic + "-x", 1, **{"retention.ms": "soon"}), KafkaError.INVALID_CONFIG),
        (lambda: admin.delete_topics([topic + "-no"])[topic + "-no"].result(10), KafkaError.UNKNOWN_TOPIC_OR_PART),
        (lambda: admin.create_partitions([NewPartitions(topic, 2)])[topic].result(10), KafkaError.INVALID_PARTITIONS),
        (
            lambda: admin.delete_records([TopicPartition(topic, 0, 99)])[TopicPartition(topic, 0)].result(10),
            KafkaError.OFFSET_OUT_OF_RANGE,
        ),
    ]:
        with pytest.raises(KafkaException) as failure:
            ask()
        assert code(failure) == expected
