"""A client's endpoint for webhooks, that answers as its path says; and what tests need to speak HTTP."""

import base64
import hashlib
import hmac
import http.client
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gateway import wait_for


class Endpoint:
    """`/good` takes everything, `/fail` nothing, `/slow` takes its time, `/jasmin` answers in Jasmin's words."""

    def __init__(self, slowness=0.5):
        self.slowness = slowness
        self.fails = True
        self.requests = []
        self.lock = threading.Lock()
        self.ending = threading.Event()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body go in two writes: the second would wait 40 ms for the acknowledgement of the first.
            disable_nagle_algorithm = True

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urllib.parse.urlsplit(self.path)
                path = parts.path
                status, text = 200, b"ACK/Jasmin" if path.startswith("/jasmin") else b"ok"
                if path.startswith("/fail") and endpoint.fails:
                    status = 500
                if path.startswith("/slow"):
                    endpoint.ending.wait(endpoint.slowness)
                if status == 200:
                    with endpoint.lock:
                        endpoint.requests.append(Request(self.command, path, parts.query, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256

            def handle_error(self, *_):
                """A client that has lost its patience."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def got(self, path):
        with self.lock:
            return [request for request in self.requests if request.path == path]

    def wait(self, path, count=1, timeout=60):
        wait_for(f"{count} requests at {path}", lambda: len(self.got(path)) >= count, timeout)
        return self.got(path)

    def close(self):
        self.ending.set()
        self.server.shutdown()
        self.server.server_close()


class Request:
    def __init__(self, method, path, query, headers, body):
        self.method, self.path, self.headers, self.body = method, path, {name.lower(): value for name, value in headers.items()}, body
        self.at = time.time()
        self.parameters = dict(urllib.parse.parse_qsl(query if method == "GET" else body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def lateness(self):
        """Seconds from the making of the report, of which its id tells, to its arrival here."""
        return self.at - ((int(self.json["id"]) >> 22) / 1_000 + 1_577_836_800)

    def is_signed(self, secret):
        """As docs/http.md tells a client to check."""
        fields = dict(part.split("=", 1) for part in self.headers["signalbox-signature"].split(","))
        wanted = hmac.new(secret.encode(), fields["t"].encode() + b"." + self.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted, fields["v1"]) and abs(time.time() - int(fields["t"])) < 300


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


class API:
    """A client of the JSON interface."""

    def __init__(self, port, account=None, password="secret", key=None):
        self.port = port
        self.headers = {}
        if key:
            self.headers["Authorization"] = f"Bearer {key}"
        elif account:
            self.headers["Authorization"] = "Basic " + base64.b64encode(f"{account}:{password}".encode()).decode()

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, headers)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def send(self, body, **headers):
        return self.ask("POST", "/v1/messages", body, **headers)

    def wait_status(self, id, status, timeout=60):
        return wait_for(
            f"{id} is {status}", lambda: (got := self.ask("GET", f"/v1/messages/{id}")).status == 200 and got.json["status"] == status and got,
            timeout, 0.2).json
