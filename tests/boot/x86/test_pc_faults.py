# SPDX-License-Identifier: MIT
"""Faults that no program makes: of the machine, and of the hypervisor itself. Each is told."""

import subprocess

import tiny
from gdb import Debugger
from test_pc_guest import dom0
from test_pc_screen import Monitor

LOADED = 0x200000      # where QEMU's loader puts the image, which is linked at 0
PAGE_FAULT = 14
GATE = 16
READ_NOWHERE = 0x25048b48  # mov 0, %rax: eight bytes, the address is the last four


def symbols(hypervisor):
    """Machine addresses of the image's symbols."""
    lines = subprocess.run(["nm", hypervisor.with_suffix(".elf")], check=True, capture_output=True, text=True).stdout
    return {name: LOADED + int(address, 16) for address, _, name in
            (line.split() for line in lines.splitlines() if len(line.split()) == 3)}


def test_double_fault(boot, hypervisor, tmp_path):
    """Else a bug of ours that ends in a double fault resets the machine, and nobody learns where it was."""
    known = symbols(hypervisor)
    path = tmp_path / "gdb"
    machine = boot(domains=[dom0("tick", "name=t period=100")], dom0_memory=64, cpus=1,
                   bootargs="noreboot console=com1", qemu=["-gdb", "unix:%s,server=on,wait=off" % path])
    tiny.expect_ticks(machine, "t")
    with Debugger(path) as debugger:
        # No gate for page faults in either table, and one at the next exit, with a vCPU loaded.
        for table in (0, 256):
            debugger.write(known["idt"] + (table + PAGE_FAULT) * GATE, 0)
        debugger.write(known["svm_exit"], READ_NOWHERE)
    machine.expect(r"\*\*\* PANIC on CPU 0:")
    machine.expect(r"#DF \(8\) in the hypervisor")
    machine.expect("return addresses on the stack")


def test_machine_check(boot, tmp_path):
    """Else who has a broken memory module sees a machine that stops, and not where to look."""
    monitor = Monitor(tmp_path)
    machine = boot(domains=[dom0("tick", "name=t period=1000000")], dom0_memory=64, cpus=1,
                   bootargs="noreboot console=com1", qemu=monitor.arguments)
    machine.expect("guest tick starts")
    monitor.connect()
    # QEMU gives it to a guest that is running, whatever is intercepted, and resets one that has CR4.MCE clear.
    monitor.stop_asleep()
    # Valid, not corrected, enabled, with address and misc.
    assert monitor.human("mce 0 1 0xbc00000000000135 0x5 0xdeadb000 0x8c") == ""
    monitor.ask("cont")
    machine.expect(r"machine check: CPU 0, bank 1: status 0xbc00000000000135, address 0xdeadb000, misc 0x8c \(not corrected\)")
    machine.expect(r"#MC \(18\) in the hypervisor")
