"""Kafka's own client, in Java. SIGNALBOX_KAFKA_JAR names a jar that holds it (kafka-clients with what it needs); Debian and PyPI have none
of its own, so without it this is skipped."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

JAR = os.environ.get("SIGNALBOX_KAFKA_JAR")


@pytest.mark.skipif(not JAR or not shutil.which("java"), reason="SIGNALBOX_KAFKA_JAR names no jar of Kafka's client, or there is no Java")
def test_the_java_client_finds_everything_it_asks_for(shared_broker, topic):
    program = Path(__file__).parents[1] / "java" / "JavaClient.java"
    done = subprocess.run(["java", "-cp", JAR, str(program), shared_broker, topic], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0 and done.stdout.endswith("done\n"), (done.stdout + done.stderr)[-4000:]
