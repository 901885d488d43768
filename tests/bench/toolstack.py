# SPDX-License-Identifier: MIT
"""What is measured in dom0: Debian's xl, and a guest's disk and network, with the instructions of hypervisor, kernels and
programs told apart (share.c). dom0 is the image of DOM0=xl; one CPU, a nanosecond for each instruction.
"""

import re
import sys
import tempfile
from pathlib import Path

import machines
from machines import board
import cpio  # pylint: disable=wrong-import-order

HERE = Path(__file__).resolve().parent
BUILT = board.BUILD / {"arm64": "bench", "x86_64": "bench-x86_64"}[machines.ARCH]
MEMORY = 4096
PATIENCE = 5 * machines.PATIENCE

# Behind what Xen for x86 puts before each line of dom0's.
FIGURE = re.compile(rb"^(?:\(XEN\) )?bench (\S+) (\d+) \d+ \d+ (\d+) (\d+)\r*$", re.MULTILINE)
FREE = re.compile(rb"^(?:\(XEN\) )?bench free (\d+)\r*$", re.MULTILINE)
GUEST = 256 * 1024  # KiB of it


def archive(files):
    """A cpio archive with these: name -> (file, mode)."""
    made = cpio.Archive()
    for name, (path, mode) in files.items():
        made.file(name, Path(path).read_bytes(), mode)
    return made.finish()


def ramdisk(folder):
    """dom0's: the image's own, with what measures behind it, which the kernel unpacks over it."""
    folder = Path(folder)
    image_rc = board.TOP / "image/xl/rc"
    guest = folder / "guest.cpio"
    measure = {"bench/measure": (BUILT / "measure", 0o755)}
    # The kernel looks for another archive where a multiple of 4 bytes begins.
    guest.write_bytes(cpio.Archive.padded((board.IMAGE / "guest.cpio.gz").read_bytes())
                       + archive({"bench/inside": (HERE / "dom0/inside", 0o755), **measure}))
    whole = folder / "dom0.cpio"
    whole.write_bytes(cpio.Archive.padded((board.IMAGE / "xl.cpio").read_bytes()) + archive({
        "etc/rc": (HERE / "dom0/rc", 0o755), "etc/rc.image": (image_rc, 0o755),
        "bench/brd.ko": (BUILT / "brd.ko", 0o644), "bench/guest.cpio": (guest, 0o644),
        **measure}))
    return whole


def shares(lines, figures):
    """Of each figure [ns, instructions of the hypervisor]: each the one in the middle of all samples.

    The counter goes on while the CPU waits for a timer: the former has sleeps in it."""
    queues = {slot: [] for slot in range(3)}
    for line in lines:
        slot, *counts = [int(word) for word in line.split()]
        queues[slot].append(counts)
    found = {}
    for name, time, count, slot in figures:
        mine, queues[slot] = queues[slot][:count], queues[slot][count:]
        if len(mine) != count:
            sys.exit("bench: %s: %d samples, but %d marks" % (name, count, len(mine)))
        found[name] = [time, sorted(hypervisors for hypervisors, _, _ in mine)[count // 2]]
    return found


def measure(hypervisor):
    """{name: [ns, instructions of the hypervisor]}; kept-guest: KiB."""
    with tempfile.TemporaryDirectory(prefix="hospes-bench-") as folder:
        share = Path(folder) / "share"
        domain = board.xl_dom0(ramdisk=ramdisk(folder))
        machine = machines.settings(hypervisor, domains=[domain], cpus=1, cpu=machines.CPU, counted=True, memory=MEMORY,
                                    dom0_memory=1024)
        command = machine.command(folder) + ["-plugin", "file=%s,out=%s" % (BUILT / "share.so", share)]
        with machines.Console(command, PATIENCE) as console:
            console.until(lambda text: b"bench done" in text or b"bench FAIL" in text)
            text = console.text
        if b"bench FAIL" in text:
            sys.exit("bench: dom0 failed:\n" + text.decode(errors="replace")[-4000:])
        figures = [(name.decode(), *map(int, numbers)) for name, *numbers in FIGURE.findall(text)]
        found = shares(share.read_text().splitlines(), figures)
    free = [int(kib) for kib in FREE.findall(text)]
    found["kept-guest"] = free[0] - free[1] - GUEST
    return found
