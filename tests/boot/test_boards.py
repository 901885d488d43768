# SPDX-License-Identifier: MIT
"""Two boards with the device trees that their makers wrote, as far as QEMU carries them."""

import pytest

import board


@pytest.mark.parametrize("name", ["zcu102", "raspi4b"])
def test_two_shells(boot, name):
    """Else Hospes runs on the one machine that it was written on, and on no board that somebody has."""
    # QEMU shows 960 MiB of a raspi4b.
    machine = boot(board=name, domains=[board.dom0()] + board.domus(1, memory=256))
    machine.expect("4 CPUs, ")
    machine.expect_all("dom0: Linux", "domU1: Linux")
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
