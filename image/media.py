# SPDX-License-Identifier: MIT
"""A disk that firmware boots from: one FAT partition with the hypervisor, the modules and what names them.

Three ways to start, as Machine.boot in board.py calls them:
    bootefi   U-Boot runs boot.scr, which starts the image as a UEFI application; modules by xen,uefi-binary
    booti     U-Boot runs boot.scr, which loads all modules to where their `reg` says and starts an Image
    edk2      EDK2 starts \\EFI\\BOOT\\BOOTAA64.EFI; modules by xen,uefi-binary in the tree that QEMU passes
    edk2-cfg  the same, with dom0 in a configuration file beside the image, and the tree by `dtb=` in it
"""

import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BUILD") or TOP / "build").resolve()
FIRMWARE = BUILD / "debian/all/usr"
UBOOT = FIRMWARE / "lib/u-boot/qemu_arm64/u-boot.bin"
EDK2 = FIRMWARE / "share/qemu-efi-aarch64/QEMU_EFI.fd"

BIOS = {"bootefi": UBOOT, "booti": UBOOT, "edk2": EDK2, "edk2-cfg": EDK2}

SECTOR = 512
START = 2048  # the partition's first sector
MIB = 1 << 20

# The same files make the same disk, whenever that is.
SERIAL = "486f7370"
TIME = 1767225600

# Above QEMU's own tree and what U-Boot keeps at the bottom of RAM.
KERNEL_ADDR = 0x42000000
FDT_ADDR = 0x44000000

BOOTEFI = """\
kernel_addr=%#x
fdt_addr=%#x
setenv loaddtb "load virtio 0:1 ${fdt_addr} xen.dtb"
setenv bootxen "run loaddtb; load virtio 0:1 ${kernel_addr} xen.efi; bootefi ${kernel_addr} ${fdt_addr}"
run bootxen
"""

BOOTI = """\
kernel_addr=%#x
fdt_addr=%#x
load virtio 0:1 ${fdt_addr} xen.dtb
load virtio 0:1 ${kernel_addr} xen.efi
%sbooti ${kernel_addr} - ${fdt_addr}
"""


def script(text):
    """A script as U-Boot's `source` and its standard boot take it, as `mkimage -T script` writes it."""
    data = text.encode()
    body = struct.pack(">II", len(data), 0) + data
    # magic, header's CRC, time, size, load, entry, data's CRC; Linux, arm64, script, not compressed; name
    fields = [0x27051956, 0, 0, len(body), 0, 0, zlib.crc32(body), 5, 22, 6, 0, b"boot.scr"]
    header = struct.pack(">7I4B32s", *fields)
    fields[1] = zlib.crc32(header)
    return struct.pack(">7I4B32s", *fields) + body


def fat(image, files):
    """Makes a disk with one active FAT32 partition; `files` are pairs (path in it, source path or bytes)."""
    if not shutil.which("mcopy"):
        raise SystemExit("boot media need mtools: image/host-packages test installs it")
    contents = [(name, source if isinstance(source, bytes) else Path(source).read_bytes())
                for name, source in files]
    sectors = (sum(len(data) for _, data in contents) + 40 * MIB) // SECTOR
    with open(image, "wb") as disk:
        disk.truncate((START + sectors) * SECTOR)
        disk.seek(446)
        disk.write(struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x0C, b"\xfe\xff\xff", START, sectors))
        disk.seek(510)
        disk.write(b"\x55\xaa")
    where = ["-i", "%s@@%d" % (image, START * SECTOR)]
    environment = dict(os.environ, MTOOLS_SKIP_CHECK="1", SOURCE_DATE_EPOCH=str(TIME))
    subprocess.run(["mformat", *where, "-N", SERIAL, "-F", "-T", str(sectors), "-H", str(START), "::"], check=True,
                   env=environment)
    made = set()
    for name, data in contents:
        for parent in reversed(Path(name).parents):
            if str(parent) != "." and parent not in made:
                made.add(parent)
                subprocess.run(["mmd", *where, "::%s" % parent], check=True, env=environment)
        subprocess.run(["mcopy", *where, "-", "::%s" % name], input=data, check=True, env=environment)


def config(machine):
    """Xen's configuration file: the hypervisor's options, dom0, and the tree that has the rest."""
    lines = ["[global]", "default=hospes", "", "[hospes]", "options=" + machine.options(), "dtb=xen.dtb"]
    for domain in machine.domains:
        if domain.hardware:
            lines.append("kernel=%s %s" % (Path(domain.kernel).name, machine.domain_bootargs(domain)))
            lines.append("ramdisk=%s" % Path(domain.ramdisk).name)
    return ("\n".join(lines) + "\n").encode()


def disk(machine, blob, loads, folder):
    """QEMU's arguments for `machine` started from a disk made in `folder`; `loads` as board.py has them."""
    image = Path(folder) / "boot.img"
    modules = sorted({(path.name, path) for _, path in loads})
    if machine.boot == "bootefi":
        text = BOOTEFI % (KERNEL_ADDR, FDT_ADDR)
    else:
        text = "".join("load virtio 0:1 %#x %s\n" % (address, path.name) for address, path in loads)
        text = BOOTI % (KERNEL_ADDR, FDT_ADDR, text)
    if machine.boot in ("bootefi", "booti"):
        files = [("boot.scr", script(text)), ("xen.efi", machine.hypervisor), ("xen.dtb", blob)] + modules
    else:
        files = [("EFI/BOOT/BOOTAA64.EFI", machine.hypervisor)]
        files += [("EFI/BOOT/" + name, path) for name, path in modules]
    if machine.boot == "edk2-cfg":
        files += [("EFI/BOOT/BOOTAA64.cfg", config(machine)), ("EFI/BOOT/xen.dtb", blob)]
    fat(image, files)
    return ["-drive", "file=%s,if=none,format=raw,id=boot,snapshot=on" % image,
            "-device", "virtio-blk-pci,drive=boot,romfile="]
