"""What the tests say to the broker, in a few words."""

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

#: A client whose broker was killed for good complains twice a second until it is collected, into whatever test runs then.
QUIET = {"log_level": 2}


def create(address, topic, partitions=4, **config):
    admin = AdminClient({"bootstrap.servers": address, **QUIET})
    for future in admin.create_topics([NewTopic(topic, partitions, 1, config=config)]).values():
        future.result(20)


def producer(address, **settings):
    return Producer({"bootstrap.servers": address, "acks": "all", "linger.ms": 2, **QUIET, **settings})


def produce(address, topic, values, **settings):
    """Produces and returns what was acknowledged."""
    acknowledged = []
    p = producer(address, **settings)
    for value in values:
        p.produce(topic, value, key=value, on_delivery=lambda e, m: acknowledged.append(m.value()) if e is None else None)
        p.poll(0)
    assert p.flush(60) == 0
    return acknowledged


def read_all(address, topic, isolation="read_committed", partitions=4):
    """Everything up to the ends of the partitions, as (partition, offset, value)."""
    c = Consumer(
        {
            "bootstrap.servers": address,
            **QUIET,
            "group.id": "reader-" + topic,
            "enable.auto.commit": False,
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    c.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    ended, records = set(), []
    while len(ended) < partitions:
        for m in c.consume(1000, 0.2):
            if m.error() is None:
                records.append((m.partition(), m.offset(), m.value()))
                ended.discard(m.partition())
            elif m.error().code() == KafkaError._PARTITION_EOF:
                ended.add(m.partition())
            elif m.error().fatal() or not m.error().retriable():
                if m.error().code() not in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT):
                    raise KafkaException(m.error())
    c.close()
    return records


def values(address, topic, isolation="read_committed", partitions=4):
    return sorted(value for _, _, value in read_all(address, topic, isolation, partitions))
