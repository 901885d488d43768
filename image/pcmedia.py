# SPDX-License-Identifier: MIT
"""A disk that a PC's firmware boots from: one FAT partition with the hypervisor, the modules and what names them.

Ways to start, as Machine.boot in pc.py calls them:
    grub   BIOS runs GRUB, whose grub.cfg is what Debian's update-grub writes: multiboot2, module2
    grub1  the same by multiboot and module, as older ones write it
    grub-efi  UEFI runs GRUB, with the same grub.cfg
    uefi   UEFI runs \\EFI\\BOOT\\BOOTX64.EFI, which is the hypervisor; what it starts stands in a file beside it
"""

import gzip
import shutil
import subprocess
from pathlib import Path

import board
import media

GRUB = board.BUILD / "debian/amd64/usr/lib/grub"
MKIMAGE = board.BUILD / "bin/grub-mkimage"
OVMF = board.BUILD / "debian/all/usr/share/OVMF"

FIRMWARE = ["grub", "grub1", "grub-efi", "uefi"]

# What GRUB carries, so that its partition needs no folder of modules.
MODULES = "part_msdos fat normal configfile echo test gzio multiboot2 sleep boot".split()
BIOS_MODULES = MODULES + ["biosdisk", "multiboot"]
EFI_MODULES = MODULES + ["all_video"]

# Debian's, without the menu and the search for the disk.
CONFIG = """\
set timeout=0
menuentry 'Debian GNU/Linux, with Xen hypervisor' {{
\techo\t'Loading Xen 4.20-amd64 ...'
\tif [ "$grub_platform" = "pc" -o "$grub_platform" = "" ]; then
\t\txen_rm_opts=
\telse
\t\txen_rm_opts="no-real-mode edd=off"
\tfi
\t{multiboot}\t/boot/xen-4.20-amd64.gz placeholder {options} ${{xen_rm_opts}}
{modules}}}
"""


def grub_config(machine, modules):
    """grub.cfg: the first module is dom0's kernel, all others come as they are."""
    new = machine.boot != "grub1"
    lines = []
    for number, (name, (_, text)) in enumerate(names(modules)):
        module = "module2" if new else "module"
        flags = "--nounzip " if number else ""
        first = "placeholder " if text else ""
        lines.append("\t%s\t%s/boot/%s %s%s\n" % (module, flags, name, first, quoted(text)))
    return CONFIG.format(multiboot="multiboot2" if new else "multiboot", options=quoted(machine.options()),
                         modules="".join(lines)).encode()


def quoted(text):
    """A command line as GRUB's language takes it: none of its words may be taken for more than it is."""
    return " ".join("'%s'" % word if set(word) & set("$;&|<>{}\"\\") else word for word in text.split())


def names(modules):
    """The modules with a name of its own for each: a file may come twice."""
    return [("%d-%s" % (number, path.name), (path, text)) for number, (path, text) in enumerate(modules)]


def make_grub(to, kind, modules):
    """GRUB for one kind of firmware, in one file: all that it needs to read the partition."""
    subprocess.run([str(MKIMAGE), "-O", kind, "-d", str(GRUB / kind), "-p", "(hd0,msdos1)/boot/grub", "-o", str(to),
                    *modules], check=True)


def bios_boot(image, folder):
    """Puts GRUB before the partition: its first sector, and behind it the rest."""
    core = Path(folder) / "core.img"
    make_grub(core, "i386-pc", BIOS_MODULES)
    first, rest = (GRUB / "i386-pc/boot.img").read_bytes(), core.read_bytes()
    if len(rest) > (media.START - 1) * media.SECTOR:
        raise SystemExit("GRUB does not fit before the partition")
    with open(image, "r+b") as disk:
        disk.write(first[:440])     # behind it is the table of partitions
        disk.seek(media.SECTOR)     # where both halves expect it as they are
        disk.write(rest)


def uefi_config(machine, modules):
    """Xen's configuration file: the hypervisor's options, dom0, and the tree that has the rest."""
    (kernel, (_, text)), *others = names(modules)
    lines = ["[global]", "default=hospes", "", "[hospes]", "options=" + machine.options(),
             ("kernel=%s %s" % (kernel, text)).rstrip()]
    lines += ["%s=%s" % ("dtb" if name.endswith(".dtb") else "ramdisk", name) for name, _ in others[:1]]
    return ("\n".join(lines) + "\n").encode()


def grub_files(machine, modules):
    """What GRUB finds in /boot."""
    packed = gzip.compress(Path(machine.hypervisor).read_bytes(), 6, mtime=0)
    return [("boot/xen-4.20-amd64.gz", packed), ("boot/grub/grub.cfg", grub_config(machine, modules))] + [
        ("boot/" + name, path) for name, (path, _) in names(modules)]


def bios_disk(machine, modules, folder):
    """A disk from which a BIOS starts `machine` by GRUB, made in `folder`; `modules` as pc.py has them."""
    image = Path(folder) / "boot.img"
    media.fat(image, grub_files(machine, modules))
    bios_boot(image, folder)
    return image


def uefi_disk(machine, modules, folder):
    """The same for UEFI, which starts GRUB or the hypervisor itself."""
    image, grub = Path(folder) / "boot.img", Path(folder) / "grub.efi"
    if machine.boot == "grub-efi":
        make_grub(grub, "x86_64-efi", EFI_MODULES)
        files = [("EFI/BOOT/BOOTX64.EFI", grub)] + grub_files(machine, modules)
    else:
        files = [("EFI/BOOT/BOOTX64.EFI", machine.efi()), ("EFI/BOOT/BOOTX64.cfg", uefi_config(machine, modules))]
        files += [("EFI/BOOT/" + name, path) for name, (path, _) in names(modules)]
    media.fat(image, files)
    return image


def disk(machine, modules, folder):
    """QEMU's arguments for `machine` started from a disk made in `folder`; `modules` as pc.py has them."""
    uefi = machine.boot in ("uefi", "grub-efi")
    image = (uefi_disk if uefi else bios_disk)(machine, modules, folder)
    drive = ["-drive", "file=%s,if=none,format=raw,id=boot,snapshot=on" % image,
             "-device", "ide-hd,drive=boot,bootindex=0"]
    if not uefi:
        return drive
    variables = Path(folder) / "variables.fd"
    shutil.copy(OVMF / "OVMF_VARS_4M.fd", variables)
    return ["-drive", "if=pflash,unit=0,format=raw,readonly=on,file=%s" % (OVMF / "OVMF_CODE_4M.fd"),
            "-drive", "if=pflash,unit=1,format=raw,file=%s" % variables] + drive
