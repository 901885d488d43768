# SPDX-License-Identifier: MIT
"""Hospes on Bochs: AMD-V as another emulator understands it, which tells the length of instructions that exit."""

import pytest

import pc
from machine import PATIENCE
from test_pc_guest import dom0
from tiny import verdict


# Bochs writes DR6 only after the exit for #DB, against AMD's manual, volume 2, 15.12.2.
DR6 = [r"breakpoint: DR6\.B0"]


@pytest.mark.parametrize("kernel, arguments, cpus, allowed", [
    ("hypercalls", "control=1 other=0", 1, []), ("cpu", "", 2, DR6)])
def test_guest(boot, kernel, arguments, cpus, allowed):
    """Else what Hospes asks of AMD-V is what QEMU happens to do, and a user's processor does otherwise."""
    machine = boot(domains=[dom0(kernel, arguments)], dom0_memory=64, memory=256, cpus=cpus, **pc.on_bochs())
    verdict(machine, kernel, allowed)
    machine.expect_off()


def test_linux(boot):
    """Else Linux as dom0 runs on QEMU's idea of a PC only."""
    machine = boot(memory=512, dom0_memory=256, cpus=1, **pc.on_bochs())
    machine.expect_up("dom0", patience=5 * PATIENCE)  # two thousand million instructions
    machine.shell("dom0")
    assert machine.run("cat /sys/hypervisor/guest_type") == (0, "PVH\n")
    machine.send("poweroff\r")
    machine.expect_off()
