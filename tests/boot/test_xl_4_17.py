# SPDX-License-Identifier: MIT
"""Debian 12's xl, of Xen 4.17, on the same hypervisor: Xen itself serves the tools of its own release only."""

import re

from dom0 import Dom0, address
from machine import board


def test_xl_4_17(boot):
    """Else a user of Debian 12 has to upgrade the whole of dom0 together with the hypervisor."""
    dom0 = Dom0(boot, ramdisk=board.IMAGE / "xl-4.17.cpio", options=board.XL_4_17)
    info = dict(re.findall(r"^(\w+) +: (.*)$", dom0.run("xl info"), re.MULTILINE))
    assert (info["xen_major"], info["xen_minor"], info["nr_cpus"]) == ("4", "17", "2")
    own = dom0.domain("Domain-0")
    assert (own["id"], own["memory"], own["vcpus"]) == (0, 1024, 2)
    before = info["free_memory"]
    dom0.run("truncate -s 64M /guest/disk.img")
    written = dom0.fill("/guest/disk.img")
    dom0.create("vcpus=2")
    guest = dom0.domain("guest")
    assert guest["memory"] == 256
    with dom0.console():
        assert dom0.run("hostname; nproc") == "guest\n2\n"
        dom0.run("ping -c 3 %s" % address(1))
        assert dom0.checksum("/dev/xvda") == written
    dom0.run("xl sched-credit2 -d guest -w 128 -c 150")
    assert re.search(r"^guest +\d+ +128 +150", dom0.run("xl sched-credit2"), re.MULTILINE)
    dom0.run("xl vcpu-pin guest 0 1")
    assert re.search(r"^guest +\d+ +0 .* 1 / all", dom0.run("xl vcpu-list guest"), re.MULTILINE)
    dom0.run("xl pause guest; xl unpause guest")
    dom0.await_answer()
    dom0.run("xl destroy guest")
    assert dom0.domain("guest") is None
    dom0.until('[ "$(xl info free_memory)" -ge %s ]' % before)
