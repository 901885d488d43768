# SPDX-License-Identifier: MIT
"""Debian's own xl beside what a device tree has: guests that it describes, and devices of the machine."""

import board
import tiny
from dom0 import LONG, Dom0, with_files


def test_device(boot, tmp_path):
    """Else a guest of xl's cannot have a device of the machine, here its clock (a PL031), with its interrupt."""
    partial = tmp_path / "partial.dtb"
    partial.write_bytes(tiny.clock_tree())
    dom0 = Dom0(boot, ramdisk=with_files(tmp_path, {"guest/partial.dtb": partial}), qemu=["-rtc", "base=2031-02-03"],
                edit=lambda tree: tree.put("/pl031@9010000", "xen,passthrough", True))
    assert dom0.run("ls /sys/class/rtc") == ""
    for _ in range(2):  # the second time it is the first one's, who gave it back
        dom0.create("disk=[]", "vif=[]", 'iomem=["0x9010,1"]', "irqs=[34]", 'device_tree="/guest/partial.dtb"',
                    extra="console=hvc0 rdinit=/init name=guest")
        with dom0.console():
            tiny.try_clock(dom0.machine.run)
        dom0.run("xl destroy guest")


def test_dom0less(boot):
    """Else a guest from the device tree that asks for PV drivers (xen,enhanced) gets none, or xl does not see it."""
    beside = board.domus(1, ramdisk=board.IMAGE / "guest.cpio.gz", memory=256, properties={"xen,enhanced": "enabled"})
    dom0 = Dom0(boot, beside=beside)
    assert dom0.domain("dom0less-1")["id"] == 1  # the name that init-dom0less gives
    dom0.until("xenstore-exists /local/domain/1/device")
    dom0.run("xl block-attach 1 phy:/dev/vda,xvdb,w", LONG)
    dom0.until('xl block-list 1 | grep -qE "^51728 +0 +[0-9]+ +4 "')
    dom0.run("xl destroy 1")
    assert dom0.domain("dom0less-1") is None
