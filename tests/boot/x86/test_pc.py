# SPDX-License-Identifier: MIT
"""Debian's kernel as a PVH dom0, started by all that starts Xen on a PC."""

import time

import pytest

import pc
from monitor import Monitor


def to_shell(start, **settings):
    """A machine at dom0's prompt."""
    machine = start(**settings)
    machine.expect_up("dom0")
    machine.shell("dom0")
    return machine


@pytest.mark.parametrize("loader", ["kernel", "grub", "grub1", "grub-efi", "uefi"])
def test_shell(boot, loader):
    """Else nothing works: a user of this loader never gets dom0's shell, nor switches the machine off."""
    machine = to_shell(boot, boot=loader)
    assert machine.run("hostname; nproc") == (0, "dom0\n2\n")
    assert machine.run("cat /sys/hypervisor/type /sys/hypervisor/guest_type") == (0, "xen\nPVH\n")
    machine.send("poweroff\r")
    machine.expect("the hardware domain ended: switching off the machine")  # ACPI is not dom0's alone
    machine.expect_off()


@pytest.mark.parametrize("cpus", [1, 4, 8])
def test_cpus(boot, cpus):
    """Else a user's CPUs are not all used, or the machine hangs for having another number of them."""
    machine = to_shell(boot, cpus=cpus)
    assert machine.run("nproc") == (0, "%d\n" % cpus)
    status, text = machine.run("dmesg | grep -E 'BUG|Call Trace|Oops|stalls on|soft lockup'")
    assert status == 1, text


def test_stopped(boot, tmp_path):
    """Else QEMU, whose threads are woken now and then for no reason of the machine's, delivers an interrupt twice."""
    monitor = Monitor(tmp_path)
    machine = to_shell(boot, qemu=monitor.arguments)
    assert machine.run("(while :; do usleep 100; done) & (while :; do usleep 100; done) & true") == (0, "")
    monitor.connect()
    for _ in range(2000):
        monitor.ask("stop")
        monitor.ask("cont")
        time.sleep(0.004)  # it is to get on a little
    status, text = machine.run("dmesg | grep -E 'BUG|Call Trace|Oops'")
    assert status == 1, text


@pytest.mark.parametrize("board", ["q35", "pc"])
def test_devices(boot, board):
    """Else dom0 has no disk and no network, and with them no guest of its ever will."""
    machine = to_shell(boot, board=board, qemu=pc.devices(pc.IMAGE / "disk.img"))
    status, text = machine.run("dd if=/dev/zero of=/dev/vda bs=64k count=16 && blockdev --getsize64 /dev/vda")
    assert status == 0 and str(64 << 20) in text
    status, text = machine.run("ifconfig eth0 10.0.2.15 && ping -c 3 10.0.2.2")
    assert status == 0 and " 0% packet loss" in text


@pytest.mark.parametrize("iommu, name", [("amd-iommu", "AMD"), ("intel-iommu", "Intel")])
def test_iommu(boot, iommu, name):
    """Else dom0's disk and network are dead on a machine with an IOMMU, or reach all memory."""
    machine = boot(iommu=iommu, qemu=pc.devices(pc.IMAGE / "disk.img"))
    machine.expect("IOMMU: %s; devices see d0's memory only" % name)
    machine.expect_up("dom0")
    machine.shell("dom0")
    status, text = machine.run("dd if=/dev/urandom of=/w bs=64k count=64 && dd if=/w of=/dev/vda bs=64k && sync && "
                               "echo 3 > /proc/sys/vm/drop_caches && dd if=/dev/vda of=/r bs=64k count=64 && "
                               "cmp /w /r && ifconfig eth0 10.0.2.15 && ping -c 3 10.0.2.2")
    assert status == 0 and " 0% packet loss" in text


@pytest.mark.parametrize("iommu", [None, "amd-iommu", "intel-iommu"])
def test_real_devices(boot, iommu):
    """Else dom0 has disk and network in an emulator only: these are what the machines that people have are made of."""
    drive = "file=%s,if=none,format=raw,snapshot=on,id=%%s" % (pc.IMAGE / "disk.img")
    machine = to_shell(boot, iommu=iommu, qemu=["-drive", drive % "sata", "-device", "ide-hd,drive=sata,bus=ide.1",
                                                "-drive", drive % "nvme", "-device", "nvme,drive=nvme,serial=1",
                                                "-netdev", "user,id=net", "-device", "e1000e,netdev=net"])
    for disk in ("sda", "nvme0n1"):
        status, text = machine.run("dd if=/dev/urandom of=/w bs=64k count=64 && dd if=/w of=/dev/%s bs=64k && sync && "
                                   "echo 3 > /proc/sys/vm/drop_caches && dd if=/dev/%s of=/r bs=64k count=64 && cmp /w /r"
                                   % (disk, disk))
        assert status == 0, text
    status, text = machine.run("ifconfig eth0 10.0.2.15 && ping -c 3 10.0.2.2")
    assert status == 0 and " 0% packet loss" in text


def test_reboot(boot):
    """Else dom0's reboot leaves the machine standing, or ends it behind the back of guests."""
    machine = to_shell(boot)
    machine.send("reboot\r")
    machine.expect("the hardware domain ended: resetting the machine")
    machine.expect_off()
