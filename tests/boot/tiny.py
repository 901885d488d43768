# SPDX-License-Identifier: MIT
"""Machines that are up in a second: domains with the tiny kernels of tests/guest, trees of a test's own."""

import re
import struct

import libfdt
from machine import GAP, PATIENCE, TEAR, board, torn
from tree import Tree, cells64

GUEST = board.GUEST


def guest(name, kernel="tick", arguments="", **changes):
    """A domain that runs tests/guest's `kernel` with these boot arguments."""
    return board.domain(**{"name": name, "kernel": GUEST / (kernel + ".bin"), "ramdisk": None,
                           "bootargs": arguments, "memory": 16, **changes})


def ticker(name, period=100, **changes):
    """A domain that prints `tick NAME N` for ever, every `period` ms."""
    return guest(name, "tick", "name=%s period=%d" % (name, period), **changes)


def tickers(count):
    """`count` of them: one, two, ... by number."""
    return [ticker("t%d" % number) for number in range(1, count + 1)]


def expect_ticks(machine, *names, count=3):
    """Waits until each of these tickers has gone on `count` times from now."""
    left = {name: count for name in names}
    while left:
        waiting = list(left)
        machine.expect("|".join("(%s)" % torn("tick %s " % name) for name in waiting))
        name = waiting[machine.console.match.lastindex - 1]
        left[name] -= 1
        if not left[name]:
            del left[name]


def verdict(machine, name, allowed=(), patience=PATIENCE):
    """Waits for a guest's last line, however long it takes as long as it goes on; fails with the lines that failed.

    `allowed`: patterns of lines that may. The guest may have the focus, so lines of others may stand in its own.
    """
    number = r"(\d(?:%s\d)*)" % GAP
    totals = GAP.join([torn("guest %s: " % name), number, torn(" passed, "), number, torn(" failed")])
    lines = []
    while True:
        match = machine.expect(r"%s([^\r\n]*)[\r\n]|\bok [^\r\n]*[\r\n]|%s" % (torn("FAIL "), totals), patience)
        if match[2]:
            break
        if match[1] and not any(re.match(each, match[1]) for each in allowed):
            lines.append(match[1])
    passed, failed = [int(re.sub(TEAR, "", text)) for text in match.groups()[1:]]
    good = not lines and passed > 0 and (allowed or not failed)
    assert good, "\n".join(lines + ["%d passed, %d failed" % (passed, failed), "log: %s" % machine.log])


def module(tree, domain, number=0):
    """The path of one of a domain's modules, in the order of their addresses; dom0's domain is ""."""
    top = "/chosen/" + domain if domain else "/chosen"
    found = [path for path in tree.children(top) if "/module@" in path]
    return sorted(found, key=lambda path: int(path.rsplit("@", 1)[1], 16))[number]


def place(tree, path):
    """A module's (address, size)."""
    cells = tree.cells(path, "reg")
    return cells[0] << 32 | cells[1], cells[2] << 32 | cells[3]


def put_place(tree, path, address=None, size=None):
    """Changes a module's address, size or both."""
    was = place(tree, path)
    tree.put(path, "reg", cells64(was[0] if address is None else address,
                                  was[1] if size is None else size))


def exact(folder, hypervisor, edit, reserved=(), tree_at=0x48000000, hypervisor_at=0x48200000):
    """Settings for a machine whose tree reaches the hypervisor just as `edit` left it.

    With -kernel QEMU puts its own memory and PSCI into the tree. Here a loader of three instructions
    stands in the place of the firmware. `reserved` are (address, bytes) for /memreserve/.
    """
    stub, blob = folder / "stub.bin", folder / "exact.dtb"
    #  ldr x0, tree; ldr x4, hypervisor; br x4
    stub.write_bytes(struct.pack("<4I2Q", 0x58000080, 0x580000A4, 0xD61F0080, 0xD503201F,
                                 tree_at, hypervisor_at))

    def finish(tree):
        edit(tree)
        data = tree.blob()
        for address, size in reserved:
            data = reserve(data, address, size)
        blob.write_bytes(data)

    return {"bios": stub, "edit": finish,
            "qemu": ["-device", "loader,file=%s,addr=%#x,force-raw=on" % (blob, tree_at),
                     "-device", "loader,file=%s,addr=%#x,force-raw=on" % (hypervisor, hypervisor_at)]}


def memory(tree, *banks):
    """Makes the tree's memory these (address, bytes) in one node."""
    for path in tree.children("/"):
        if path.startswith("/memory"):
            tree.remove(path)
    tree.put("/memory@40000000", "device_type", "memory")
    tree.put("/memory@40000000", "reg", cells64(*[number for bank in banks for number in bank]))


def reserve(blob, address, size):
    """A tree's bytes with one more entry among its reserved places (/memreserve/)."""
    total, offsets = struct.unpack(">4xI3I", blob[:20])[0], list(struct.unpack(">3I", blob[8:20]))
    at = offsets[2]
    offsets = [offset + 16 if offset > at else offset for offset in offsets]
    head = blob[:4] + struct.pack(">4I", total + 16, *offsets) + blob[20:]
    return head[:at] + struct.pack(">2Q", address, size) + head[at:]


def try_clock(run):
    """In a guest that has the machine's clock: it runs, and its alarm comes by the interrupt. `run`: (status, text)."""
    assert run("cat /sys/class/rtc/rtc0/date") == (0, "2031-02-03\n")
    # A second and some away; set again, should it have been past before it was set.
    run("s() { for a in 0 +2; do echo $a >/sys/class/rtc/rtc0/wakealarm; done; sleep 4; }")
    run("r() { awk '/rtc-pl031/ { exit !$2 }' /proc/interrupts; }")
    assert run("r") == (1, "")
    assert run("until r; do s; done") == (0, "")


def clock_tree():
    """A partial device tree's bytes: the clock of QEMU's virt, a PL031, for a guest."""
    tree = Tree(bytes(libfdt.Fdt.create_empty_tree(4096).as_bytearray()))
    tree.set("/passthrough", **{"compatible": "simple-bus", "ranges": True, "#address-cells": 2, "#size-cells": 2})
    tree.set("/passthrough/clk", **{"compatible": "fixed-clock", "#clock-cells": 0, "clock-frequency": 24000000,
                                    "phandle": 0x100})
    tree.set("/passthrough/rtc@9010000", **{
        "compatible": ["arm,pl031", "arm,primecell"], "reg": cells64(0x9010000, 0x1000),
        "xen,reg": cells64(0x9010000, 0x1000, 0x9010000), "xen,path": "/pl031@9010000",
        "xen,force-assign-without-iommu": True, "interrupt-parent": 0xFDE8, "interrupts": [0, 2, 4],
        "clocks": 0x100, "clock-names": "apb_pclk"})
    return tree.blob()
