# SPDX-License-Identifier: MIT
"""QEMU's own monitor (QMP): what somebody beside the machine does to it."""

import json
import socket


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
        """Runs a command to its end."""
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        answer = self.read()
        assert "return" in answer, answer

    def connect(self):
        """QEMU has begun to run, so its socket is there."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.path))
        self.stream = connection.makefile("rw")
        self.read()
        self.ask("qmp_capabilities")
