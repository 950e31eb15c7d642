"""`signalbox bench` on a debug build: its figures mean nothing here, its books do."""

import contextlib
import json
import os
import signal
import subprocess

import pytest

from gateway import executable, wait_for


def start_bench(place, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_")}
    with open(place / "bench.log", "ab") as log:
        return subprocess.Popen(
            [str(word) for word in (executable(), "bench", "--keep", place / "kept", "--json", place / "bench.json", *arguments)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True)


def finish(bench, place):
    try:
        code = bench.wait(300)
    except subprocess.TimeoutExpired:
        # Nothing is left behind: the bench, and all that it had started, which stand in no other place.
        for pid in [bench.pid, *children(place)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        bench.wait(60)
        raise AssertionError(f"the bench did not end:\n{(place / 'bench.log').read_text()}") from None
    return code, (place / "bench.log").read_text()


def children(place):
    """Processes that work in this place."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and int(entry) != os.getpid() and str(place).encode() in open(f"/proc/{entry}/cmdline", "rb").read():
                found.append(int(entry))
        except OSError:
            pass
    return found


@pytest.fixture
def place(tmp_path):
    # PostgreSQL may run as another user, who must be able to pass through.
    for part in (tmp_path, *tmp_path.parents):
        if part.owner() == tmp_path.owner() and part.name.startswith("pytest"):
            part.chmod(0o755)
    tmp_path.chmod(0o755)
    return tmp_path


def test_each_kind_of_case_measures_and_finds_the_books_in_agreement(place):
    cases = ["direct", "rest", "reports", "plain", "long", "http", "slow-50ms", "backlog", "restart"]
    bench = start_bench(place, "--quick", "--seconds", 2, "--backlog", 1000, *(word for case in cases for word in ("--case", case)))
    code, log = finish(bench, place)
    assert code == 0, log
    assert "All books agree." in log
    result = json.loads((place / "bench.json").read_text())
    assert [one["name"] for one in result["cases"]] == cases
    assert result["faults"] == []
    by_name = {one["name"]: one for one in result["cases"]}
    for name in ("reports", "plain", "long", "http", "slow-50ms", "backlog"):
        one = by_name[name]
        assert one["messages"] > 0 and one["accepted_per_second"] > 0 and one["end_to_end_per_second"] > 0, one
        assert one["duplicates"] == one["losses"] == one["refused"] == 0, one
        used = one["cpu_seconds_per_1000"]
        ingress = "ingress-http" if name == "http" else "ingress-smpp"
        assert all(used[process] > 0 for process in (ingress, "router", "billing", "egress-smpp", "broker", "postgresql")), one
        assert used["gateway"] < sum(used.values()), one
        assert one["disk_bytes_per_message"]["gateway"] > 0, one
        assert 0 < one["answer_ms"]["p50"] <= one["answer_ms"]["p99"], one
    for name in ("reports", "long", "http", "slow-50ms"):
        one = by_name[name]
        # The receipt comes a tenth of a second after the provider's answer.
        assert one["to_report_ms"]["p50"] > max(100, one["to_provider_ms"]["p50"]), one
        assert one["peak_memory_mib"]["gateway"] > one["peak_memory_mib"]["router"] > 1, one
    assert by_name["backlog"]["messages"] == 1000
    assert "peak_memory_mib" in by_name["rest"]
    # Ten for each fiftieth of a second is the most that this provider allows.
    assert by_name["slow-50ms"]["end_to_end_per_second"] < 260
    assert children(place) == []


def test_a_service_that_dies_meanwhile_is_told_and_costs_no_message(place):
    bench = start_bench(place, "--seconds", 6, "--case", "reports-1")
    kept = place / "kept"

    def under_way():
        assert bench.poll() is None, (place / "bench.log").read_text()
        arrivals = kept / "provider.arrivals"
        return arrivals.exists() and arrivals.stat().st_size > 24 * 100

    wait_for("messages come to the provider", under_way, 120)
    os.kill(json.loads((kept / "data" / "processes.json").read_text())["router"], signal.SIGKILL)
    code, log = finish(bench, place)
    assert code == 1, log
    result = json.loads((place / "bench.json").read_text())
    assert result["faults"] == ["reports-1: router ended and was started again"], log
    assert result["cases"][0]["losses"] == result["cases"][0]["duplicates"] == 0
    assert children(place) == []


def test_a_signal_stops_everything(place):
    bench = start_bench(place, "--seconds", 60, "--case", "latency")
    wait_for("the gateway is up", lambda: bench.poll() is not None or (place / "kept" / "data" / "up.json").exists(), 120)
    bench.terminate()
    code, log = finish(bench, place)
    assert code == 1 and "interrupted" in log, log
    assert children(place) == []


def test_what_cannot_be_measured_is_said_at_once():
    done = subprocess.run([str(executable()), "bench", "--case", "nonsense"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "there is no case nonsense" in done.stderr
    done = subprocess.run([str(executable()), "bench", "--seconds", "0"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "--seconds" in done.stderr
