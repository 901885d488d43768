# SPDX-License-Identifier: MIT
"""The first promise: two Debian guests side by side, both consoles on one terminal."""

import board


def test_two_shells(boot):
    """Else nothing works: a user never gets dom0's and domU's shell, or cannot move between them."""
    machine = boot()
    machine.expect_up("dom0", "domU1")
    machine.shell("dom0")
    assert machine.run("hostname") == (0, "dom0\n")
    machine.shell("domU1")
    assert machine.run("hostname") == (0, "domU1\n")
    machine.shell("dom0")
    assert machine.run("false") == (1, "")


def test_dom0_devices(boot):
    """Else dom0 has no disk and no network, and with them no guest of its ever will."""
    machine = boot(domains=[board.dom0()], qemu=board.devices(board.IMAGE / "disk.img"))
    machine.expect_up("dom0")
    machine.shell("dom0")
    status, text = machine.run("dd if=/dev/zero of=/dev/vda bs=64k count=16 && blockdev --getsize64 /dev/vda")
    assert status == 0 and str(64 << 20) in text
    status, text = machine.run("ifconfig eth0 10.0.2.15 && ping -c 3 10.0.2.2")
    assert status == 0 and " 0% packet loss" in text


def test_domu_off(boot):
    """Else one guest's shutdown takes the others down, or is never carried out."""
    machine = boot()
    machine.expect_up("dom0", "domU1")
    machine.shell("domU1")
    machine.send("poweroff\r")
    machine.expect_focus("dom0")
    machine.shell("dom0")
    assert machine.run("sleep 1; hostname") == (0, "dom0\n")


def test_domu_reset(boot):
    """Else a guest that reboots is gone for good, or comes back with the keyboard elsewhere."""
    machine = boot()
    machine.expect_up("dom0", "domU1")
    machine.shell("domU1")
    machine.send("reboot\r")
    machine.expect_focus("dom0")
    machine.expect_focus("domU1")
    machine.expect_up("domU1")
    machine.shell("domU1")
    assert machine.run("hostname") == (0, "domU1\n")


def test_dom0_off(boot):
    """Else a user cannot switch the machine off from dom0."""
    machine = boot(domains=[board.dom0()])
    machine.expect_up("dom0")
    machine.shell("dom0")
    machine.send("poweroff\r")
    machine.expect_off()
