# SPDX-License-Identifier: MIT
"""QEMU's debugger stub: what a test does to the machine from outside, as hardware might.

Only what is needed of GDB's remote serial protocol (GDB manual, appendix E), and QEMU's packet for
physical addresses.
"""

import socket
import struct

from machine import PATIENCE

PC = 32  # the register's place among those of AArch64, eight bytes each


class Debugger:
    """The machine stands still while a Debugger is attached: `with Debugger(path) as debugger`."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        self.ask("?")
        assert self.ask("Qqemu.PhyMemMode:1") == "OK"
        return self

    def __exit__(self, *unused):
        self.ask("D")
        self.stream.close()
        self.socket.close()

    def ask(self, packet):
        """Sends a packet; returns the answer's text."""
        self.socket.sendall(b"$%s#%02x" % (packet.encode(), sum(packet.encode()) & 0xff))
        while self.stream.read(1) != b"$":
            pass
        answer = b""
        while not answer.endswith(b"#"):
            answer += self.stream.read(1)
        self.stream.read(2)
        self.socket.sendall(b"+")
        return answer[:-1].decode()

    def read(self, address):
        """The 64 bits at a machine address."""
        return struct.unpack("<Q", bytes.fromhex(self.ask("m%x,8" % address)))[0]

    def write(self, address, value):
        """Changes them."""
        assert self.ask("M%x,8:%s" % (address, struct.pack("<Q", value).hex())) == "OK"

    def pc(self, cpu):
        """Where CPU number `cpu` is."""
        assert self.ask("Hgp1.%x" % (cpu + 1)) == "OK" or self.ask("Hg%x" % (cpu + 1)) == "OK"
        return struct.unpack_from("<Q", bytes.fromhex(self.ask("g")), 8 * PC)[0]
