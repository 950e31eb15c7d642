"""An SMPP client made of smpplib, which nobody here wrote: it submits within a window and collects receipts."""

import re
import select
import time
import warnings

import smpplib.client
import smpplib.consts
import smpplib.exceptions

SUBMIT_WINDOW = 50


class Submission:
    """One attempt to hand in a message."""

    def __init__(self, number, attempt):
        self.number = number
        self.attempt = attempt
        # Unique per attempt: two attempts of one message are two messages to the gateway.
        self.text = f"message {number} attempt {attempt}"
        self.message_id = None


class Client:
    """Submits `count` messages with registered_delivery. What was never answered is submitted again after a reconnect."""

    def __init__(self, port, count, destination="46701234567", source="Signalbox", account="demo", password="secret", first=0, **fields):
        self.port = port
        self.account = account
        self.password = password
        self.source = source
        self.destination = destination
        #: further fields of each submit_sm
        self.fields = fields
        self.to_submit = [Submission(number, 1) for number in range(first, first + count)]
        self.to_submit.reverse()
        self.unanswered = {}
        self.answered = []
        #: attempts whose answer never came: the gateway may have accepted them or not
        self.unknown = []
        self.refused = []
        #: message id of each receipt, in order, with its stat
        self.receipts = []
        self.reconnects = 0
        self.link = None

    # Connection

    def connect(self, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                link = smpplib.client.Client("127.0.0.1", self.port, timeout=10, allow_unknown_opt_params=True)
            link.set_message_sent_handler(self._answered)
            link.set_message_received_handler(self._received)
            link.set_error_pdu_handler(self._error)
            try:
                link.connect()
                link.bind_transceiver(system_id=self.account, password=self.password)
                self.link = link
                return
            except (smpplib.exceptions.ConnectionError, smpplib.exceptions.PDUError, OSError):
                link.state = smpplib.consts.SMPP_CLIENT_STATE_OPEN
                link.disconnect()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _lost(self):
        self.link.state = smpplib.consts.SMPP_CLIENT_STATE_OPEN
        self.link.disconnect()
        self.link = None
        self.reconnects += 1
        for submission in sorted(self.unanswered.values(), key=lambda item: -item.number):
            self.unknown.append(submission)
            self.to_submit.append(Submission(submission.number, submission.attempt + 1))
        self.unanswered.clear()

    def close(self):
        if self.link is not None:
            try:
                self.link.unbind()
            except (smpplib.exceptions.ConnectionError, smpplib.exceptions.PDUError, OSError):
                pass
            self.link.state = smpplib.consts.SMPP_CLIENT_STATE_OPEN
            self.link.disconnect()
            self.link = None

    # Events

    def _answered(self, pdu):
        submission = self.unanswered.pop(pdu.sequence)
        submission.message_id = pdu.message_id.decode()
        self.answered.append(submission)

    def _error(self, pdu):
        if pdu.command != "submit_sm_resp":
            raise AssertionError(f"{pdu.command} with status {pdu.status:#x}")
        submission = self.unanswered.pop(pdu.sequence)
        self.refused.append((submission, pdu.status))
        # ESME_RMSGQFUL, ESME_RTHROTTLED, ESME_RSYSERR: the same again a little later.
        if pdu.status in (0x14, 0x58, 0x08):
            time.sleep(0.02)
            self.to_submit.append(Submission(submission.number, submission.attempt + 1))
        else:
            raise AssertionError(f"message {submission.number} was refused with status {pdu.status:#x}")

    def _received(self, pdu):
        assert pdu.esm_class & 0x3C == 0x04, f"no receipt: esm_class {pdu.esm_class:#x}"
        text = (pdu.short_message or b"").decode("latin-1")
        named = re.search(r"id:(\S+)", text)
        stat = re.search(r"stat:(\S+)", text)
        identity = pdu.receipted_message_id
        if isinstance(identity, bytes):
            identity = identity.rstrip(b"\0").decode()
        if identity is not None and named:
            assert identity == named[1], f"the receipt names {named[1]} in its text and {identity} in its option"
        self.receipts.append((identity or named[1], stat[1] if stat else None))

    # Work

    def step(self):
        """One turn: submit what the window holds, then read what is there, or wait a moment for it."""
        if self.link is None:
            self.connect()
        try:
            while self.to_submit and len(self.unanswered) < SUBMIT_WINDOW:
                submission = self.to_submit.pop()
                # Noted before it is sent: the link may break on the way.
                self.unanswered[self.link.sequence_generator.sequence + 1] = submission
                pdu = self.link.send_message(
                    source_addr_ton=smpplib.consts.SMPP_TON_ALNUM, source_addr_npi=smpplib.consts.SMPP_NPI_UNK,
                    source_addr=self.source, dest_addr_ton=smpplib.consts.SMPP_TON_INTL, dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
                    destination_addr=self.destination, short_message=submission.text.encode("ascii"),
                    **({"registered_delivery": True} | self.fields))
                assert self.unanswered.get(pdu.sequence) is submission
            readable, _, _ = select.select([self.link._socket], [], [], 0.2)
            if readable:
                self.link.read_once()
        except (smpplib.exceptions.ConnectionError, OSError):
            self._lost()

    def run_until(self, done, timeout):
        deadline = time.monotonic() + timeout
        while not done():
            self.step()
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"after {timeout} s: {len(self.to_submit)} to submit, {len(self.unanswered)} unanswered, "
                    f"{len(self.answered)} answered, {len(self.receipts)} receipts, {self.reconnects} reconnects")

    def submit_all(self, timeout=120):
        self.run_until(lambda: not self.to_submit and not self.unanswered, timeout)

    def receive_all(self, timeout=120):
        """Until each acknowledged message has its receipt."""
        wanted = {submission.message_id for submission in self.answered}
        seen = [0, set()]

        def complete():
            for identity, _ in self.receipts[seen[0]:]:
                seen[1].add(identity)
            seen[0] = len(self.receipts)
            return wanted <= seen[1]

        self.run_until(complete, timeout)

    def linger(self, seconds):
        """Keeps reading: what comes now, comes too much."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.step()
