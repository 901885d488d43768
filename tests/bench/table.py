# SPDX-License-Identifier: MIT
"""The table of measurements: what is measured, what it should be, and what it is."""

import os
from dataclasses import dataclass

BEGIN = "<!-- made by `make bench`%s: do not edit -->\n"
END = "<!-- end of what `make bench` makes -->\n"


@dataclass
class Row:
    """A figure. Its goal is a number, a part of Xen's (PARTS), or None: half of Xen's."""
    title: str
    key: str
    bound: float           # the least that can do, see the document
    goal: float = None


TENTH = "a tenth of Xen's"

TRAPS_X86 = [
    Row("CPUID", "cpuid", 0, TENTH),
    Row("RDMSR of the APIC's number", "apic-id", 0, TENTH),
    Row("IN from PCI's address port", "port-pci", 0, TENTH),
    Row("read of an IO-APIC's register", "ioapic", 0, TENTH),
]
EVENTS_X86 = [
    Row("interrupt to itself by the local APIC: sent to handler", "ipi-self", 0, TENTH),
    Row("the same, until behind the handler", "ipi-self-whole", 0, TENTH),
    Row("timer (VCPUOP_set_singleshot_timer): expired to handler", "timer", 0, TENTH),
    Row("the same to a vCPU asleep in HLT", "halt", 0, TENTH),
    Row("interrupt to a vCPU asleep on the same CPU, the sender sleeps then: sent to received", "hop", 0, TENTH),
    Row("the same, there and back: two vCPU switches", "hop-and-back", 0, TENTH),
    Row("interrupt to a vCPU asleep on another CPU: both CPUs' instructions", "hop-apart", 0, TENTH),
    Row("the same, there and back", "hop-and-back-apart", 0, TENTH),
]
TRAPS = [
    Row("`HVC`: PSCI_VERSION", "psci-version", 71, 107),
    Row("`HVC`: unknown function", "no-function", 65, 100),
    Row("`HVC #0xea1`: unknown hypercall", "no-hypercall", 65, 100),
    Row("`HVC`: SMCCC_VERSION", "smccc-version", 65, 107),
    Row("GICD_TYPER read", "gicd-typer", 108, 165),
    Row("GICD_ISENABLER write of 0", "gicd-isenabler-0", 122, 185),
    Row("the same of a bit that is set already", "gicd-isenabler", 122, 185),
    Row("GICD_ISENABLER, GICD_ICENABLER: a bit set, and cleared again", "gicd-two-writes", 260),
    Row("ICC_SGI1R_EL1 write, no target", "sgi-nobody", 74, 115),
    Row("CNTP_CTL_EL0 read", "cntp-ctl", 0, 0),
    Row("emulated PL011: flags read", "uart-flags", 108, 165),
]
EVENTS = [
    Row("SGI to itself: sent to handler", "sgi-self", 100),
    Row("virtual timer: expired to handler", "timer", 80),
    Row("virtual timer: expired to behind `WFI`", "wfi", 65),
    Row("SGI to a vCPU asleep on the same CPU, the sender sleeps then: sent to received", "hop", 360),
    Row("the same, there and back: two vCPU switches", "hop-and-back", 720),
    Row("SGI to a vCPU asleep on another CPU: sent to received, both CPUs' instructions",
        "send-asleep-apart", 170),
    Row("SGI to a vCPU that runs on another CPU: the same", "send-awake-apart", 185),
    Row("SGI to another CPU, there and back, both vCPUs asleep in turn", "hop-and-back-apart", 470),
    Row("stage-2 fault: access to nothing, to the guest's handler", "abort", 105),
    Row("stage-2 fault: first touch of 2 MiB, cleared (Xen: the same at boot)", "first-touch", 65600),
]
CALLS = [
    Row("`xen_version`", "xen-version", 85, 120),
    Row("`sched_op` yield, nobody else there", "sched-yield", 150, 708),
    Row("event to itself, 2-level: sent to handler", "event", 250),
    Row("event to itself, FIFO: sent to handler", "event-fifo", 300),
    Row("event sent while it is pending", "event-pending", 170),
    Row("event channel: `alloc_unbound` and `close`", "event-channel", 0),
    Row("grant copy of a page", "grant-copy", 900),
    Row("grant copy of 32 pages", "grant-copy-32", 22000),
    Row("grant map, one page", "grant-map", 500),
    Row("grant unmap, one page", "grant-unmap", 500),
    Row("grant map, 32 pages", "grant-map-32", 12000),
    Row("grant unmap, 32 pages", "grant-unmap-32", 12000),
    Row("`decrease_reservation`, 4 KiB", "decrease-4k", 500),
    Row("`populate_physmap`, 4 KiB", "populate-4k", 600),
    Row("`decrease_reservation`, 2 MiB", "decrease-2m", 4000),
    Row("`populate_physmap`, 2 MiB", "populate-2m", 4000),
]
CONTROL = [
    Row("domain made: `createdomain`, `max_vcpus` (1), `max_mem`, pool for tables", "make", 0),
    Row("the same with 8 vCPUs", "make-8", 0),
    Row("and 64 MiB, in blocks of 2 MiB", "make-64m", 0),
    Row("and 256 MiB", "make-256m", 0),
    Row("`destroydomain` of an empty domain", "destroy", 0),
    Row("the same with 8 vCPUs", "destroy-8", 0),
    Row("with 64 MiB", "destroy-64m", 0),
    Row("with 256 MiB", "destroy-256m", 0),
    Row("foreign map, one page", "foreign-map", 0),
    Row("its unmap", "foreign-unmap", 0),
    Row("foreign map, 32 pages", "foreign-map-32", 0),
    Row("their unmap, 32 calls", "foreign-unmap-32", 0),
    Row("`getdomaininfolist` of dom0 and 1 domain", "list-1", 0),
    Row("of dom0 and 50 domains", "list-50", 0),
]
START = [
    Row("EL2 entry to first instruction: 512 MiB guest, image as large as Debian's kernel", "start-large", 500000,
        2000000),
    Row("512 MiB guest, small image", "start", 300000, 2000000),
    Row("two 512 MiB guests, small images: the first of them", "start-two", 400000, 2000000),
    Row("the same: the last of them", "start-last-two", 400000),
    Row("dom0 with Debian's kernel and a 512 MiB guest, which is the second", "start-dom0", 8000000, 20000000),
]
SIZES = [
    Row("image file, bytes", "image", 100760, 256 * 1024),
    Row("memory kept of 2 GiB, one 512 MiB guest, KiB", "kept", 4700, 8 * 1024),
    Row("memory kept for one more idle guest of 256 MiB that xl made, KiB", "kept-guest", 0),
]
# Measured by programs in dom0 and in a guest: the time that passes, and the hypervisor's part of the instructions.
PROGRAMS = [
    Row("`xl create` of a busybox guest: to its console's first byte", "create-first", 0),
    Row("the same: to its shell", "create-shell", 0),
    Row("`xl destroy` of it", "destroy-xl", 0),
    Row("`xl list`, 1 guest", "list-1-xl", 0),
    Row("`xl list`, 50 guests", "list-50-xl", 0),
    Row("blkfront to blkback: 4 KiB read, past the page cache", "read-4k", 0),
    Row("netfront to netback: ping, there and back", "ping", 0),
]


CALLS_X86 = [Row(row.title, row.key, 0, 400 if row.key == "xen-version" else TENTH) for row in CALLS]
START_X86 = [Row("machine's start to dom0's first instruction, firmware included, 512 MiB, small image", "start", 0,
                 "a quarter of Xen's")]
SIZES_X86 = [
    Row("image file, bytes", "image", 0, 400 * 1024),
    Row("memory kept of 2 GiB, dom0 of 512 MiB, KiB", "kept", 0, "half of Xen's"),
    Row("memory kept for one more idle guest of 256 MiB that xl made, KiB", "kept-guest", 0, "half of Xen's"),
]
# On Bochs, of a guest that xl made, which has neither PCI nor an IO-APIC; on_bochs.py puts its prefix before each figure.
NOTHING = {"port-pci": "IN from a port where nothing is", "ioapic": "read of memory where nothing is"}
BOCHS = [Row(NOTHING.get(row.key, row.title), "bochs-" + row.key, 0, 400 if row.key == "xen-version" else None)
         for row in TRAPS_X86 + EVENTS_X86 + CALLS_X86 if not row.key.endswith("-apart")]
PARTS = {TENTH: 10, "a quarter of Xen's": 4, "half of Xen's": 2}

GROUPS = {
    "arm64": [("round trip, instructions", TRAPS), ("event, instructions", EVENTS), ("Xen ABI, instructions", CALLS),
              ("toolstack's calls, instructions", CONTROL), ("start, instructions", START), ("size", SIZES)],
    "x86_64": [("round trip, instructions", TRAPS_X86), ("event, instructions", EVENTS_X86),
               ("Xen ABI, instructions", CALLS_X86), ("start, instructions", START_X86), ("size", SIZES_X86)],
}[os.environ.get("ARCH", "arm64")]
ON_BOCHS = [("on Bochs, instructions", BOCHS)]


def derive(found):
    """What follows from other figures."""
    found = dict(found)
    if found.get("first-touch") is not None and found["first-touch"] < 100 and "start-last-two" in found:  # mapped and cleared at boot
        found["first-touch"] = (found["start-last-two"] - found["start"]) // 256
    return found


def goal(row, xen):
    """What is to be reached."""
    if row.goal in PARTS:
        return xen // PARTS[row.goal]
    return row.goal if row.goal is not None else xen // 2


def lines(rows, ours, xens):
    """The rows of one table."""
    for row in rows:
        got, xen = ours.get(row.key), xens.get(row.key)
        if got is None or xen is None:
            yield "| %s | %s | | %s | | |" % (row.title, number(xen), number(got))
            continue
        aim = goal(row, xen)
        yield "| %s | %s | %s | %s | %s | %s |" % (
            row.title, number(xen), number(aim), "**%s**" % number(got) if got <= aim else number(got) + " ✗",
            number(row.bound) if row.bound else "", "+%s" % number(got - row.bound) if row.bound else "")


def program_lines(rows, ours, xens):
    """The rows of those that programs measure: nobody waits longer than on Xen; instructions as everywhere else."""
    for row in rows:
        time, own = ours.get(row.key, (None, None))
        xens_time, xens_own = xens.get(row.key, (None, None))
        times = "| %s | %s | %s |" % (row.title, microseconds(xens_time), microseconds(time))
        if own is None or xens_own is None:
            yield times + " | %s | | %s |" % (number(xens_own), number(own))
            continue
        aim = goal(row, xens_own)
        yield times + " %.2f%s | %s | %s | %s |" % (
            time / xens_time, "" if time <= xens_time else " ✗", number(xens_own), number(aim),
            "**%s**" % number(own) if own <= aim else number(own) + " ✗")


def microseconds(value):
    """Of nanoseconds."""
    return number(None if value is None else round(value / 1000))


def number(value):
    """With commas between thousands; what could not be measured is a stroke."""
    if value is None:
        return "—"
    return "{:,}".format(value)


def missed(ours, xens):
    """The titles of what is not reached."""
    ours, xens = derive(ours), derive(xens)
    rows = [(where, row) for where, groups in (("", GROUPS), ("on Bochs: ", ON_BOCHS)) for _, group in groups
            for row in group if row.key in ours and row.key in xens]
    programs = [row for row in PROGRAMS if row.key in ours and row.key in xens]
    return ([where + row.title for where, row in rows if ours[row.key] > goal(row, xens[row.key])]
            + [row.title for row in programs
               if ours[row.key][0] > xens[row.key][0] or ours[row.key][1] > goal(row, xens[row.key][1])])


def tables(groups, ours, xens):
    """Those of figures that have a goal and a lower bound."""
    for title, rows in groups:
        yield "| %s | Xen 4.20 | to reach | Hospes | lower bound | above it |" % title
        yield "| --- | ---: | ---: | ---: | ---: | ---: |"
        yield from lines(rows, ours, xens)
        yield ""


def markdown(ours, xens):
    """All tables of the main part."""
    ours, xens = derive(ours), derive(xens)
    parts = [*tables(GROUPS, ours, xens)]
    programs = [row for row in PROGRAMS if row.key in ours or row.key in xens]
    if programs:
        parts += ["| in dom0 and a guest | Xen 4.20: µs | Hospes: µs | ratio | Xen's instructions | to reach |"
                  " Hospes' |",
                  "| --- | ---: | ---: | ---: | ---: | ---: | ---: |", *program_lines(programs, ours, xens), ""]
    shells = [(title, key) for title, key in (("dom0", "shell-dom0"), ("domU", "shell-domu")) if key in ours]
    if shells:
        parts += ["| time to a shell, seconds | Xen 4.20 | Hospes | ratio |", "| --- | ---: | ---: | ---: |"]
    for title, key in shells:
        parts.append("| QEMU's start to %s's shell | %.1f | %.1f | %.2f |"
                     % (title, xens[key], ours[key], ours[key] / xens[key]))
    return "\n".join(parts) + "\n"


def on_bochs(ours, xens):
    """The table of what was counted on Bochs."""
    return "\n".join(tables(ON_BOCHS, ours, xens))


def plain(ours):
    """Only one hypervisor's, for the eye."""
    width = max(len(key) for key in ours)
    return "\n".join("%-*s %12s" % (width, key, number(value)) for key, value in ours.items())


def replace(document, text, where=""):
    """The document with a part of it replaced that is made: the main part, or the one that was made `where`."""
    begin = BEGIN % where
    before, rest = document.split(begin, 1)
    return before + begin + "\n" + text + "\n" + END + rest.split(END, 1)[1]
