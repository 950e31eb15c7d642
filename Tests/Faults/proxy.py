"""A TCP proxy that breaks connections when told to. A process of its own, so that it costs its tests no time.

    python3 proxy.py LISTEN_PORT TARGET_PORT

Reads one command a line and answers each with a line:

    pass      forward everything, take new connections (the state at the start)
    cut       reset every connection, at once and both ways
    swallow   the connections there are stay open and pass nothing any more, ever; new ones pass
    stall     nothing passes, on old and new connections, until `pass`; then all goes on where it stopped
    refuse    reset every connection and take no new ones, until `pass`
    count     the number of connections
"""

import os
import selectors
import socket
import struct
import subprocess
import sys

CHUNK = 1 << 16


class Pair:
    """Two ends and what is on the way between them."""

    def __init__(self, near, far):
        self.ends = (near, far)
        self.waiting = {near: bytearray(), far: bytearray()}
        self.is_swallowed = False
        self.is_ended = {near: False, far: False}

    def other(self, end):
        return self.ends[1] if end is self.ends[0] else self.ends[0]


class Proxy:
    def __init__(self, port, target):
        self.port, self.target = port, target
        self.selector = selectors.DefaultSelector()
        self.pairs = {}
        self.is_stalled = False
        self.listener = None
        self.listen()

    def listen(self):
        if self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
            self.listener.setblocking(False)
            self.selector.register(self.listener, selectors.EVENT_READ, self.accept)

    def unlisten(self):
        if self.listener is not None:
            self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None

    def accept(self, _end, _events):
        try:
            near, _ = self.listener.accept()
        except OSError:
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            self.reset(near)
            return
        pair = Pair(near, far)
        for end in pair.ends:
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pairs[end] = pair
            self.selector.register(end, selectors.EVENT_READ, self.serve)
        if self.is_stalled:
            self.watch(pair)

    def watch(self, pair):
        """Asks for what there is to do on both ends; nothing where nothing is to pass."""
        for end in pair.ends:
            wanted = 0
            if not self.is_stalled and not pair.is_swallowed:
                if not pair.is_ended[end] and len(pair.waiting[pair.other(end)]) < 1 << 20:
                    wanted |= selectors.EVENT_READ
                if pair.waiting[end]:
                    wanted |= selectors.EVENT_WRITE
            known = self.selector.get_map().get(end.fileno()) if end.fileno() >= 0 else None
            if wanted and known is None:
                self.selector.register(end, wanted, self.serve)
            elif wanted and known.events != wanted:
                self.selector.modify(end, wanted, self.serve)
            elif not wanted and known is not None:
                self.selector.unregister(end)

    def serve(self, end, events):
        pair = self.pairs.get(end)
        if pair is None:
            return
        other = pair.other(end)
        try:
            if events & selectors.EVENT_WRITE and pair.waiting[end]:
                del pair.waiting[end][: end.send(pair.waiting[end])]
            if events & selectors.EVENT_READ:
                data = end.recv(CHUNK)
                if data:
                    pair.waiting[other] += data
                    del pair.waiting[other][: other.send(pair.waiting[other])]
                else:
                    pair.is_ended[end] = True
        except BlockingIOError:
            pass
        except OSError:
            return self.drop(pair)
        for one in pair.ends:
            if pair.is_ended[one] and not pair.waiting[pair.other(one)]:
                try:
                    pair.other(one).shutdown(socket.SHUT_WR)
                except OSError:
                    return self.drop(pair)
        if all(pair.is_ended.values()) and not any(pair.waiting.values()):
            return self.drop(pair, gently=True)
        self.watch(pair)

    def drop(self, pair, gently=False):
        for end in pair.ends:
            self.pairs.pop(end, None)
            if end.fileno() >= 0 and end.fileno() in self.selector.get_map():
                self.selector.unregister(end)
            if gently:
                end.close()
            else:
                self.reset(end)

    @staticmethod
    def reset(end):
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        end.close()

    def all(self):
        return list({id(pair): pair for pair in self.pairs.values()}.values())

    def obey(self, command):
        if command == "pass":
            self.is_stalled = False
            self.listen()
            for pair in self.all():
                self.watch(pair)
        elif command == "cut":
            for pair in self.all():
                self.drop(pair)
        elif command == "refuse":
            self.unlisten()
            for pair in self.all():
                self.drop(pair)
        elif command == "swallow":
            for pair in self.all():
                pair.is_swallowed = True
                self.watch(pair)
        elif command == "stall":
            self.is_stalled = True
            for pair in self.all():
                self.watch(pair)
        return str(len(self.all()))

    def run(self):
        os.set_blocking(0, False)
        self.selector.register(0, selectors.EVENT_READ, None)
        print("ready", flush=True)
        text = b""
        while True:
            for key, events in self.selector.select():
                if key.data is not None:
                    key.data(key.fileobj, events)
                    continue
                data = os.read(0, 4096)
                if not data:
                    return
                *lines, text = (text + data).split(b"\n")
                for line in lines:
                    print(self.obey(line.decode()), flush=True)


class Link:
    """A proxy's remote control."""

    def __init__(self, port, target):
        self.port = port
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), str(port), str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


if __name__ == "__main__":
    Proxy(int(sys.argv[1]), int(sys.argv[2])).run()
