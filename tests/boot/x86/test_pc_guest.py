# SPDX-License-Identifier: MIT
"""What the kernels of tests/guest find as dom0 of a PC: each asserts it, to the number."""

import struct

import pytest

import cpio
import tiny


def dom0(kernel, arguments="", **changes):
    """dom0 is the kernel that asserts."""
    return tiny.guest("dom0", kernel, arguments, **{"hardware": True, **changes})


@pytest.mark.parametrize("kernel, arguments", [
    ("hypercalls", "control=1 other=0"), ("evtchn", "ports=131071"), ("toolstack", "control=1"),
    ("reservation", "control=1 other=0"), ("gnttab", "domid=0")])
def test_interface(boot, kernel, arguments):
    """Else Linux or another dom0 is answered otherwise than by Xen, and stops or does damage."""
    machine = boot(domains=[dom0(kernel, arguments)], dom0_memory=64)
    tiny.verdict(machine, kernel)
    machine.expect_off()


@pytest.mark.parametrize("model", ["EPYC", "EPYC-Milan", "max"])
@pytest.mark.parametrize("board", ["q35", "pc"])
def test_machines(boot, board, model):
    """Else Hospes runs on the one machine that it was written on."""
    machine = boot(board=board, cpu=model, domains=[dom0("stop")], dom0_memory=64)
    machine.expect("guest stop starts")
    machine.expect_off()


def microcode(signature, revision):
    """A file in AMD's format with one patch."""
    table = struct.pack("<IIIHH", signature, 0, 0, 0x1234, 0) + bytes(16)
    patch = struct.pack("<II16xH38x", 0x11212026, revision, 0x1234).ljust(320, b"\xa5")
    return struct.pack("<III", 0x414d44, 0, len(table)) + table + struct.pack("<II", 1, len(patch)) + patch


def early(content):
    """The head of a ramdisk with microcode in it."""
    archive = cpio.Archive()
    archive.file("kernel/x86/microcode/AuthenticAMD.bin", content)
    return archive.finish() + b"whatever is behind it"


# QEMU's EPYC is family 17h, model 1, stepping 2, has revision 0x1000065, and takes no other.
@pytest.mark.parametrize("ramdisk, words", [
    (early(microcode(0x800f12, 0x8001300)), "does not take revision 0x8001300, and stays at 0x1000065"),
    (early(microcode(0x800f12, 0x1000064)), "revision 0x1000065 is not older than the file's 0x1000064"),
    (early(microcode(0xa20f12, 0xa201205)), r"has none for this CPU \(signature 0x800f12\)"),
    (early(microcode(0x800f12, 0x8001300)[:-1]), "is damaged"),
    (b"no archive", "there is no kernel/x86/microcode/AuthenticAMD.bin")],
    ids=["newer", "older", "other", "damaged", "none"])
def test_microcode(boot, tmp_path, ramdisk, words):
    """Else a user's CPUs stay without the mends that the user installed, or a damaged file stops the machine."""
    (tmp_path / "ramdisk").write_bytes(ramdisk)
    guest = dom0("stop", ramdisk=tmp_path / "ramdisk")
    machine = boot(domains=[guest], dom0_memory=64, bootargs="console=com1 ucode=scan")
    machine.expect("microcode: .*" + words)
    machine.expect("guest stop starts")
    machine.expect_off()


@pytest.mark.parametrize("option, words", [
    ("", "indirect branches retpolines; used: RSB-fill; for guests: none"),
    ("spec-ctrl=no", "indirect branches plain; used: none; for guests: none"),
    ("spec-ctrl=bti-thunk=lfence", "indirect branches lfence; used: RSB-fill; for guests: none")])
def test_speculation(boot, option, words):
    """Else code that was made to fit the CPU crashes where it was changed, and the user is not told what was done."""
    machine = boot(domains=[dom0("hypercalls", "control=1 other=0")], dom0_memory=64, bootargs="console=com1 " + option)
    machine.expect("speculation: " + words)
    tiny.verdict(machine, "hypercalls")
    machine.expect_off()


def test_ticks(boot):
    """Else a guest's timer does not come, or comes once."""
    machine = boot(domains=[dom0("tick", "name=t period=20")], dom0_memory=64)
    tiny.expect_ticks(machine, "t", count=50)
