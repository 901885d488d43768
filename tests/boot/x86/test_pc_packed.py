# SPDX-License-Identifier: MIT
"""Kernels that are packed as Linux's bzImage can be, unpacked by the libraries as they are in the hypervisor."""

import lzma
import struct
import subprocess

import pytest

import pc
from tiny import GUEST

CODE = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 27}]


def xz(data, **changes):
    """As Debian 12's kernel, for code, with a window as Linux 6.12 asks for."""
    return lzma.compress(data, **{"check": lzma.CHECK_CRC32, "filters": CODE, **changes})


def legacy(data):
    """As CONFIG_KERNEL_LZMA."""
    return lzma.compress(data, format=lzma.FORMAT_ALONE)


def lz4(data):
    """As CONFIG_KERNEL_LZ4."""
    return subprocess.run(["lz4", "-l", "-9", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def plain(hypervisor):
    """A kernel that says hello, as large as one that does more: what stands behind it is code."""
    return (GUEST / "stop.bin").read_bytes() + hypervisor.with_suffix(".elf").read_bytes()


def dom0(folder, payload, size):
    """A domain whose kernel is a bzImage around a packed one of `size` bytes."""
    header = bytearray(1024)
    header[0x1f1] = 1
    header[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", header, 0x206, 0x20f)
    struct.pack_into("<II", header, 0x248, 0, len(payload) + 4)
    (folder / "kernel").write_bytes(bytes(header) + payload + struct.pack("<I", size))
    return pc.domain(name="dom0", hardware=True, kernel=folder / "kernel", ramdisk=None, bootargs="")


@pytest.mark.parametrize("pack", [xz, legacy, lz4])
def test_packed(boot, tmp_path, hypervisor, pack):
    """Else Debian 12's kernel, and those that users build with other settings, do not start."""
    content = plain(hypervisor)
    machine = boot(domains=[dom0(tmp_path, pack(content), len(content))], dom0_memory=64)
    machine.expect("guest stop starts")
    machine.expect_off()


def damaged(data):
    """One bit is another."""
    packed = bytearray(xz(data))
    packed[len(packed) // 2] ^= 4
    return bytes(packed)


def other_check(data):
    """Checked by what Linux does not know either."""
    return xz(data, check=lzma.CHECK_SHA256)


def bzip2(_):
    """What no library is there for."""
    return b"BZh91AY&SY"


@pytest.mark.parametrize("pack, words", [
    (damaged, "the kernel is (damaged|cut short).*: xz cannot unpack it"),
    (other_check, "the kernel is packed with an option that is not understood: xz cannot unpack it"),
    (bzip2, "is compressed by bzip2, which is not understood")])
def test_not_unpacked(boot, tmp_path, hypervisor, pack, words):
    """Else a user whose file is damaged, or packed otherwise, is left to guess what is wrong with it."""
    content = plain(hypervisor)
    machine = boot(domains=[dom0(tmp_path, pack(content), len(content))], bootargs="console=com1")
    machine.expect(words)
    machine.expect("no domain could be started")
