"""The commands that an operator types against a running gateway."""

import json
import resource
import signal
import subprocess
import time

from gateway import executable, wait_for

STAGES = ["accepted", "routed", "priced", "submitted", "delivered"]


def test_status_shows_every_service_and_exits_with_zero(gateway):
    text = gateway.run("status").stdout
    for name in ["ingress-smpp", "ingress-http", "router", "billing", "egress-smpp", "dlr-matcher", "routelog", "delay", "postgresql", "broker", "smsc"]:
        assert name in text
    status = gateway.json("status")
    assert status["healthy"] is True
    assert {row["state"] for row in status["services"]} == {"healthy"}
    assert {row["service"]: row["pid"] for row in status["services"]}.items() <= gateway.pids().items()
    assert {"smpp-in1", "smpp-providerA"} <= {row["name"] for row in status["connectors"]}
    assert all(isinstance(row["queued"], int) for row in status["connectors"]) and isinstance(status["delayed"], int)


def test_a_service_opens_as_many_files_as_it_may(gateway):
    """The usual soft limit is 1,024, and each session is an open file."""
    def limits(pid):
        line = next(line for line in open(f"/proc/{pid}/limits") if line.startswith("Max open files"))
        return line.split()[3:5]

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    environment = gateway.environment | {
        "SIGNALBOX_DATABASE_URL": gateway.state["database_url"], "SIGNALBOX_KAFKA": gateway.state["kafka"],
        "SIGNALBOX_INSTANCE": "egress-http-limited"}
    limited = subprocess.Popen(
        ["prlimit", f"--nofile=256:{hard}", executable(), "run", "egress-http"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=environment)
    try:
        wait_for("it has raised its limit", lambda: limits(limited.pid) == [str(hard)] * 2, 30)
    finally:
        limited.send_signal(signal.SIGTERM)
        limited.wait(30)
    for name in ("ingress-smpp", "ingress-http", "egress-smpp", "broker"):
        soft, most = limits(gateway.pids()[name])
        assert soft == most, name


def test_status_of_nothing_says_so_and_exits_with_one(tmp_path):
    done = subprocess.run([executable(), "status", "--data", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert "nothing is running" in done.stderr and done.stdout == ""


def test_a_second_up_in_the_same_directory_is_refused(gateway):
    done = gateway.run("up", check=False)
    assert done.returncode == 1
    assert f"process {gateway.process.pid}" in done.stderr


def test_send_prints_the_message_id(gateway):
    done = gateway.run("send", "--from", "Signalbox", "--to", "46701234567", "--text", "hello")
    (identity,) = [word for word in done.stdout.split() if word.isdigit() and len(word) > 15]
    wait_for("the message is logged", lambda: gateway.sql("SELECT 1 FROM routelog WHERE msgid = %s", (int(identity),)))


def test_send_and_wait_prints_the_messages_life(gateway):
    text = gateway.run("send", "--from", "Signalbox", "--to", "46701234567", "--text", "Grüße: €", "--wait").stdout
    steps = [line.split()[0] for line in text.splitlines()[1:] if line.startswith("  ")]
    assert steps == STAGES
    assert "smpp-providerA" in text and "EUR" in text


def test_send_and_wait_as_json(gateway):
    sent = gateway.json("send", "--from", "46700000000", "--to", "46701234567", "--text", "json", "--count", "3", "--wait")
    assert len(sent["messages"]) == 3
    for message in sent["messages"]:
        assert [step["stage"] for step in message["life"]] == STAGES
        times = [step["at_ms"] for step in message["life"]]
        assert times == sorted(times) and abs(times[0] / 1000 - time.time()) < 60
        assert message["charge"] == "0.032" and message["charge_cost"] == "0.018" and message["currency"] == "EUR"
        assert message["state"] == "delivered"


def test_message_show_tells_the_same_story(gateway):
    sent = gateway.json("send", "--from", "Signalbox", "--to", "4915112345678", "--text", "story", "--wait")
    identity = sent["messages"][0]["id"]
    text = gateway.run("message", "show", identity).stdout
    for word in STAGES + ["smpp-in1", "smpp-providerA", "4915112345678"]:
        assert word in text
    assert isinstance(gateway.json("message", "show", identity), dict)


def test_a_wrong_password_is_an_error_in_words(gateway):
    done = gateway.run(
        "send", "--from", "a", "--to", "46701234567", "--text", "x", "--account", "demo", "--password", "wrong", check=False)
    assert done.returncode == 1 and done.stdout == "" and "password" in done.stderr


def test_a_message_that_is_not_there_is_an_error_in_words(gateway):
    done = gateway.run("message", "show", "1", check=False)
    assert done.returncode == 1 and done.stderr.strip() != ""


def test_up_restarts_what_is_killed_within_a_second(own_gateway):
    old = own_gateway.kill("router")
    started = time.monotonic()
    own_gateway.wait_restarted("router", old, timeout=5)
    assert time.monotonic() - started < 1
    own_gateway.wait_healthy()


def test_a_second_up_on_the_same_directory_continues(own_gateway):
    sent = own_gateway.json("send", "--from", "a", "--to", "46701234567", "--text", "before", "--wait")
    balance = own_gateway.balance()
    own_gateway.stop()
    own_gateway.start()
    assert own_gateway.balance() == balance
    assert own_gateway.run("message", "show", sent["messages"][0]["id"]).returncode == 0
    own_gateway.json("send", "--from", "a", "--to", "46701234567", "--text", "after", "--wait")


def test_an_up_that_was_killed_is_followed_by_one_that_cleans_up(own_gateway):
    balance = own_gateway.balance()
    own_gateway.process.send_signal(signal.SIGKILL)
    own_gateway.process.wait()
    done = own_gateway.run("status", check=False)
    assert done.returncode == 1 and "ended without cleaning up" in done.stderr
    own_gateway.start()
    assert own_gateway.balance() == balance
    state = json.loads((own_gateway.data / "up.json").read_text())
    assert state["pid"] == own_gateway.process.pid
