# SPDX-License-Identifier: MIT
"""A machine whose dom0 has Xen's toolstack (image/xl), driven by its shell, and the guests that xl makes."""

import re
from contextlib import contextmanager

import cpio
from machine import ARCH, PATIENCE, board

# For what has to start a kernel, or to go through a disk.
LONG = 3 * PATIENCE

# How much tests write to disks and send through networks.
MEBIBYTES = 16

# What Xen says that it can run.
CAPABILITIES = {"arm64": "xen-3.0-aarch64", "x86_64": "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64"}[ARCH]

# The machine. On a PC dom0's disk and card reach guests' memory through the IOMMU.
MACHINE = {"arm64": {}, "x86_64": {"iommu": "amd-iommu"}}[ARCH]

# How many CPUs a guest starts with that is to have one, then two: on a PC Linux gets none that its ACPI tables did not
# have when it started.
CPUS_AT_FIRST = {"arm64": 1, "x86_64": 2}[ARCH]


def with_files(folder, files):
    """dom0's ramdisk with more files in it (name in dom0 -> file here), made in `folder`."""
    more = cpio.Archive()
    for name, path in files.items():
        more.file(name, path.read_bytes())
    ramdisk = folder / "xl.cpio"
    ramdisk.write_bytes((board.IMAGE / "xl.cpio").read_bytes() + more.finish())
    return ramdisk


class Dom0:
    """dom0's shell. Every command has to succeed unless a test says otherwise."""

    def __init__(self, boot, ramdisk=board.IMAGE / "xl.cpio", memory=3072, dom0_memory=1024, beside=(), options="", qemu=(),
                 **changes):
        self.machine = boot(domains=[board.xl_dom0(ramdisk=ramdisk), *beside], memory=memory,
                            bootargs="%s bootscrub=0 guest_loglvl=none dom0_mem=%dM %s"
                            % (board.CONSOLE, dom0_memory, options),
                            qemu=[*board.devices(board.IMAGE / "disk.img"), *qemu], **{**MACHINE, **changes})
        self.machine.slowly = False  # dom0's console is no emulated UART
        self.machine.expect_up("dom0", patience=LONG)
        self.machine.shell("dom0")

    def run(self, command, patience=PATIENCE, status=0):
        """Runs a command where the keyboard is, dom0 or the guest of `console`; returns its output."""
        assert len(command) < 95, "see write(): %s" % command
        ended, text = self.machine.run(command, patience)
        assert ended == status, "%s: exit status %d, and:\n%s" % (command, ended, text)
        return text

    def until(self, command, patience=LONG):
        """Runs a command over and over until it succeeds."""
        self.run("await '%s'" % command, patience)

    def write(self, path, lines):
        """Writes a small file line by line: Xen keeps no more than 128 characters for dom0 to read."""
        self.machine.send("cat >%s <<END\r" % path)
        for line in [*lines, "END"]:
            self.machine.expect("> ")
            self.machine.send(line + "\r")
        self.machine.expect_prompt()

    def configure(self, *settings, name="guest", number=2, kernel="/guest/vmlinuz", extra=None):
        """Writes a guest's configuration: /guest/guest.cfg's, and `settings`, lines that come behind it."""
        if extra is None:
            extra = "console=hvc0 rdinit=/init name=%s address=%s/24" % (name, address(number))
        self.write("own.cfg", ['name="%s"' % name, 'kernel="%s"' % kernel, 'extra="%s"' % extra, *settings])
        self.run("cat /guest/guest.cfg own.cfg >/tmp/%s.cfg" % name)

    def create(self, *settings, name="guest", options="", **changes):
        """Has xl create a guest like that."""
        self.configure(*settings, name=name, **changes)
        self.run("xl create -q %s /tmp/%s.cfg" % (options, name), LONG)

    def domain(self, name):
        """A domain's line of `xl list`: {id, memory, vcpus, state}, or None."""
        found = re.search(r"^%s +(\d+) +(\d+) +(\d+) +(\S{6}) " % re.escape(name), self.run("xl list"), re.MULTILINE)
        if not found:
            return None
        return {"id": int(found[1]), "memory": int(found[2]), "vcpus": int(found[3]), "state": found[4]}

    def await_answer(self, number=2):
        """Waits until a guest answers a ping."""
        self.until("ping -c 1 -W 1 %s" % address(number))

    def await_console(self, name="guest", kind="pv"):
        """Waits until xenconsoled has made a new guest's console."""
        place = {"pv": "console", "vuart": "vuart/0"}[kind]
        self.until("xenstore-read /local/domain/$(xl domid %s)/%s/tty" % (name, place))

    @contextmanager
    def console(self, name="guest", kind="pv"):
        """Commands of this block run in the guest, at its console."""
        self.await_console(name, kind)
        self.machine.send("xl console -t %s %s\r\r" % (kind, name))
        self.machine.focused = name
        self.machine.expect_prompt(LONG)
        yield
        self.machine.focused = "dom0"
        self.machine.send("\x1d")
        self.machine.expect_prompt()

    def checksum(self, path):
        """The MD5 of a file's or disk's first MEBIBYTES, read from the disk itself."""
        self.run("sync; echo 3 >/proc/sys/vm/drop_caches")
        told = self.run("dd if=%s bs=1M count=%d 2>/dev/null | md5sum" % (path, MEBIBYTES), LONG)
        return re.search(r"^([0-9a-f]{32}) ", told, re.MULTILINE)[1]

    def fill(self, path):
        """Writes so much, different each time, to a file or disk; returns its checksum."""
        self.run("dd if=/dev/urandom of=%s bs=1M count=%d conv=fsync,notrunc" % (path, MEBIBYTES), LONG)
        return self.checksum(path)


def address(number):
    """The address of a guest on xenbr0; 1 is dom0."""
    return "192.168.128.%d" % number
