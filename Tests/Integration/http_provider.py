"""A provider with an HTTP API, made of Python's own server: it answers as a test tells it to, and reports by calling back."""

import base64
import json
import queue
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "t0ken/+"
CALLBACK_TOKEN = "cb-secret"


class Request:
    """What came in."""

    def __init__(self, handler, body):
        self.method = handler.command
        split = urllib.parse.urlsplit(handler.path)
        self.path = split.path
        self.headers = handler.headers
        self.body = body
        self.query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        if "form-urlencoded" in (handler.headers.get("Content-Type") or ""):
            self.query |= dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        self.at = time.monotonic()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def basic(self):
        kind, _, value = (self.headers.get("Authorization") or "").partition(" ")
        return base64.b64decode(value).decode() if kind == "Basic" else None


class Cut(Exception):
    """The connection is cut instead of an answer."""


class HTTPProvider:
    """Answers with what `answer(provider, request)` returns: a status and a body; or cuts the connection where it raises Cut."""

    def __init__(self, answer, tls=None):
        """`tls`: files of a certificate and its key."""
        self.answer = answer
        self.tls = tls
        self.requests = []
        self.connections = 0
        self.lock = threading.Lock()
        self.number = 0
        #: set at the end, so that answers that are kept back end too
        self.released = threading.Event()
        self.port = 0
        self.server = None
        self.callbacks = queue.Queue()
        self.callback_answers = []
        self.callback_url = None
        self._reporter = None

    def start(self):
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer of two writes would wait for the client's delayed acknowledgement.
            wbufsize = -1
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                with provider.lock:
                    provider.connections += 1

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self, body)
                with provider.lock:
                    provider.requests.append(request)
                try:
                    status, text = provider.answer(provider, request)
                    data = text.encode()
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                    self.wfile.flush()
                except (Cut, OSError):
                    self.close_connection = True

            do_GET = do_POST = do_PUT = serve

            def log_message(self, *arguments):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            # The handshake is done by the thread of the connection: one that fails must not hold up others.
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        """Nobody listens any more; open connections live on."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def close(self):
        self.released.set()
        self.callbacks.put(None)
        self.stop()
        if self._reporter is not None:
            self._reporter.join(30)

    def next_id(self):
        with self.lock:
            self.number += 1
            return f"P{self.number}"

    def seen(self, destination):
        """The requests for one recipient."""
        with self.lock:
            return [request for request in self.requests if destination in self.destination(request)]

    @staticmethod
    def destination(request):
        named = request.query.get("DESTADDR") or request.query.get("to")
        return named or (request.json.get("to") if request.body else "") or ""

    # Reports

    def report_to(self, url):
        """From now on each id in `callbacks` is reported, until the other side has taken it."""
        self.callback_url = url
        self._reporter = threading.Thread(target=self._report, daemon=True)
        self._reporter.start()

    def _report(self):
        while True:
            batch = [self.callbacks.get()]
            while len(batch) < 50 and not self.callbacks.empty():
                batch.append(self.callbacks.get())
            ended = None in batch
            items = [{"id": identity, "state": {"name": state}} for identity, state in filter(None, batch)]
            while items:
                status, text = call(self.callback_url, {"results": items})
                self.callback_answers.append((status, text))
                if status == 200 or self.released.is_set():
                    break
                time.sleep(0.1)
            if ended:
                return


def call(url, document=None, token=CALLBACK_TOKEN, method=None):
    """Status and text of an answer; status 0 where nobody answers."""
    data = None if document is None else json.dumps(document).encode()
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)
