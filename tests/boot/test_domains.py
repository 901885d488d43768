# SPDX-License-Identifier: MIT
"""What the device tree can ask for: devices, command lines, kinds of kernels, places in memory, ends of domains."""

import gzip

import pytest

import board
import tiny
from tree import cells64

MIB = 1 << 20
TICK = tiny.GUEST / "tick.bin"
DOM0 = "console=dtuart dom0_mem=32M"


def hardware(kernel="tick", arguments="", **changes):
    """A tiny dom0; 32 MiB by the command line above."""
    return tiny.guest("dom0", kernel, arguments, hardware=True, **changes)


def test_dom0_pci_devices(boot):
    """Else disk and network on PCI, as on most machines, are of no use to dom0."""
    # No image for the card's boot loader: nobody boots from it.
    devices = ["-drive", "file=%s,if=none,format=raw,id=d,snapshot=on" % (board.IMAGE / "disk.img"),
               "-device", "virtio-blk-pci,drive=d", "-netdev", "user,id=n",
               "-device", "virtio-net-pci,netdev=n,romfile="]
    machine = boot(domains=[board.dom0()], qemu=devices)
    machine.expect_up("dom0")
    machine.shell("dom0")
    status, text = machine.run("ls /sys/bus/pci/devices && dd if=/dev/zero of=/dev/vda bs=64k count=16 && "
                               "blockdev --getsize64 /dev/vda")
    assert status == 0 and str(64 * MIB) in text
    status, text = machine.run("ifconfig eth0 10.0.2.15 && ping -c 3 10.0.2.2")
    assert status == 0 and " 0% packet loss" in text


@pytest.mark.parametrize("mode, words", [("off", "ended: switching off"), ("reset", "ended: resetting")])
def test_dom0_ends(boot, mode, words):
    """Else dom0's poweroff or reboot leaves the machine hanging with its other domains."""
    machine = boot(domains=[hardware("crash", "mode=" + mode), tiny.ticker("other")], bootargs=DOM0)
    machine.expect("the hardware domain " + words)
    machine.expect_off()


def test_domu_ends(boot):
    """Else a domain that ends takes a neighbour along, or a reset one comes back with its old memory."""
    machine = boot(domains=[tiny.ticker("lasts"), tiny.guest("ends", "crash", "mode=off"),
                            tiny.guest("again", "crash", "mode=reset")])
    machine.expect_all(r"domain 2 \(ends\) switched itself off", r"domain 3 \(again\) asked for a reset")
    for _ in range(3):
        machine.expect(r"\(d3\) crash marker (\d+) memory (\d+)")
        assert machine.console.match.groups() == ("1", "0")
    tiny.expect_ticks(machine, "lasts")


@pytest.mark.parametrize("own, dom0, bootargs, wanted", [
    ("own", "dom0", "both", "own"), (None, "dom0", "both", "dom0"), (None, None, "both", "both"),
    (None, None, None, ""),
])
def test_dom0_bootargs(boot, own, dom0, bootargs, wanted):
    """Else dom0 gets another command line than with Xen and the same tree."""
    def edit(tree):
        tree.remove("/chosen", "xen,dom0-bootargs")
        for path, name, value in ((tiny.module(tree, ""), "bootargs", own), ("/chosen", "xen,dom0-bootargs", dom0),
                                  ("/chosen", "bootargs", bootargs)):
            if value is not None:
                tree.put(path, name, "name=" + value)
    machine = boot(domains=[hardware()], edit=edit, bootargs=DOM0)
    assert machine.expect(r'args "(?:name=)?(\w*)"')[1] == wanted


def test_hypervisor_bootargs(boot):
    """Else /chosen/bootargs, which boot loaders set for Linux, is taken for the hypervisor's, or not when it is."""
    def edit(tree):
        tree.remove("/chosen", "xen,xen-bootargs")
        tree.put("/chosen", "bootargs", DOM0 + " maxcpus=1")
    machine = boot(domains=[hardware()], edit=edit)
    machine.expect("command line: %s maxcpus=1\r*\n" % DOM0)
    machine.expect("1 CPU, ")

    def linux(tree):
        edit(tree)
        tree.remove("/chosen", "xen,dom0-bootargs")
    machine = boot(domains=[hardware()], edit=linux, dom0_memory=32)
    machine.expect("command line: *\r*\n")
    assert machine.expect(r'args "([^"]*)"')[1] == DOM0 + " maxcpus=1"


def test_old_names(boot):
    """Else a tree made for an older Xen, or one that only numbers its modules, starts nothing."""
    def edit(tree):
        for domain, kernel, ramdisk in (("old", "xen,linux-zimage", "xen,linux-initrd"), ("plain", None, None)):
            for number, kind in enumerate((kernel, ramdisk)):
                tree.put(tiny.module(tree, domain, number), "compatible",
                         [kind, "xen,multiboot-module"] if kind else "multiboot,module")
        # The first in the tree is the kernel.
        first, second = [path for path in tree.children("/chosen/plain") if "module@" in path]
        tree.remove(second, "bootargs")
        tree.put(first, "bootargs", "name=plain")
    machine = boot(domains=[tiny.ticker("old", ramdisk=TICK), tiny.ticker("plain", ramdisk=TICK)], edit=edit)
    for number, name in ((1, "old"), (2, "plain")):
        machine.expect(r'd%d "%s": 1 vCPU, 16384 KiB, kernel 0x\w+, ramdisk 0x\w+' % (number, name))
    tiny.expect_ticks(machine, "old", "plain")


def test_kernel_files(boot, tmp_path):
    """Else a kernel in a format that Xen's users have does not start."""
    packed = tmp_path / "Image.gz"
    packed.write_bytes(gzip.compress((board.IMAGE / "Image").read_bytes(), 1))
    domains = [tiny.ticker("elf", 500), tiny.ticker("raw", 500), board.Domain(name="packed", kernel=packed)]
    domains[0].kernel = tiny.GUEST / "tick.elf"
    machine = boot(domains=domains)
    tiny.expect_ticks(machine, "elf", "raw", count=1)
    machine.expect_up("packed")


def test_one_file_for_many(boot):
    """Else each of eight equal domains needs its own copy of the kernel in memory."""
    def edit(tree):
        first = tiny.place(tree, tiny.module(tree, "t1"))[0]
        for number in range(2, 9):
            tiny.put_place(tree, tiny.module(tree, "t%d" % number), address=first)
    machine = boot(domains=tiny.tickers(8), edit=edit)
    tiny.expect_ticks(machine, *["t%d" % number for number in range(1, 9)], count=1)


def test_static_memory(boot):
    """Else a domain whose memory has a fixed place (for a device's DMA, say) is somewhere else."""
    def edit(tree):
        tree.set("/chosen/direct", **{"#xen,static-mem-address-cells": 2, "#xen,static-mem-size-cells": 2,
                                      "xen,static-mem": cells64(0x68000000, 16 * MIB), "direct-map": True})
        tree.set("/chosen/there", **{"#xen,static-mem-address-cells": 1, "#xen,static-mem-size-cells": 1,
                                     "xen,static-mem": [0x60000000, 8 * MIB, 0x62000000, 8 * MIB]})
    machine = boot(domains=[tiny.ticker("any"), tiny.ticker("direct"), tiny.ticker("there")], edit=edit)
    machine.expect_all(r'uart 0x9000000, 16 MiB at 0x68000000, args "name=direct',
                       r'uart 0x22000000, 16 MiB at 0x40000000, args "name=there')
    tiny.expect_ticks(machine, "direct", "there", "any")


def test_passthrough(boot, tmp_path):
    """Else no domain but dom0 can have a device of the machine, here its clock (a PL031), with its interrupt."""
    file = tmp_path / "partial.dtb"
    file.write_bytes(tiny.clock_tree())

    def edit(tree):
        tree.put("/pl031@9010000", "xen,passthrough", True)
        node = "/chosen/domU1/module@70000000"
        tree.put(node, "compatible", ["multiboot,device-tree", "multiboot,module"])
        tree.put(node, "reg", cells64(0x70000000, file.stat().st_size))
    machine = boot(edit=edit, qemu=["-device", "loader,file=%s,addr=0x70000000,force-raw=on" % file,
                                    "-rtc", "base=2031-02-03T04:05:06"])
    machine.expect_up("dom0", "domU1")
    machine.shell("domU1")
    tiny.try_clock(machine.run)
    machine.shell("dom0")
    assert machine.run("ls /sys/class/rtc") == (0, "")


def test_hardware_capability(boot):
    """Else a tree without a classic dom0 cannot say which domain has the devices."""
    def edit(tree):
        tree.put("/chosen/driver", "capabilities", 2)
    machine = boot(domains=[tiny.ticker("first", 500), tiny.guest("driver", "crash", "mode=off")], edit=edit)
    machine.expect(r'd0 "driver": 1 vCPU, 16384 KiB')
    machine.expect("the hardware domain ended: switching off")
    machine.expect_off()
