# SPDX-License-Identifier: MIT
"""Debian's xl on a PC: what tests/boot/test_xl.py, which is for all machines, does not look at."""

import re

import pytest
from dom0 import LONG, Dom0, address


@pytest.mark.parametrize("iommu", [None, "intel-iommu"])
def test_devices(boot, iommu):
    """Else what guests have dom0's disk and card transfer comes from somewhere else, or goes there."""
    dom0 = Dom0(boot, iommu=iommu)
    status, _ = dom0.machine.run("grep -q swiotlb=force /proc/cmdline")
    assert (status == 0) == (iommu is None)  # then devices transfer to and from dom0's own memory only
    written = dom0.fill("/dev/vda")
    dom0.create('disk=["/dev/vda,raw,xvda,rw"]')
    with dom0.console():
        assert dom0.checksum("/dev/xvda") == written
        written = dom0.fill("/dev/xvda")
        # Only the head of a packet is copied: the rest goes out of the guest's own memory.
        dom0.run("ip addr add 10.0.2.20/24 dev eth0")
        dom0.run("ping -c 3 -s 1400 10.0.2.2")
    dom0.run("xl shutdown -w guest", LONG)
    assert dom0.checksum("/dev/vda") == written


def test_processors(dom0):
    """Else xl and Xen's tools do not say what processors and devices there are, and what guests have of them."""
    told = dom0.run("xl info -n")
    assert "error" not in told and re.search(r"^0000:00:00.0 +0$", told, re.MULTILINE)
    told = dom0.run("/usr/lib/xen-4.20/bin/xen-cpuid -p")
    for kind in ("Raw", "Host", "HVM Max", "HVM Default"):
        assert re.search(r"^%s policy: \d+ leaves, 2 MSRs$" % kind, told, re.MULTILINE)
    assert "PDC" not in dom0.run("dmesg")  # Linux' words for firmware were answered
    assert "CPU signature" in dom0.run("/usr/lib/xen-4.20/bin/xen-ucode show-cpu-info")


def test_cpuid(dom0):
    """Else a feature that is hidden from a guest, which is to run on older machines too, is found there all the same."""
    dom0.run("grep -qw avx2 /proc/cpuinfo")
    for setting in ('cpuid="host,avx2=0"', 'cpuid=["0x7,0:ebx=xxxxxxxxxxxxxxxxxxxxxxxxxx0xxxxx"]'):
        dom0.create("disk=[]", "vif=[]", setting, extra="console=hvc0 rdinit=/init name=guest")
        with dom0.console():
            dom0.run("grep -qw avx /proc/cpuinfo && ! grep -qw avx2 /proc/cpuinfo")
        dom0.run("xl destroy guest")


def test_power(dom0):
    """Else who asks for the states of power is shown nothing, not even that nobody knows of any."""
    dom0.run("cd /usr/lib/xen-4.20/bin")
    assert "cpuidle is disabled" in dom0.run("./xenpm get-cpuidle-states 2>&1 || true")
    assert "cpufreq is disabled" in dom0.run("./xenpm get-cpufreq-states 2>&1 || true")
    assert "cpufreq is not enabled" in dom0.run("./xenpm get-cpufreq-para 2>&1 || true")


def test_nmi(dom0):
    """Else a guest that hangs cannot be made to say where."""
    dom0.create("disk=[]", "vif=[]", extra="console=hvc0 rdinit=/init name=guest")
    with dom0.console():
        dom0.run('grep -qE "NMI: +0 " /proc/interrupts')
    dom0.run("xl trigger guest nmi")
    with dom0.console():
        dom0.until('grep -qE "NMI: +1 " /proc/interrupts')


def test_registers(dom0):
    """Else who looks at a guest that hangs is shown registers that are not the guest's."""
    dom0.create("disk=[]", "vif=[]", extra="console=hvc0 rdinit=/init name=guest")
    with dom0.console():
        dom0.run("true")
    dom0.run("xl pause guest")
    dom0.run("cd /usr/lib/xen-4.20/bin; id=$(xl domid guest)")
    shown = dict(re.findall(r"\b(\w+): (\w{16})", dom0.run("./xenctx -a $id 0")))
    saved = dict(re.findall(r"\b(\w+) 0x(\w{16})", dom0.run("./xen-hvmctx $id")))
    assert int(saved["rip"], 16) >> 63 and int(saved["cr3"], 16)
    same = "rip rsp rax rcx rdx rbx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15 cr0 cr2 cr3 cr4 dr0 dr1 dr2 dr3 dr6 dr7"
    for name in same.split():
        assert shown[name] == saved[name], name


def test_types(dom0):
    """Else who asks for a kind of guest that there is not gets another one, or looks for the mistake elsewhere."""
    dom0.run("grep -v ^type /guest/guest.cfg >/tmp/old.cfg")
    for setting, kind in (('type="pv"', "PV"), ('builder="generic"', "PV"), ('type="hvm"', "HVM"), ('builder="hvm"', "HVM")):
        dom0.run("xl dmesg -c >/dev/null; ! xl create -p /tmp/old.cfg '%s' >/tmp/told 2>&1" % setting, LONG)
        assert "cannot make domain" in dom0.run("cat /tmp/told")
        assert 'createdomain: there are no %s guests, only type="pvh"' % kind in dom0.run("xl dmesg")
        assert dom0.domain("guest") is None


def test_save(dom0):
    """Else a guest is lost when its user tries to save it, which is not possible."""
    dom0.create("disk=[]")
    dom0.await_answer()
    dom0.run("xl save guest /tmp/saved", LONG, status=1)
    dom0.await_answer()


def test_no_devices(dom0):
    """Else a guest that is to have a device of the machine starts without, and nobody says so."""
    for device, told in (('pci=["00:03.0"]', "passthrough not supported on this platform"), ('irqs=[10]', "irq 10"),
                         ('ioports=["2f8-2ff"]', "ioports 2f8-2ff"), ('iomem=["fed40,1"]', "iomem range fed40")):
        dom0.configure("disk=[]", "vif=[]", device)
        dom0.run("! xl create -p /tmp/guest.cfg >/tmp/told 2>&1", LONG)
        assert told in dom0.run("cat /tmp/told")
        assert dom0.domain("guest") is None


def test_one_cpu(boot):
    """Else a busy guest keeps dom0 from the machine's only CPU, whose timer then comes a minute late."""
    dom0 = Dom0(boot, cpus=1, counted=True)  # so that it does not depend on how fast this machine is
    dom0.create("disk=[]")
    with dom0.console():
        dom0.run("(while :; do :; done) & true")
    for _ in range(3):
        told = dom0.run("cat /proc/uptime; for i in 0 1 2 3 4 5 6 7 8 9; do sleep 0.1; done; cat /proc/uptime", LONG)
        begun, done = [float(each) for each in re.findall(r"^([\d.]+) [\d.]+$", told, re.MULTILINE)]
        assert 1 <= done - begun < 5
    dom0.run("ping -c 3 %s" % address(2), LONG)
    status, text = dom0.machine.run("dmesg | grep -E 'BUG|Call Trace|Oops|stalls on|soft lockup'")
    assert status == 1, text
