# SPDX-License-Identifier: MIT
"""Two boards with the device trees that their makers wrote, as far as QEMU carries them."""

import time

import pytest

import board
import tiny
from gdb import Debugger
from machine import PATIENCE
from tree import cells64

HYPERVISOR = 1 << 47  # addresses above are its own
NOWHERE = 0x1f0       # in the page of the spin table, where no CPU looks


@pytest.mark.parametrize("name", ["zcu102", "raspi4b"])
def test_two_shells(boot, name):
    """Else Hospes runs on the one machine that it was written on, and on no board that somebody has."""
    # QEMU shows 960 MiB of a raspi4b.
    machine = boot(board=name, domains=[board.dom0()] + board.domus(1, memory=256))
    machine.expect("4 CPUs, ")
    machine.expect_up("dom0", "domU1")
    machine.shell("dom0")
    assert machine.run("hostname; nproc") == (0, "dom0\n4\n")
    machine.shell("domU1")
    assert machine.run("hostname; nproc") == (0, "domU1\n1\n")
    status, text = machine.run("dmesg | grep -E 'BUG|Call trace|Oops|stall'")
    assert status == 1, text
    machine.send("poweroff\r")
    machine.expect_focus("dom0")
    machine.shell("dom0")
    assert machine.run("hostname") == (0, "dom0\n")


def test_late_cpu(boot, tmp_path):
    """Else a CPU that firmware lets go late takes the stack and the number of another."""
    table = []

    def edit(tree):
        cpus = [path for path in tree.children("/cpus") if "/cpu@" in path]
        table.extend(tree.cells(path, "cpu-release-addr")[1] for path in cpus)
        tree.put(cpus[1], "cpu-release-addr", cells64(NOWHERE))
    path = tmp_path / "gdb"
    machine = boot(board="raspi4b", domains=tiny.tickers(3), edit=edit,
                   qemu=["-gdb", "unix:%s,server=on,wait=off" % path])
    machine.expect(r"CPU 1 \(reg 0x1\): did not start")
    machine.expect("3 CPUs, ")
    tiny.expect_ticks(machine, "t1", "t2", "t3")
    with Debugger(path) as debugger:
        assert debugger.pc(1) < HYPERVISOR
        debugger.write(table[1], debugger.read(table[2]))
    end = time.monotonic() + PATIENCE
    before, place = None, 0
    while place <= HYPERVISOR or place != before:  # it may still be on its way to where it stops
        assert time.monotonic() < end
        tiny.expect_ticks(machine, "t1", count=1)
        with Debugger(path) as debugger:
            before, place = place, debugger.pc(1)
    tiny.expect_ticks(machine, "t1", "t2", "t3", count=10)
    with Debugger(path) as debugger:
        assert debugger.pc(1) == place
    machine.focus("hypervisor")
    machine.send("d")
    machine.expect_all(*[r"CPU %d: " % number for number in range(3)])
