"""What different clients write, all of them read; and the dissector finds nothing wrong with what went over the wire."""

import collections
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from clients import create, produce, producer, values
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from conftest import until

CODECS = {"none": None, "gzip": None, "snappy": "snappy", "lz4": "lz4", "zstd": "zstandard"}


def kafka_python_codec(codec):
    if CODECS[codec]:
        pytest.importorskip(CODECS[codec], reason=f"kafka-python needs {CODECS[codec]} for {codec}")
    return None if codec == "none" else codec


@pytest.mark.parametrize("codec", CODECS)
def test_kafka_python_reads_what_librdkafka_compressed_and_the_other_way_round(shared_broker, topic, codec):
    from kafka import KafkaConsumer, KafkaProducer
    from kafka import TopicPartition as Partition

    theirs = kafka_python_codec(codec)
    create(shared_broker, topic, 2)
    produce(shared_broker, topic, [b"r%04d" % n for n in range(1000)], **{"compression.type": codec})
    p = KafkaProducer(bootstrap_servers=shared_broker, acks="all", compression_type=theirs, linger_ms=5)
    for n in range(1000):
        p.send(topic, b"p%04d" % n, key=b"%d" % n, headers=[("n", b"%d" % n)])
    p.flush(30)
    p.close()
    expected = sorted([b"p%04d" % n for n in range(1000)] + [b"r%04d" % n for n in range(1000)])
    assert values(shared_broker, topic, partitions=2) == expected
    c = KafkaConsumer(bootstrap_servers=shared_broker, auto_offset_reset="earliest", isolation_level="read_committed")
    partitions = [Partition(topic, n) for n in range(2)]
    c.assign(partitions)
    c.seek_to_beginning()
    ends = c.end_offsets(partitions)
    seen = []

    def everything():
        for records in c.poll(200).values():
            seen.extend(records)
        return all(c.position(p) >= ends[p] for p in partitions)

    until(everything)
    c.close()
    assert sorted(record.value for record in seen) == expected
    assert all(record.headers == [("n", b"%d" % int(record.value[1:]))] for record in seen if record.value.startswith(b"p"))


@pytest.mark.parametrize("codec", CODECS)
def test_times_are_found_in_compressed_batches(shared_broker, topic, codec):
    # The records are years old: without this the retention, whenever it looks, takes them away.
    create(shared_broker, topic, 1, **{"retention.ms": "-1"})
    p = producer(shared_broker, **{"compression.type": codec, "linger.ms": 50, "batch.num.messages": 100})
    start = 1_700_000_000_000
    for n in range(1000):
        p.produce(topic, b"%d" % n, partition=0, timestamp=start + n * 1000)
    assert p.flush(30) == 0
    admin = AdminClient({"bootstrap.servers": shared_broker})
    asked = admin.list_offsets({TopicPartition(topic, 0): OffsetSpec.for_timestamp(start + 555_000)})
    found = [future.result(10).offset for future in asked.values()]
    # Never too late; at most a batch too early, where the broker does not look into compressed ones.
    assert len(found) == 1 and 555 - 100 < found[0] <= 555


def test_headers_keys_tombstones_and_large_records_come_back_as_they_went(shared_broker, topic):
    create(shared_broker, topic, 1)
    p = producer(shared_broker)
    p.produce(topic, None, key=b"gone", partition=0)
    p.produce(topic, b"", key=None, partition=0, headers=[("empty", None), ("twice", b"1"), ("twice", b"2")])
    p.produce(topic, bytes(range(256)) * 3500, key=b"large", partition=0)
    assert p.flush(30) == 0
    c = Consumer({"bootstrap.servers": shared_broker, "group.id": topic, "enable.auto.commit": False})
    c.assign([TopicPartition(topic, 0, 0)])
    got = []
    until(lambda: got.extend(c.consume(10, 0.2)) or len(got) == 3)
    c.close()
    assert [m.error() for m in got] == [None] * 3
    assert (got[0].key(), got[0].value()) == (b"gone", None)
    assert (got[1].key(), got[1].value(), got[1].headers()) == (None, b"", [("empty", None), ("twice", b"1"), ("twice", b"2")])
    assert (got[2].key(), got[2].value()) == (b"large", bytes(range(256)) * 3500)


def test_kafka_python_transactions_are_read_by_librdkafka(shared_broker, topic):
    from kafka import KafkaProducer

    create(shared_broker, topic, 2)
    p = KafkaProducer(bootstrap_servers=shared_broker, transactional_id=topic, enable_idempotence=True)
    p.init_transactions()
    for n in range(6):
        p.begin_transaction()
        for partition in range(2):
            p.send(topic, b"%d" % n, partition=partition)
        p.flush()
        p.abort_transaction() if n % 2 else p.commit_transaction()
    p.close()
    assert values(shared_broker, topic, partitions=2) == sorted([b"0", b"2", b"4"] * 2)


def test_a_record_that_is_too_large_is_refused_and_the_rest_goes_on(shared_broker, topic):
    create(shared_broker, topic, 1, **{"max.message.bytes": "10000"})
    errors = {}
    p = producer(shared_broker, **{"linger.ms": 0})
    for name, octets in (("large", 20_000), ("small", 100)):
        p.produce(topic, b"x" * octets, on_delivery=lambda e, m, name=name: errors.update({name: e and e.name()}))
        p.flush(20)
    assert errors == {"large": "MSG_SIZE_TOO_LARGE", "small": None}


def test_an_offset_that_does_not_exist_is_reported(shared_broker, topic):
    create(shared_broker, topic, 1)
    produce(shared_broker, topic, [b"1"])
    c = Consumer({"bootstrap.servers": shared_broker, "group.id": topic, "auto.offset.reset": "error"})
    c.assign([TopicPartition(topic, 0, 5000)])
    message = until(lambda: c.poll(1))
    assert message.error().name() in ("_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE")
    c.close()


@pytest.mark.skipif(not all(map(shutil.which, ["tshark", "dumpcap", "kcat"])), reason="tshark or kcat is not installed")
def test_the_dissector_finds_nothing_malformed(shared_broker, topic, tmp_path):
    """A capture of clients on Debian's librdkafka, whose versions its dissector knows (it calls the newer ones of PyPI's malformed):
    kcat, and a stage with its group and transactions. Every message is as it should be, and every response has its request."""
    host, port = shared_broker.split(",")[0].rsplit(":", 1)
    if host not in ("127.0.0.1", "localhost"):
        pytest.skip("captures on the loopback interface only")
    stage = Path(os.environ["SIGNALBOX_BIN"]).with_name("stage-probe") if "SIGNALBOX_BIN" in os.environ else None
    stage = os.environ.get("SIGNALBOX_STAGE_PROBE", stage)
    assert stage, "SIGNALBOX_BIN names no build"
    for name in (topic, topic + "-out"):
        create(shared_broker, name, 2)
    capture = tmp_path / "kafka.pcapng"
    dumpcap = subprocess.Popen(
        ["dumpcap", "-q", "-i", "lo", "-f", f"tcp port {port}", "-B", "64", "-w", str(capture)], stderr=subprocess.PIPE, text=True
    )
    line = dumpcap.stderr.readline()
    while line and not line.startswith("File:"):
        if "permission" in line.lower():
            pytest.skip("may not capture: " + line.strip())
        line = dumpcap.stderr.readline()
    assert line, "dumpcap did not start"
    try:
        converse(shared_broker, topic, str(stage))
    finally:
        # What was said is in the file once dumpcap has ended.
        dumpcap.send_signal(signal.SIGINT)
        dumpcap.wait(20)

    def fields(condition, *names):
        return subprocess.run(
            ["tshark", "-r", str(capture), "-d", f"tcp.port=={port},kafka", "-Y", f"kafka && ({condition})", "-T", "fields",
             *[word for name in names for word in ("-e", name)]],
            capture_output=True, text=True, timeout=120, check=True,
        ).stdout  # fmt: skip

    keys = collections.Counter(int(key) for key in fields("kafka.api_key", "kafka.api_key").replace(",", "\n").split())
    print(f"{sum(keys.values())} messages of {len(keys)} kinds: {dict(sorted(keys.items()))}")
    # Produce, Fetch, ListOffsets, Metadata, the requests of groups, ApiVersions, and those of transactions.
    assert {0, 1, 2, 3, 9, 10, 11, 12, 13, 14, 18, 22, 24, 25, 26, 28} <= set(keys)
    wrong = "_ws.malformed || kafka.request_missing || _ws.expert.severity >= 8388608"
    # It stops at the members' metadata, in the requests that librdkafka sends as in our responses: a fault of its own.
    stops_early = [f"{key}\tDissected message does not end at the pdu length offset" for key in (11, 14)]
    found = fields(wrong, "kafka.api_key", "_ws.expert.message", "frame.number").splitlines()
    assert [line for line in found if line.rsplit("\t", 1)[0] not in stops_early] == []


def converse(address, topic, stage):
    """Kcat writes, a stage copies in transactions, kcat reads the copies as a group, by time and from the end."""

    def kcat(*args, text=None):
        return subprocess.run(["kcat", "-b", address, *args], input=text, capture_output=True, text=True, timeout=60, check=True).stdout

    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        kcat("-P", "-t", topic, "-z", codec, "-X", "enable.idempotence=true", text="".join(f"{codec}-{n}\n" for n in range(200)))
    process = subprocess.Popen([stage, address, topic, "one", "dynamic", f"{topic}:{topic}-out"], stderr=subprocess.DEVNULL)
    try:
        until(lambda: len(kcat("-C", "-t", topic + "-out", "-e", "-q").split()) == 1000)
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert len(kcat("-G", topic + "-reader", "-e", "-q", "-o", "beginning", topic + "-out").split()) == 1000
    assert kcat("-Q", "-t", f"{topic}-out:0:-1", "-t", f"{topic}-out:1:-2").count("offset") == 2
    assert f'topic "{topic}" with 2 partitions' in kcat("-L")
