"""The gateway's own client speaks TLS where it is told to: through a terminator in front of the broker, which speaks none itself."""

import os
import socket
import ssl
import subprocess
import threading

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import Broker, until
from test_stage import probe

pytestmark = pytest.mark.skipif("SIGNALBOX_KAFKA" in os.environ, reason="needs a broker of its own")


def pump(source, sink):
    try:
        while octets := source.recv(65536):
            sink.sendall(octets)
    except OSError:
        pass
    for s in (source, sink):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def terminate(listener, context, port):
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        try:
            inside = context.wrap_socket(plain, server_side=True)
            behind = socket.create_connection(("127.0.0.1", port))
        except (OSError, ssl.SSLError):
            continue
        for pair in ((inside, behind), (behind, inside)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


def test_a_stage_reads_and_writes_over_tls(tmp_path, topic):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"localhost:{listener.getsockname()[1]}"
    broker = Broker(tmp_path / "data", "--advertise", address)
    threading.Thread(target=terminate, args=(listener, context, broker.port), daemon=True).start()
    secure = {"bootstrap.servers": address, "security.protocol": "ssl", "ssl.ca.location": str(certificate), "broker.address.family": "v4"}
    admin = AdminClient(secure)
    for future in admin.create_topics([NewTopic(topic, 2, 1), NewTopic(topic + "-out", 1, 1)]).values():
        future.result(20)
    properties = f"security.protocol=ssl;ssl.ca.location={certificate}"
    stage = subprocess.Popen(
        [probe(), address, topic, "tls", "dynamic", f"{topic}:{topic}-out"], env={**os.environ, "SIGNALBOX_KAFKA_PROPERTIES": properties}
    )
    try:
        p = Producer(secure)
        for n in range(100):
            p.produce(topic, b"%02d" % n)
        assert p.flush(20) == 0
        c = Consumer({**secure, "group.id": "reader", "auto.offset.reset": "earliest", "isolation.level": "read_committed"})
        c.subscribe([topic + "-out"])
        seen = []

        def complete():
            seen.extend(m.value() for m in c.consume(100, 0.5) if m.error() is None)
            return len(seen) >= 100

        until(complete, 60)
        assert sorted(seen) == [b"%02d" % n for n in range(100)]
        c.close()
    finally:
        stage.terminate()
        stage.wait(30)
        listener.close()
        broker.close()
