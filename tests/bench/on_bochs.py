# SPDX-License-Identifier: MIT
"""What is measured on Bochs, whose AMD-V tells how long an instruction that exits is, as real processors do and QEMU's
does not. The guest is one that xl makes, for Xen has no PVH dom0 there: dom0 is PV on Xen, and PVH on Hospes.
"""

import re
import sys
import tempfile
from pathlib import Path

import machines
import toolstack
from machines import board
import cpio  # pylint: disable=wrong-import-order

PREFIX = "bochs-"  # of the figures' names
MEMORY = 1024
DOM0_MEMORY = 512
GUEST_MEMORY = 256
PATIENCE = 5 * machines.PATIENCE  # five thousand million instructions

# After so many yields in a row that dom0 made no use of, it sleeps.
SETTLE = 5000

# One after the other: [(what the guest does, its vCPUs)]. xl's first guest is domain 1.
GUESTS = [("do=xen domid=1", 1), ("do=xen domid=2 fifo=1", 1), ("do=pair", 2), ("do=one", 1)]

# The guests' messages, all of them; and none of dom0's that tells only how far it is, nor its search of its own tables
# for pages that can be both written and executed, which takes 400 million instructions.
OPTIONS = board.CONSOLE + " bootscrub=0 guest_loglvl=all dom0_mem=%dM" % DOM0_MEMORY
QUIET = "quiet rodata=off"

# Xen has GRUB switch to a screen that Bochs' terminal cannot show, if there is one.
SCREEN = "vga: extension=none"

CONFIG = """\
name = "guest%d"
type = "pvh"
kernel = "/guests/bench.bin"
extra = "%s settle=%d end=off"
memory = %d
vcpus = %d
tsc_mode = "native"
"""


def ramdisk(folder):
    """dom0's: what xl needs, and the guests behind it."""
    files = {"guests/bench.bin": (machines.GUEST, 0o644)}
    for number, (arguments, vcpus) in enumerate(GUESTS, 1):
        config = Path(folder) / ("%d.cfg" % number)
        config.write_text(CONFIG % (number, arguments, SETTLE, GUEST_MEMORY, vcpus))
        files["guests/" + config.name] = (config, 0o644)
    whole = Path(folder) / "guests.cpio"
    whole.write_bytes(cpio.Archive.padded((toolstack.BUILT / "guests.cpio").read_bytes()) + toolstack.archive(files))
    return whole


def machine(hypervisor, folder):
    """The machine with this hypervisor, or with Xen for None."""
    dom0 = board.dom0(ramdisk=ramdisk(folder), also=QUIET)
    return board.Machine(**board.on_bochs(hypervisor=hypervisor or board.XEN, cpus=1, counted=True, memory=MEMORY,
                                          bootargs=OPTIONS, domains=[dom0], qemu=[SCREEN]))


def count(hypervisor):
    """Starts the machine and gives the guests' figures: {name: median}."""
    with tempfile.TemporaryDirectory(prefix="hospes-bench-") as folder:
        with machines.Console(machine(hypervisor, folder).command(folder), PATIENCE) as console:
            console.until(lambda text: b"bench end" in text)
            text = console.text
    if b"FAIL" in text or text.count(b"bench done") != len(GUESTS):
        sys.exit("bench: on Bochs the guests failed:\n" + text.decode(errors="replace")[-4000:])
    found = {name.decode(): int(median) for name, median, _, _ in machines.FIGURE.findall(text)}
    return {PREFIX + name: value for name, value in found.items() if name not in ("start", "done")}
