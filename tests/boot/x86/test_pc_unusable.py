# SPDX-License-Identifier: MIT
"""PCs that cannot do what Hospes needs, and loaders that give it nothing: each says so in words."""

import struct

import pytest

import pc
from test_pc_guest import dom0

MULTIBOOT = (0x1badb002, 0xe85250d6)


@pytest.mark.parametrize("cpu, words", [
    ("pentium3", "this CPU has no 64-bit mode"),
    ("EPYC,-nx", "this CPU cannot keep data from being executed"),
    ("EPYC,-svm", "this machine cannot run guests"),
    ("EPYC,-npt", "this machine cannot run guests"),
    ("Haswell", "this machine cannot run guests")])
def test_cpu(boot, cpu, words):
    """Else a user of a CPU without virtualization, or with it switched off, sees a machine that resets."""
    machine = boot(cpu=cpu, domains=[dom0("stop")], bootargs="noreboot console=com1")
    machine.expect(words)


def test_no_modules(boot):
    """Else a user whose boot menu names no kernel is not told what is missing."""
    machine = boot(domains=[], bootargs="console=com1")
    machine.expect("no domain could be started")


def test_not_a_kernel(boot):
    """Else a user who names the wrong file is left to guess which."""
    wrong = pc.domain(name="dom0", hardware=True, kernel=pc.TOP / "README.md", ramdisk=None, bootargs="")
    machine = boot(domains=[wrong], bootargs="console=com1")
    machine.expect("of no format that is understood")
    machine.expect("no domain could be started")


def test_pvh_entry(boot, tmp_path, hypervisor):
    """Else who starts Hospes as a PVH guest of his own gets nowhere: no other loader needs the ELF file's note."""
    elf = bytearray(hypervisor.with_suffix(".elf").read_bytes())
    for magic in MULTIBOOT:
        at = elf.index(struct.pack("<I", magic))
        elf[at:at + 4] = bytes(4)
    (tmp_path / "hospes").write_bytes(elf)
    machine = boot(hypervisor=tmp_path / "hospes", domains=[dom0("stop")], dom0_memory=64)
    machine.expect("started by PVH")
    machine.expect("guest stop starts")
    machine.expect_off()
