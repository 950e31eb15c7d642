"""What goes over the wire is SMPP, as Wireshark understands it."""

import os
import shutil
import subprocess

import pytest

from client import Client
from gateway import wait_for

COUNT = 50


@pytest.mark.skipif(shutil.which("tshark") is None or shutil.which("dumpcap") is None, reason="tshark is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may capture")
def test_the_dissector_finds_no_malformed_pdu(gateway, tmp_path):
    ports = [gateway.smpp_port, gateway.smsc_port]
    capture = tmp_path / "demo.pcapng"
    said = open(tmp_path / "dumpcap.log", "w+")
    dumpcap = subprocess.Popen(
        ["dumpcap", "-q", "-i", "lo", "-f", " or ".join(f"tcp port {port}" for port in ports), "-w", str(capture)],
        stdout=said, stderr=said)
    try:
        # It names its file once it captures.
        wait_for("dumpcap captures", lambda: "File:" in (tmp_path / "dumpcap.log").read_text() or dumpcap.poll() is not None)
        if dumpcap.poll() is not None:
            pytest.skip("capturing is not possible here: " + (tmp_path / "dumpcap.log").read_text())
        client = Client(gateway.smpp_port, COUNT)
        client.connect()
        client.submit_all()
        client.receive_all()
        client.close()
        # On the disk once the last packet, our unbind, is.
        wait_for("the capture holds the end", lambda: count(capture, ports, "smpp.command_id == 0x80000006") >= 1)
    finally:
        dumpcap.terminate()
        dumpcap.wait(10)
        said.close()

    assert count(capture, ports, "_ws.malformed") == 0
    assert count(capture, ports, "_ws.expert.severity >= error && smpp") == 0
    # Both ways on both links, receipts included. A packet may hold many PDUs.
    for command in (0x00000004, 0x80000004, 0x00000005, 0x80000005, 0x00000009, 0x80000009):
        for port in ports:
            if command & 0x7FFFFFFF == 9 and port == gateway.smsc_port:
                continue  # the provider's session was bound before
            assert count(capture, ports, f"smpp.command_id == {command:#010x} && tcp.port == {port}") > 0, hex(command)


def count(capture, ports, display_filter):
    """Packets that the filter lets through."""
    words = ["tshark", "-r", str(capture), "-Y", display_filter, "-T", "fields", "-e", "frame.number"]
    for port in ports:
        words += ["-d", f"tcp.port=={port},smpp"]
    done = subprocess.run(words, capture_output=True, text=True)
    return len(done.stdout.split())
