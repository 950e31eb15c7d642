"""Kannel (bearerbox and smsbox of Debian) with the gateway as its SMSC, by SMPP or by HTTP, and an endpoint for what it tells."""

import shutil
import subprocess
import tempfile
import threading
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gateway import wait_for
from interop.peers import free_port

CONFIGURATION = """
group = core
admin-port = {admin_port}
admin-password = admin
admin-interface = 127.0.0.1
smsbox-port = {box_port}
box-allow-ip = 127.0.0.1
log-file = {place}/bearerbox.log
log-level = 0
dlr-storage = internal

{smsc}
group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box_port}
sendsms-port = {http_port}
sendsms-interface = 127.0.0.1
log-file = {place}/smsbox.log
log-level = 0
http-request-retry = 0

group = sendsms-user
username = kannel
password = kannel
concatenation = true
max-messages = 10

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "{endpoint}/mo?from=%p&to=%P&text=%b&coding=%c"
"""


SMPP = """
group = smsc
smsc = smpp
smsc-id = signalbox
host = 127.0.0.1
port = {port}
smsc-username = {account}
smsc-password = {password}
system-type = ""
transceiver-mode = true
interface-version = 34
enquire-link-interval = 5
reconnect-delay = 1
max-pending-submits = 20
"""

# One Kannel in front of another, as its guide calls it: what is said back goes to a port of the SMSC's own.
HTTP = """
group = smsc
smsc = http
system-type = kannel
smsc-id = signalbox
send-url = "http://127.0.0.1:{port}/cgi-bin/sendsms"
port = {back_port}
connect-allow-ip = 127.0.0.1
smsc-username = {account}
smsc-password = {password}
dlr-url = "{back_url}&from=%P&to=%p&text=%A"
"""


class Endpoint:
    """Keeps the query of each request that Kannel makes."""

    def __init__(self):
        requests = self.requests = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urllib.parse.urlsplit(self.path)
                requests.append((parts.path, dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def of(self, path):
        return [query for at, query in list(self.requests) if at == path]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Kannel:
    """`smsc` is how the gateway is spoken to at `port`: SMPP or HTTP."""

    def __init__(self, port, account, password, smsc=SMPP):
        self.place = Path(tempfile.mkdtemp(prefix="signalbox-kannel-"))
        self.endpoint = Endpoint()
        self.http_port = free_port()
        ports = {self.http_port}
        while len(ports) < 4:
            ports.add(free_port())
        admin_port, box_port, back_port = ports - {self.http_port}
        self.admin_port = admin_port
        #: where an SMSC of type HTTP takes reports and messages
        self.back_url = f"http://127.0.0.1:{back_port}/?username={account}&password={password}"
        file = self.place / "kannel.conf"
        file.write_text(CONFIGURATION.format(
            place=self.place, admin_port=admin_port, box_port=box_port, http_port=self.http_port, endpoint=self.endpoint.url,
            smsc=smsc.format(port=port, back_port=back_port, account=account, password=password, back_url=self.back_url)))
        self.processes = []
        try:
            self.begin("bearerbox", file)
            wait_for("bearerbox is bound to the gateway", lambda: "online" in self.status(), 60)
            self.begin("smsbox", file)
            wait_for("smsbox answers", lambda: self.fetch(f"http://127.0.0.1:{self.http_port}/") is not None, 60)
        except BaseException:
            print(self.said())
            self.stop()
            raise

    def begin(self, program, file):
        with open(self.place / f"{program}.out", "wb") as output:
            self.processes.append(subprocess.Popen(
                [f"/usr/sbin/{program}", str(file)], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.place))

    def fetch(self, url):
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None

    def status(self):
        answer = self.fetch(f"http://127.0.0.1:{self.admin_port}/status.txt?password=admin")
        return answer[1] if answer else ""

    def send(self, to, text, source="Kannel", number=0, **more):
        query = {
            "username": "kannel", "password": "kannel", "from": source, "to": to, "text": text, "dlr-mask": 31,
            "dlr-url": f"{self.endpoint.url}/dlr?type=%d&number={number}&reply=%A&smscid=%F", **more}
        answer = self.fetch(f"http://127.0.0.1:{self.http_port}/cgi-bin/sendsms?{urllib.parse.urlencode(query)}")
        assert answer and answer[0] == 202, answer
        return answer[1]

    def said(self):
        texts = [path.read_text(errors="replace")[-4000:] for path in sorted(self.place.glob("*.*")) if path.suffix in (".log", ".out")]
        return "\n".join(texts)

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.endpoint.close()
        shutil.rmtree(self.place, ignore_errors=True)
