"""Measures what one HTTP ingress accepts: wrk with 64 connections that stay open, single messages and lists of 100."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Integration"))

from gateway import Gateway  # noqa: E402

SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
local one = '{{"to":"4670%07d","from":"Shop","text":"Your code is 123456. It is valid for ten minutes."}}'
local n = 0
function request()
  local parts = {{}}
  for i = 1, {size} do
    n = n + 1
    parts[i] = string.format(one, n % 10000000)
  end
  local body = parts[1]
  if {size} > 1 then body = '{{"messages":[' .. table.concat(parts, ",") .. "]}}" end
  return wrk.format(nil, nil, nil, body)
end
function done(summary, latency)
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout + summary.errors.connect))
end
"""


def measure(gateway, key, size, seconds, connections):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.format(key=key, size=size))
        script.flush()
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", script.name,
             f"http://127.0.0.1:{gateway.http_port}/v1/messages"],
            capture_output=True, text=True, check=True)
    requests, microseconds, p50, p99, errors = map(int, re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout).groups())
    rate = requests / (microseconds / 1e6)
    print(
        f"{size:>4} in a request: {rate:8.0f} requests/s {rate * size:8.0f} messages/s   p50 {p50 / 1000:7.1f} ms   p99 {p99 / 1000:7.1f} ms"
        f"   errors {errors}", flush=True)
    return requests * size


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    gateway = Gateway()
    gateway.start()
    try:
        gateway.run("account", "add", "bench", "--password", "secret", "--postpaid", "--balance", "1000000")
        gateway.run("access", "add", "bench", "--network", "127.0.0.1/32", "--connector", "*")
        key = gateway.json("account", "key", "add", "bench")["key"]
        # What follows the ingress is another matter: it is stopped, so that both cores serve what is measured.
        for name in ("router", "billing", "dlr-matcher", "routelog", "egress-smpp", "smsc"):
            os.kill(gateway.pids()[name], 19)
        try:
            measure(gateway, key, 1, 3, options.connections)
            for size in (1, 100):
                measure(gateway, key, size, options.seconds, options.connections)
        finally:
            for name in ("router", "billing", "dlr-matcher", "routelog", "egress-smpp", "smsc"):
                os.kill(gateway.pids()[name], 18)
    finally:
        gateway.stop(check=False)
        gateway.remove()


if __name__ == "__main__":
    main()
