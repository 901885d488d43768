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

    def wait_asleep(self):
        """Until the first CPU is halted: a domain that was running is not any more."""
        end = time.monotonic() + PATIENCE
        while "HLT=1" not in self.human("info registers"):
            assert time.monotonic() < end, "the first CPU is never asleep"
            time.sleep(0.05)

    def connect(self):
        """QEMU has begun to run, so its socket is there."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.path))
        self.stream = connection.makefile("rw")
        self.read()
        self.ask("qmp_capabilities")
