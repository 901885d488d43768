# SPDX-License-Identifier: MIT
"""The machines that Hospes promises to run on: CPUs, interrupt controllers, memory; and its own options.

Tiny guests go through every combination; Debian's kernels, which take a hundred times as long, through
rows that contain every pair of values.
"""

import re

import pytest

import board
import tiny
from machine import torn
from tree import cells64

MIB = 1 << 20
CPUS = ["cortex-a53", "cortex-a57", "cortex-a76", "neoverse-n1", "max"]
TROUBLE = r"BUG|WARNING|Call trace|Oops|stall|Unable to handle|irq \d+: nobody cared|SError"


def cpus_work(machine, count):
    """That the focused Linux has `count` CPUs, each runs programs, and its kernel had nothing to complain of."""
    assert machine.run("nproc") == (0, "%d\n" % count)
    each = "n=0; while [ $n -lt %d ]; do taskset -c $n true || echo bad; n=$((n+1)); done" % count
    assert machine.run(each) == (0, "")
    status, text = machine.run("dmesg | grep -E '%s'" % TROUBLE)
    assert status == 1, text


# CPU, GIC, CPUs, vCPUs of the domU: more of them than CPUs in two rows.
LINUX = [("cortex-a53", 2, 1, 2), ("cortex-a57", 3, 4, 2), ("cortex-a76", 2, 8, 1), ("neoverse-n1", 3, 2, 4),
         ("max", 2, 4, 4), ("max", 3, 8, 2)]


@pytest.mark.parametrize("cpu, gic, cpus, vcpus", LINUX)
def test_linux(boot, cpu, gic, cpus, vcpus):
    """Else Debian does not run, or not on all its CPUs, on a machine of this kind."""
    machine = boot(cpu=cpu, gic=gic, cpus=cpus, domains=[board.dom0()] + board.domus(1, cpus=vcpus))
    machine.expect(r"GICv%d at " % gic)
    machine.expect("%d CPUs?, " % cpus)
    machine.expect_up("dom0", "domU1")
    for name, count in (("dom0", cpus), ("domU1", vcpus)):
        machine.shell(name)
        cpus_work(machine, count)
        status, text = machine.run("grep -c %s /proc/interrupts" % {2: "GIC-0", 3: "GICv3"}[gic])
        assert status == 0 and int(text) > 0


@pytest.mark.parametrize("gic", [2, 3])
@pytest.mark.parametrize("cpu", CPUS)
def test_tiny(boot, cpu, gic):
    """Else some number of CPUs of this kind leaves a CPU unused, or domains that never run."""
    for cpus in (1, 2, 4, 8):
        machine = boot(cpu=cpu, gic=gic, cpus=cpus, memory=640,
                       domains=[tiny.ticker("t%d" % number, 500) for number in range(cpus + 1)])
        machine.expect(r"\(hospes\) %d CPUs?, " % cpus)
        tiny.expect_ticks(machine, *["t%d" % number for number in range(cpus + 1)], count=2)
        machine.stop()


def test_least_memory(boot):
    """Else a machine of 512 MiB has no room for domains, or Hospes keeps a large part for itself."""
    machine = boot(domains=[tiny.ticker("t1", memory=400)] + tiny.tickers(5)[1:], memory=512)
    free = int(machine.expect(r"512 MiB of RAM, of which (\d+) MiB for domains")[1])
    assert free >= 504
    tiny.expect_ticks(machine, *["t%d" % number for number in range(1, 6)])


def test_most_memory(boot):
    """Else a large machine does not start, or a domain of most of it."""
    # Most is never touched, if nobody clears it: the computer of the test needs a few hundred MiB.
    lazy = ["-m", "65536M", "-object", "memory-backend-ram,id=ram,size=65536M,reserve=off",
            "-machine", "memory-backend=ram"]
    machine = boot(domains=[tiny.ticker("large", memory=60 << 10), tiny.ticker("small")], cpu="cortex-a53",
                   memory=1024, bootargs="console=dtuart bootscrub=0", qemu=lazy)
    free = int(machine.expect(r"65536 MiB of RAM, of which (\d+) MiB for domains")[1])
    assert free >= (64 << 10) - 256
    machine.expect('"large": 1 vCPU, 62914560 KiB')
    tiny.expect_ticks(machine, "large", "small")


BANKS = [(0x40000000, 256 * MIB), (0x58000000, 384 * MIB), (0x80000000, 512 * MIB)]
FIRMWARE = (0x60000000, 16 * MIB)    # in /reserved-memory
MEMRESERVE = (0x90000000, MIB)


def overlaps(start, end, place):
    return start < place[0] + place[1] and place[0] < end


def test_banks(boot, tmp_path, hypervisor):
    """Else memory that is not there, or that firmware uses, is handed to a guest."""
    def edit(tree):
        tiny.memory(tree, *BANKS)
        tree.set("/reserved-memory", **{"#address-cells": 2, "#size-cells": 2, "ranges": True})
        tree.put("/reserved-memory/firmware@60000000", "reg", cells64(*FIRMWARE))
        tree.put("/reserved-memory/firmware@60000000", "no-map", True)
    machine = boot(domains=[board.dom0(), tiny.guest("other", "crash", "mode=sleep", memory=256)], memory=1536,
                   **tiny.exact(tmp_path, hypervisor, edit, [MEMRESERVE]))
    machine.expect("1152 MiB of RAM, of which")
    machine.expect_all(r"\(d1\) crash begins: sleep", torn("dom0: Linux"))
    machine.shell("dom0")
    status, text = machine.run("grep 'System RAM' /proc/iomem")
    assert status == 0
    ram = [(int(first, 16), int(last, 16) + 1) for first, last in re.findall(r"^(\w+)-(\w+) : System", text, re.M)]
    assert sum(end - start for start, end in ram) == 512 * MIB
    for start, end in ram:
        assert any(bank <= start and end <= bank + size for bank, size in BANKS), text
        assert not overlaps(start, end, FIRMWARE) and not overlaps(start, end, MEMRESERVE), text
    # dom0 has to keep away from firmware's memory too: it gets it as it is, not as RAM.
    status, text = machine.run("ls /proc/device-tree/reserved-memory")
    assert status == 0 and "firmware@60000000" in text


def test_two_domus_no_dom0(boot):
    """Else a machine without dom0, as in cars and robots, is none that Debian runs on."""
    machine = boot(domains=board.domus(2))
    machine.expect_up("domU1", "domU2")
    machine.shell("domU2")
    assert machine.run("hostname") == (0, "domU2\n")
    machine.send("poweroff\r")
    machine.expect_focus("domU1")
    machine.shell("domU1")
    assert machine.run("hostname") == (0, "domU1\n")


def test_options(boot):
    """Else maxcpus=, dom0_max_vcpus= and sched=null, which users tune real-time machines with, do nothing."""
    machine = boot(cpus=4, bootargs="console=dtuart dom0_mem=384M maxcpus=3 dom0_max_vcpus=2 sched=null")
    machine.expect(r"\(hospes\) 3 CPUs, ")
    machine.expect_up("dom0", "domU1")
    for name, count in (("dom0", 2), ("domU1", 1)):
        machine.shell(name)
        cpus_work(machine, count)
    machine.shell("dom0")
    assert machine.run("awk '/^MemTotal/ { print int($2 / 102400) }' /proc/meminfo") == (0, "3\n")


def test_null_scheduler_is_full(boot):
    """Else sched=null lets two vCPUs share a CPU, or does not say why a domain is missing."""
    machine = boot(domains=[tiny.ticker("one"), tiny.ticker("two", cpus=2), tiny.ticker("three")],
                   bootargs="console=dtuart sched=null")
    machine.expect("/chosen/two: cpus = <2>: sched=null: no CPU is left")
    tiny.expect_ticks(machine, "one", "three")


def test_dom0_more_vcpus(boot):
    """Else dom0 cannot have more vCPUs than the machine has CPUs, as Xen's users may ask for."""
    machine = boot(cpus=1, domains=[board.dom0()], bootargs="console=dtuart dom0_mem=512M dom0_max_vcpus=4")
    machine.expect_up("dom0")
    machine.shell("dom0")
    cpus_work(machine, 4)
