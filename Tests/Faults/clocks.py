"""Wall clocks that can be stepped, of one process or of all (clock.c)."""

import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path

RECORD = struct.Struct("=24sq")
OFFSET_IN_RECORD = 24
#: By the words of their command lines. The last one is every other command of signalbox.
NAMES = ["ingress-smpp", "router", "billing", "egress-smpp", "dlr-matcher", "routelog", "delay", "broker", "postgres", "up", "signalbox"]


class Clocks:
    """For a gateway that has not been started yet."""

    def __init__(self, gateway):
        place = gateway.place / "clocks"
        (place / "bin").mkdir(parents=True)
        self.library, self.file = place / "clock.so", place / "file"
        source = Path(__file__).resolve().with_name("clock.c")
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o", self.library, source], check=True)
        with open(self.file, "wb") as file:
            file.write(b"".join(RECORD.pack(name.encode(), 0) for name in NAMES))
        variables = {"LD_PRELOAD": str(self.library), "SIGNALBOX_TEST_CLOCKS": str(self.file)}
        gateway.environment |= variables
        # PostgreSQL gets nothing of our environment. It is started by setpriv, as it is found on our PATH.
        setpriv = place / "bin/setpriv"
        exports = "".join(f"export {name}='{value}'\n" for name, value in variables.items())
        setpriv.write_text(f"#!/bin/sh\n{exports}exec {shutil.which('setpriv')} \"$@\"\n")
        setpriv.chmod(0o755)
        gateway.environment["PATH"] = f"{place / 'bin'}:{os.environ['PATH']}"
        self._ahead = dict.fromkeys(NAMES, 0.0)
        with open(self.file, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)

    def set(self, seconds, names=NAMES):
        """These clocks are this much ahead from now on."""
        for name in names:
            self._ahead[name] = seconds
            place = NAMES.index(name) * RECORD.size + OFFSET_IN_RECORD
            self._memory[place:place + 8] = struct.pack("=q", round(seconds * 1e9))

    def governs(self, pid):
        """Whether this process goes by the clocks here."""
        mapped = Path(f"/proc/{pid}/maps").read_text()
        return str(self.library) in mapped and str(self.file) in mapped

    def close(self):
        self._memory.close()
