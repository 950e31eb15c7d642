"""How much one ingress instance accepts, from few sessions and from many, with the real broker and its fsync behind each answer.

    make bench-ingress

Starts a gateway of its own in a temporary directory. First the ingress and the broker alone (the other services stand still, as
they would have cores of their own), then with everything running on the same machine. For each number of sessions: messages
accepted per second, the answer's p50 and p99, the ingress's own CPU time per message, and its resident memory. No report is asked
for. The client is one Python process, and what it costs is part of the picture.
"""

import argparse
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Integration"))
from gateway import Gateway, wait_for  # noqa: E402

SUBMIT, SUBMIT_RESP, DELIVER, BIND_TX, ENQUIRE = 4, 0x80000004, 5, 2, 0x15
CONNECTOR = "smpp-in1"
KEEP_RUNNING = {"postgresql", "broker", "ingress-smpp", "smsc"}
TICKS = os.sysconf("SC_CLK_TCK")


def pdu(command, sequence, body=b""):
    return struct.pack(">IIII", 16 + len(body), command, 0, sequence) + body


def body(number):
    text = b"Hello, this is message number %07d of the load" % number
    return b"\0\x01\x0146700000000\0\x01\x01" + b"4670%07d" % number + b"\0\0\0\0\0\0\0\0\0\0" + bytes([len(text)]) + text


class Session:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(pdu(BIND_TX, 1, b"demo\0secret\0\0\x34\0\0\0"))
        answer = self.socket.recv(1000)
        if answer[8:12] != b"\0\0\0\0":
            sys.exit(f"the bind was refused with status 0x{answer[8:12].hex()}")
        self.socket.setblocking(False)
        self.out, self.incoming, self.sent_at = b"", b"", {}


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_megabytes(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def load(port, pid, count, messages, window):
    """`window` unanswered submits for each of `count` sessions."""
    began = time.perf_counter()
    sessions = {}
    for _ in range(count):
        session = Session(port)
        sessions[session.socket.fileno()] = session
    bound = time.perf_counter() - began
    poll = select.epoll()
    for number in sessions:
        poll.register(number, select.EPOLLIN)
    sent, refused, latencies = 0, 0, []
    cpu, began = cpu_seconds(pid), time.perf_counter()

    def fill(session):
        nonlocal sent
        chunk, now = [session.out] if session.out else [], time.perf_counter()
        while sent < messages and len(session.sent_at) < window:
            chunk.append(pdu(SUBMIT, sent + 2, body(sent)))
            session.sent_at[sent + 2] = now
            sent += 1
        if chunk:
            data = b"".join(chunk)
            try:
                done = session.socket.send(data)
            except BlockingIOError:
                done = 0
            session.out = data[done:]
            poll.modify(session.socket.fileno(), select.EPOLLIN | (select.EPOLLOUT if session.out else 0))

    for session in sessions.values():
        fill(session)
    progress = time.perf_counter()
    while len(latencies) + refused < messages:
        events = poll.poll(1)
        now = time.perf_counter()
        if events:
            progress = now
        elif now - progress > 30:
            sys.exit(f"stuck after {len(latencies)} of {messages}")
        for number, event in events:
            session = sessions[number]
            if event & select.EPOLLIN:
                data = session.socket.recv(1 << 18)
                if not data:
                    sys.exit("the gateway closed a connection")
                data, offset = session.incoming + data, 0
                while len(data) - offset >= 16:
                    length, command, status, sequence = struct.unpack_from(">IIII", data, offset)
                    if len(data) - offset < length:
                        break
                    if command == SUBMIT_RESP:
                        latencies.append(now - session.sent_at.pop(sequence))
                        refused += status != 0
                    elif command == ENQUIRE:
                        session.out += pdu(ENQUIRE | 0x80000000, sequence)
                    offset += length
                session.incoming = data[offset:]
            fill(session)
    took = time.perf_counter() - began
    cpu = cpu_seconds(pid) - cpu
    memory = resident_megabytes(pid)
    for session in sessions.values():
        session.socket.close()
    if refused:
        sys.exit(f"{refused} messages were refused")
    latencies.sort()
    return {
        "sessions": count, "window": window, "bind_seconds": round(bound, 2), "accepted_per_second": round(messages / took),
        "p50_ms": round(latencies[len(latencies) // 2] * 1000, 1), "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 1),
        "ingress_cpu_us": round(cpu / messages * 1e6, 1), "resident_mb": round(memory),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=40_000)
    parser.add_argument("--sessions", default="1,10,1000,2000")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
    counts = [int(word) for word in options.sessions.split(",")]
    gateway = Gateway()
    gateway.environment["SIGNALBOX_LOG_LEVEL"] = "warning"
    gateway.start()
    results = {}
    try:
        gateway.sql(
            "UPDATE connector_option SET value = %s WHERE connector = %s AND key = 'INSTANCES'", (str(max(counts) + 50), CONNECTOR))
        gateway.sql("UPDATE emguser SET charge_balance = 1000000 WHERE username = 'demo'")
        # The connector starts anew with the changed option.
        time.sleep(2)
        wait_for("the gateway is healthy", lambda: gateway.status_code() == 0)
        others = [pid for name, pid in gateway.pids().items() if name not in KEEP_RUNNING]
        for mode in ("ingress and broker alone", "everything on this machine"):
            for pid in others:
                os.kill(pid, signal.SIGSTOP if mode.endswith("alone") else signal.SIGCONT)
            pid = gateway.pids()["ingress-smpp"]
            # The first run warms up and does not count.
            load(gateway.smpp_port, pid, 1, 5_000, 400)
            results[mode] = []
            for count in counts:
                # As many unanswered messages in all, at least one for each session.
                results[mode].append(load(gateway.smpp_port, pid, count, options.messages, max(1, 400 // count)))
        wait_for(
            "the router is through", lambda: gateway.one("SELECT count(*) FROM routelog WHERE msgtype = 1 AND status < 10") == 0, 600, 1)
    finally:
        gateway.stop(check=False)
        gateway.remove()
    if options.json:
        print(json.dumps(results))
        return
    for mode, rows in results.items():
        print(f"\n{mode}\n")
        print("| sessions | window of each | accepted per second | p50 | p99 | ingress CPU per message | resident | time to bind |")
        print("|---|---|---|---|---|---|---|---|")
        for row in rows:
            print("| {sessions} | {window} | {accepted_per_second} | {p50_ms} ms | {p99_ms} ms | {ingress_cpu_us} µs | {resident_mb} MB | "
                  "{bind_seconds} s |".format(**row))


if __name__ == "__main__":
    main()
