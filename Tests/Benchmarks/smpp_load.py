"""Drives a running gateway over one or more SMPP sessions and measures it from the client's side.

    python3 Tests/Benchmarks/smpp_load.py --port 2775 --messages 30000 --window 400

Every message asks for a report, and the run ends when each has its report. One that says anything but DELIVRD (a balance that is
spent, say) makes the run fail: refusing is faster than sending. The demo's account has 1,000 EUR, which is 31,250 messages; `signalbox
account topup demo 100000` first. Prints one line of figures, or with --json one
object: messages accepted per second, messages finished (report received) per second, and the submit answer's p50 and p99.
Only the standard library, and no SMPP library: the client must cost far less than what it measures.
"""

import argparse
import json
import selectors
import socket
import struct
import sys
import time

SUBMIT, SUBMIT_RESP, DELIVER, DELIVER_RESP, BIND_TRX = 4, 0x80000004, 5, 0x80000005, 9
TEXT = "Hello, this is message number %07d of the load"


def pdu(command, sequence, body=b"", status=0):
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


class Session:
    """One bound transceiver."""

    def __init__(self, port, account, password):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(pdu(BIND_TRX, 1, account.encode() + b"\0" + password.encode() + b"\0\0\x34\0\0\0"))
        answer = self.socket.recv(1000)
        if answer[8:12] != b"\0\0\0\0":
            sys.exit("the bind was refused with status 0x%s" % answer[8:12].hex())
        self.socket.setblocking(False)
        self.out, self.incoming, self.sequence, self.sent_at = bytearray(), b"", 2, {}

    def submit(self, number):
        text = (TEXT % number).encode()
        body = b"\0\x01\x0146700000000\0\x01\x01" + b"4670%07d" % number + b"\0\0\0\0\0\0\x01\0\0\0" + bytes([len(text)]) + text
        self.out += pdu(SUBMIT, self.sequence, body)
        self.sent_at[self.sequence] = time.time()
        self.sequence += 1

    def flush(self):
        if self.out:
            try:
                del self.out[: self.socket.send(self.out)]
            except BlockingIOError:
                pass

    def read(self):
        """What came in: latencies of good answers, number of refusals, number of reports, and of those that say DELIVRD."""
        data = self.socket.recv(1 << 18)
        if not data:
            sys.exit("the gateway closed the connection")
        data, offset, latencies, refused, reports, delivered = self.incoming + data, 0, [], 0, 0, 0
        while len(data) - offset >= 16:
            length, command, status, sequence = struct.unpack_from(">IIII", data, offset)
            if len(data) - offset < length:
                break
            if command == SUBMIT_RESP:
                started = self.sent_at.pop(sequence)
                if status == 0:
                    latencies.append(time.time() - started)
                else:
                    refused += 1
            elif command == DELIVER:
                reports += 1
                delivered += data.find(b"stat:DELIVRD", offset, offset + length) >= 0
                self.out += pdu(DELIVER_RESP, sequence, b"\0")
            offset += length
        self.incoming = data[offset:]
        return latencies, refused, reports, delivered


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=2775)
    parser.add_argument("--account", default="demo")
    parser.add_argument("--password", default="secret")
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--window", type=int, default=400, help="unanswered submits, over all sessions")
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--patience", type=float, default=30, help="seconds without any progress after which it gives up")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    sessions = [Session(options.port, options.account, options.password) for _ in range(options.sessions)]
    selector = selectors.DefaultSelector()
    for session in sessions:
        selector.register(session.socket, selectors.EVENT_READ, session)
    share = max(1, options.window // options.sessions)
    sent = refused = reports = delivered = 0
    latencies, began, accepted_at, progress = [], time.time(), None, time.time()
    while reports < options.messages - refused and time.time() - progress < options.patience:
        for session in sessions:
            while sent < options.messages and len(session.sent_at) < share:
                session.submit(sent)
                sent += 1
            session.flush()
            selector.modify(session.socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if session.out else 0), session)
        for key, events in selector.select(1):
            if events & selectors.EVENT_READ:
                good, bad, told, came = key.data.read()
                latencies += good
                refused += bad
                reports += told
                delivered += came
                progress = time.time()
        if accepted_at is None and len(latencies) + refused == options.messages:
            accepted_at = time.time()
    ended = time.time()
    for session in sessions:  # the last answers still have to go out
        session.socket.setblocking(True)
        session.socket.sendall(session.out)
    latencies.sort()
    if not latencies or accepted_at is None:
        sys.exit(f"only {len(latencies)} of {options.messages} were accepted")
    result = {
        "messages": options.messages, "accepted": len(latencies), "refused": refused, "reports": reports, "delivered": delivered,
        "accepted_per_second": round(len(latencies) / (accepted_at - began)),
        "finished_per_second": round(reports / (ended - began)),
        "answer_p50_ms": round(latencies[len(latencies) // 2] * 1000, 1),
        "answer_p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 1),
    }
    if options.json:
        print(json.dumps(result))
    else:
        print(
            "{messages} messages: {accepted} accepted at {accepted_per_second}/s, {refused} refused, {reports} reports, {delivered} delivered, finished at "
            "{finished_per_second}/s; answers p50 {answer_p50_ms} ms, p99 {answer_p99_ms} ms".format(**result))
    sys.exit(0 if delivered == reports == len(latencies) else 1)


if __name__ == "__main__":
    main()
