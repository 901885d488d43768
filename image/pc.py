# SPDX-License-Identifier: MIT
"""The emulated PC: QEMU's arguments for a machine that starts the hypervisor, dom0 and domains beside it; or Bochs.

What board.py is for arm64, with the same names. A loader hands over the hypervisor's command line and modules:
QEMU's own (multiboot 1), or GRUB and UEFI from a disk (pcmedia.py). The first module is dom0's kernel, the second
its ramdisk; domains beside it are described by a module that is a device tree (see `beside`).
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import board
import bochs
import pcmedia as media
from tree import Tree, cells64

TOP, BUILD, MIB = board.TOP, board.BUILD, board.MIB
QEMU = BUILD / "bin/qemu-system-x86_64"
IMAGE = BUILD / "image-x86_64"
XEN = IMAGE / "xen"
XEN_TARGET = "build/image-x86_64/xen"
XEN_EFI = BUILD / "debian/x86_64/boot/xen-4.20-amd64.efi"
HOSPES = BUILD / "x86_64/hospes"
GUEST = BUILD / "guest-x86_64"
CONSOLE = "console=com1 com1=115200,8n1"
CPU = "EPYC"
# QEMU's RDTSCP exits with RDTSC's code, and its MWAIT faults: neither is for Xen.
XEN_CPU = CPU + ",-rdtscp,-monitor"

# What QEMU's emulation lacks of a model, and would say so at each start.
LACKING = {"EPYC": "fxsr-opt misalignsse osvw topoext nrip-save xsavec",
           "EPYC-Milan": "pcid invpcid fxsr-opt misalignsse osvw topoext perfctr-core clzero ibpb ibrs amd-stibp "
                         "amd-ssbd nrip-save xsavec xsaves"}

BOARDS = {"q35": board.Board("q35", 0, "console=hvc0"), "pc": board.Board("pc", 0, "console=hvc0")}


def domain(**changes):
    """A domain of the caller's own."""
    return board.Domain(**changes)


def dom0(**changes):
    """The hardware domain: the modules for the devices that it gets come in its ramdisk."""
    return board.Domain(**{"name": "dom0", "hardware": True, "kernel": IMAGE / "vmlinuz",
                           "ramdisk": IMAGE / "dom0.cpio.gz", **changes})


def xl_dom0(**changes):
    """The hardware domain with Xen's toolstack in it: see image/xl."""
    return dom0(**{"ramdisk": IMAGE / "xl.cpio", **changes})


XL_4_17 = board.XL_4_17


def xl_4_17_dom0(**changes):
    """The same with Debian 12's tools; the hypervisor needs XL_4_17 on its command line."""
    return xl_dom0(**{"ramdisk": IMAGE / "xl-4.17.cpio", **changes})


def debian_dom0(**changes):
    """The hardware domain as a whole Debian on the first disk: see image/debian."""
    return dom0(**{"ramdisk": IMAGE / "disk.cpio.gz", "also": "disk=/dev/vda systemd.hostname=dom0", **changes})


def domus(count, **changes):
    """`count` domains beside it."""
    return [board.Domain(**{"name": "domU%d" % number, "kernel": IMAGE / "vmlinuz",
                            "ramdisk": IMAGE / "domu.cpio.gz", **changes}) for number in range(1, count + 1)]


def xen(**changes):
    """A machine that boots Debian's Xen instead: with a PVH dom0, for which it needs an IOMMU."""
    machine = Machine(**{"hypervisor": XEN, "cpu": XEN_CPU, "iommu": "amd-iommu", **changes})
    machine.bootargs = "dom0=pvh bootscrub=0 " + machine.options()
    return machine


def on_bochs(**changes):
    """The settings of a machine that Bochs emulates."""
    return {"emulator": "bochs", "board": "pc", "cpu": bochs.CPU, "boot": "grub", **changes}


@dataclass
class Machine:
    """What there is to boot, and on what."""
    hypervisor: Path = HOSPES
    board: str = "q35"
    cpu: str = CPU
    cpus: int = 2
    memory: int = None         # MiB; None: what the domains need
    domains: list = field(default_factory=lambda: [dom0()])
    bootargs: str = None       # the hypervisor's command line; None: the usual one
    also: str = ""             # what comes behind that
    dom0_memory: int = 512     # MiB
    boot: str = "kernel"       # by QEMU itself, or through firmware from a disk: see pcmedia.py
    iommu: str = None          # QEMU's device
    counted: bool = False      # time is the count of instructions: the same in each run, to the digit
    qemu: list = field(default_factory=list)       # more arguments for QEMU, lines of configuration for Bochs
    edit: object = None        # called with the Tree of the domains beside dom0
    emulator: str = "qemu"     # or "bochs", for which see `on_bochs`

    def efi(self):
        """The same hypervisor as an application of UEFI."""
        return XEN_EFI if self.hypervisor == XEN else Path(self.hypervisor).with_name("hospes.efi")

    def memory_size(self):
        """MiB of the machine."""
        if self.memory is not None:
            return self.memory
        return 1024 + sum(domain.memory + 128 for domain in self.domains if not domain.hardware)

    def options(self):
        """The hypervisor's command line."""
        if self.bootargs is not None:
            return self.bootargs
        return ("%s dom0_mem=%dM %s" % (CONSOLE, self.dom0_memory, self.also)).rstrip()

    @staticmethod
    def domain_bootargs(domain):
        """The command line of a domain's kernel."""
        if domain.bootargs is not None:
            return domain.bootargs
        return ("console=hvc0 rdinit=/init name=%s %s" % (domain.name, domain.also)).rstrip()

    def modules(self, folder):
        """What the loader hands over: [(path, command line)]; dom0's come first, then the tree and what it names."""
        found = []
        for domain in self.domains:
            if domain.hardware:
                found += [(Path(domain.kernel), self.domain_bootargs(domain))]
                found += [(Path(domain.ramdisk), "")] if domain.ramdisk else []
        beside = [domain for domain in self.domains if not domain.hardware]
        if beside:
            found += self.beside(beside, len(found), Path(folder))
        return found

    def beside(self, domains, first, folder):
        """The modules of the domains beside dom0: a device tree, and after it those that it names by their index."""
        files = []
        tree = Tree.empty()
        for domain in reversed(domains):  # a new node goes before its siblings
            tree.node("/chosen/" + domain.name)
        for domain in domains:
            top = "/chosen/" + domain.name
            tree.put(top, "compatible", "xen,domain")
            tree.put(top, "memory", cells64(domain.memory * 1024))
            tree.put(top, "cpus", domain.cpus)
            for name, value in domain.properties.items():
                tree.put(top, name, value)
            for kind, path in (("kernel", domain.kernel), ("ramdisk", domain.ramdisk)):
                if path is None:
                    continue
                files.append((Path(path), ""))
                node = "%s/module@%x" % (top, first + len(files))
                tree.put(node, "compatible", ["multiboot," + kind, "multiboot,module"])
                tree.put(node, "module-index", first + len(files))
                if kind == "kernel":
                    tree.put(node, "bootargs", self.domain_bootargs(domain))
        if self.edit:
            self.edit(tree)
        (folder / "domains.dtb").write_bytes(tree.blob())
        return [(folder / "domains.dtb", ""), *files]

    def command(self, folder):
        """What runs the machine, with its console on stdin and stdout."""
        if self.emulator == "bochs":
            return bochs.command(self, folder)
        return [str(QEMU), *self.arguments(folder), *board.SERIAL]

    def hardware_arguments(self):
        """QEMU's arguments for the machine itself."""
        arguments = ["-machine", self.board, "-m", "%dM" % self.memory_size(), "-smp", str(self.cpus)]
        lacking = LACKING.get(self.cpu.split(",")[0], "").split()
        if self.counted:  # nothing else may tell two runs apart
            lacking += ["rdrand", "rdseed"]
        arguments += ["-cpu", ",-".join([self.cpu, *lacking])]
        if self.iommu:
            arguments += ["-device", self.iommu]
        return arguments + ["-display", "none", "-nodefaults", "-no-reboot", "-monitor", "none"]

    def arguments(self, folder):
        """All of QEMU's arguments but its console; what has to be made for it is made in `folder`."""
        arguments = self.hardware_arguments()
        modules = self.modules(folder)
        if self.boot == "kernel":
            # QEMU takes two commas for one.
            words = [("%s %s" % (path, text)).rstrip().replace(",", ",,") for path, text in modules]
            arguments += ["-kernel", str(self.hypervisor), "-append", self.options()]
            arguments += ["-initrd", ",".join(words)] if words else []
        else:
            arguments += media.disk(self, modules, folder)
        if self.counted:
            arguments += ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", "1"]
        return arguments + self.qemu


# A paravirtual device that reaches memory as any other does: through the IOMMU if there is one, and where its driver's
# kernel says that devices can.
VIRTIO = "disable-legacy=on,iommu_platform=on,romfile="


def devices(*disks, snapshot=True, ssh=None):
    """QEMU's arguments for disks and a network card that dom0 gets; `ssh` is a port here that leads to dom0's."""
    arguments = []
    for number, disk in enumerate(disks):
        drive = "file=%s,if=none,format=raw,id=disk%d" % (disk, number) + (",snapshot=on" if snapshot else "")
        arguments += ["-drive", drive, "-device", "virtio-blk-pci,drive=disk%d,%s" % (number, VIRTIO)]
    net = "user,id=net0" + (",hostfwd=tcp:127.0.0.1:%d-:22" % ssh if ssh else "")
    return arguments + ["-netdev", net, "-device", "virtio-net-pci,netdev=net0," + VIRTIO]
