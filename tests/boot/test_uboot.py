# SPDX-License-Identifier: MIT
"""Started by U-Boot, with the commands that users of Xen have in their scripts (image/media.py)."""

import pytest

import board


@pytest.mark.parametrize("command", ["bootefi", "booti"])
def test_two_shells(boot, command):
    """Else boards, which mostly have U-Boot, cannot start Hospes with the script that started Xen."""
    machine = boot(boot=command)
    machine.expect("Booting bootflow .* with script")
    machine.expect_up("dom0", "domU1")
    machine.shell("dom0")
    assert machine.run("hostname; nproc") == (0, "dom0\n2\n")
    machine.shell("domU1")
    assert machine.run("hostname") == (0, "domU1\n")


def test_gicv2_one_cpu(boot):
    """Else what firmware leaves in another interrupt controller, or in one CPU only, is in the way."""
    machine = boot(boot="bootefi", gic=2, cpus=1, cpu="cortex-a53", domains=board.domus(1))
    machine.expect_up("domU1")


def test_firmware_at_el1(boot):
    """Else a user who forgot to switch virtualization on in U-Boot's machine sees nothing at all."""
    machine = boot(boot="bootefi", domains=[board.dom0()], qemu=["-machine", "virtualization=off"])
    machine.expect("firmware runs at EL1: Hospes needs EL2")
