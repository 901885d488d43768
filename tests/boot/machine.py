# SPDX-License-Identifier: MIT
"""A whole machine in QEMU for a test: boot it, read and type at its console, end it."""

import os
import re
import signal
import sys
import tempfile
from pathlib import Path

import pexpect

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "image"))

import board as arm64  # noqa: E402 pylint: disable=wrong-import-position
import pc  # noqa: E402 pylint: disable=wrong-import-position

# What the machines of the architecture under test are made with.
ARCH = os.environ.get("ARCH", "arm64")
board = {"arm64": arm64, "x86_64": pc}[ARCH]

# Seconds to wait for anything. Only a test that fails waits so long: eight emulated CPUs on two that others use too
# need over a hundred to a shell. A slower computer still sets a factor.
PATIENCE = 400 * float(os.environ.get("HOSPES_PATIENCE", "1"))

# Characters of a command: what is typed faster than a domain looks is kept for it up to 1024, with what `run` adds.
INPUT = 900

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Another domain's line; the focused domain's own behind Xen's prefix.
OTHERS = re.compile(r"^(\(d\d+\) |\(XEN\) DOM\d+: ).*\n?", re.MULTILINE)
PREFIX = re.compile(r"^\(XEN\) ", re.MULTILINE)
# Lines of others in the middle of one that the domain in focus writes: it is waited for, but not long, and by the
# hypervisor not at all.
TEAR = r"\r*\n(?:\(\w+\) [^\n]*\n)+"
GAP = "(?:%s)?" % TEAR


def torn(text):
    """A pattern for `text` of the domain in focus, also where lines of others stand in it."""
    return GAP.join(re.escape(letter) for letter in text)


class Machine:
    """The machine's settings are those of board.Machine; `expect` and the rest act on its console."""

    def __init__(self, log, xen=False, **settings):
        self.settings = board.xen(**settings) if xen else board.Machine(**settings)
        self.names = {"DOM0": "dom0"}
        guests = [domain for domain in self.settings.domains if not domain.hardware]
        self.names.update({"DOM%d" % number: domain.name for number, domain in enumerate(guests, 1)})
        hardware = any(domain.hardware for domain in self.settings.domains)
        self.focused = "dom0" if hardware or not guests else guests[0].name
        self.slowly = xen and ARCH == "arm64"  # its emulated UART loses the interrupt for what comes in one go
        self.log = log
        self.folder = tempfile.TemporaryDirectory(prefix="hospes-test-")
        self.output = None
        self.console = None

    def start(self):
        """Switches it on."""
        program, *arguments = self.settings.command(self.folder.name)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.with_suffix(".command").write_text(" ".join([program] + arguments) + "\n")
        for tree in Path(self.folder.name).glob("*.dtb"):
            self.log.with_suffix(".dtb").write_bytes(tree.read_bytes())
        self.output = open(self.log, "w", encoding="utf-8", newline="")
        self.console = pexpect.spawn(program, arguments, timeout=PATIENCE, encoding="utf-8",
                                     codec_errors="replace", echo=False, maxread=65536)
        self.console.logfile_read = self.output
        return self

    def stop(self):
        """Ends QEMU, by its own process number and no other."""
        if self.console is not None:
            if self.console.isalive():
                for number in (signal.SIGTERM, signal.SIGKILL):
                    self.console.kill(number)
                    try:
                        self.console.expect(pexpect.EOF, timeout=60)
                        break
                    except pexpect.TIMEOUT:
                        continue
                # It has closed its console: on a busy computer it still takes its time to go.
                self.console.wait()
            self.console.close(force=True)
            self.output.close()
            self.console = None
        self.folder.cleanup()

    def fail(self, wanted):
        """Fails the test with the end of what the console said."""
        text = ESCAPES.sub("", self.console.before or "")
        tail = "\n".join(text.replace("\r", "").splitlines()[-40:])
        raise AssertionError("never came: %s\nlog: %s\nthe console's last words:\n%s"
                             % (wanted.replace(GAP, ""), self.log, tail)) from None

    def expect(self, pattern, patience=PATIENCE):
        """Waits for a regular expression on the console; returns its match."""
        try:
            self.console.expect(pattern, timeout=patience)
        except (pexpect.TIMEOUT, pexpect.EOF):
            self.fail(pattern)
        return self.console.match

    def expect_all(self, *patterns, patience=PATIENCE):
        """Waits for several expressions, in whatever order they come."""
        left = list(patterns)
        while left:
            try:
                left.pop(self.console.expect(left, timeout=patience))
            except (pexpect.TIMEOUT, pexpect.EOF):
                self.fail(" and ".join(left))

    def expect_up(self, *names, patience=PATIENCE):
        """Waits until these domains have Linux and a shell (image/init), in whatever order they come."""
        self.expect_all(*[torn(name + ": Linux") for name in names], patience=patience)

    def expect_prompt(self, patience=PATIENCE):
        """Waits for the prompt of the shell that has the keyboard."""
        self.expect(torn(self.focused + "# "), patience)

    def expect_off(self, patience=PATIENCE):
        """Waits for the machine to switch itself off (or to reset: QEMU then ends too)."""
        try:
            self.console.expect(pexpect.EOF, timeout=patience)
        except pexpect.TIMEOUT:
            self.fail("the machine's end")

    def send(self, text):
        """Types at the console."""
        for part in text if self.slowly else [text]:
            self.console.send(part)

    def switch(self):
        """Ctrl-A three times; returns who has the keyboard now: a domain's name, or "hypervisor"."""
        self.send("\x01\x01\x01")
        target = self.expect(r"Serial input to (\S+) \(")[1]  # whole, not as much as has come
        self.focused = self.names.get(target, "hypervisor")
        return self.focused

    def expect_focus(self, name):
        """Waits until the keyboard goes to another domain by itself, as it does when the focused one ends."""
        target = {domain: name for name, domain in self.names.items()}[name]
        self.expect(r"Serial input to %s " % target)
        self.focused = name

    def focus(self, name):
        """Gives the keyboard to a domain or to "hypervisor"."""
        for _ in range(len(self.names) + 2):
            if self.focused == name:
                return
            self.switch()
        raise AssertionError("Ctrl-A never reaches %s" % name)

    def shell(self, name):
        """Gives the keyboard to a domain's shell and waits for its prompt."""
        self.focus(name)
        self.send("\r")
        self.expect_prompt()

    def run(self, command, patience=PATIENCE):
        """Runs a command in the focused domain's shell; returns (exit status, output)."""
        assert len(command) < INPUT
        # The quotes keep the echo of the command line from being taken for the output.
        self.send("echo 'be''gin'; %s; echo 'en''d='$?\r" % command)
        self.expect(torn("begin") + r"\r+\n", patience)
        status = int(self.expect(r"(?:\(XEN\) )?%s(\d+)\r+\n" % (torn("end=") + GAP), patience)[1])
        text = ESCAPES.sub("", self.console.before).replace("\r", "")
        self.expect_prompt(patience)
        return status, PREFIX.sub("", OTHERS.sub("", text))
