# SPDX-License-Identifier: MIT
"""QEMU's own monitor (QMP): what somebody beside the machine does to it."""

import json
import socket
import time

from machine import PATIENCE


class Monitor:
    """On a socket in `folder`; `arguments` are for QEMU."""

    def __init__(self, folder):
        self.path = folder / "monitor"
        self.arguments = ["-qmp", "unix:%s,server=on,wait=off" % self.path]
        self.stream = None

    def read(self):
        """The next answer; what QEMU tells unasked is passed over."""
        while True:
            line = json.loads(self.stream.readline())
            if "event" not in line:
                return line

    def ask(self, command, **arguments):
        """Runs a command to its end; what it answers."""
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        answer = self.read()
        assert "return" in answer, answer
        return answer["return"]

    def human(self, line):
        """The same for a line of the monitor for people; what it prints."""
        return self.ask("human-monitor-command", **{"command-line": line})

    def stop_asleep(self):
        """Stops the machine at a moment when its first CPU is halted: no domain runs there."""
        end = time.monotonic() + PATIENCE
        self.ask("stop")
        while "HLT=1" not in self.human("info registers"):
            assert time.monotonic() < end, "the first CPU is never asleep"
            self.ask("cont")
            time.sleep(0.05)
            self.ask("stop")

    def connect(self):
        """QEMU may have been started just now: its socket gets a name before somebody listens there."""
        end = time.monotonic() + PATIENCE
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE)
            try:
                connection.connect(str(self.path))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                assert time.monotonic() < end, "QEMU has no monitor"
                time.sleep(0.1)
        self.stream = connection.makefile("rw")
        self.read()
        self.ask("qmp_capabilities")
