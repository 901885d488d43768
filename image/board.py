# SPDX-License-Identifier: MIT
"""The emulated machine: QEMU's arguments, and the device tree that names the domains to start.

The tree is the one that QEMU makes for the same arguments (or the board's own, from Debian's kernel
package), with /chosen as Xen's dom0less boot documents it: each module is loaded into memory by QEMU's
`loader` device, where its node's `reg` says.
"""

import os
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import media
from tree import Tree, cells64

TOP = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BUILD") or TOP / "build").resolve()
QEMU = BUILD / "bin/qemu-system-aarch64"
# QEMU's arguments for a machine whose serial port is its stdin and stdout.
SERIAL = ["-chardev", "stdio,id=console,signal=off,mux=off", "-serial", "chardev:console"]
IMAGE = BUILD / "image"
HOSPES = BUILD / "arm64/hospes"
GUEST = BUILD / "guest"     # tests/guest
XEN = BUILD / "debian/arm64/boot/xen-4.20-arm64"
XEN_TARGET = "build/debian/xen.stamp"
MIB = 1 << 20

CONSOLE = "console=dtuart"

# How a guest's kernel is told its console. dom0's is Xen's own, as Xen's users have it: the same line on every board;
# domU's is the UART that stands where Xen has it.
DOM0_CONSOLE = "console=hvc0 earlycon=xenboot"
DOMU_CONSOLE = "console=ttyAMA0 earlycon=pl011,0x22000000"


@dataclass
class Board:
    """One of QEMU's machines."""
    machine: str
    modules: int               # where modules may be placed: above QEMU's own kernel and tree
    uart: str                  # dom0's other console, for its kernel's command line: the emulated UART
    also: str = ""             # what else dom0's kernel is to be told
    dtb: str = None            # the tree's file in Debian's kernel package; None: QEMU makes it
    stdout: str = None         # stdout-path, where QEMU's console is not the tree's
    memory: int = None         # MiB, where it is not for the user to choose
    cpus: int = None           # likewise
    domu_memory: int = 512     # MiB of each domain beside dom0, if the user says nothing
    extra: tuple = ()


BOARDS = {
    "virt": Board("virt,virtualization=on", 0x4A000000, "console=ttyAMA0 earlycon=pl011,0x9000000"),
    "zcu102": Board("xlnx-zcu102,virtualization=on", 0x0A000000, "console=ttyAMA0 earlycon",
                    dtb="xilinx/zynqmp-zcu102-rev1.0.dtb", memory=2048, cpus=4,
                    extra=("-audio", "none")),
    # QEMU has nothing at the addresses of these two devices: their drivers get an abort, bare as well.
    "raspi4b": Board("raspi4b", 0x0A000000,
                     "console=ttyAMA0 earlycon",
                     also="initcall_blacklist=brcmstb_l2_driver_init,brcmstb_i2c_driver_init clk_ignore_unused",
                     dtb="broadcom/bcm2711-rpi-4-b.dtb", stdout="serial0:115200n8", memory=2048, cpus=4,
                     domu_memory=256),  # of 960 that QEMU shows

}


@dataclass
class Domain:
    """One domain as the device tree describes it; `properties` and `edit` are for what tests bend."""
    name: str = "domU1"
    kernel: Path = IMAGE / "Image"
    ramdisk: Path = IMAGE / "domu.cpio.gz"
    bootargs: str = None       # None: a shell on the domain's console
    also: str = ""             # what comes behind that
    memory: int = 512          # MiB; dom0's comes from the hypervisor's command line
    cpus: int = 1
    vpl011: bool = True
    properties: dict = field(default_factory=dict)
    hardware: bool = False     # this is dom0: its modules stand in /chosen itself


def domain(**changes):
    """A domain of the caller's own."""
    return Domain(**changes)


def dom0(**changes):
    """The hardware domain: the modules for the devices that it gets come in its ramdisk."""
    return Domain(**{"name": "dom0", "hardware": True, "ramdisk": IMAGE / "dom0.cpio.gz", **changes})


def xl_dom0(**changes):
    """The hardware domain with Xen's toolstack in it: see image/xl."""
    return dom0(**{"ramdisk": IMAGE / "xl.cpio", **changes})


# Debian 12's dom0: its scripts look for tools of the release that the hypervisor says it is.
XL_4_17 = "xen_version=4.17"


def xl_4_17_dom0(**changes):
    """The same with Debian 12's tools; the hypervisor needs XL_4_17 on its command line."""
    return xl_dom0(**{"ramdisk": IMAGE / "xl-4.17.cpio", **changes})


def debian_dom0(**changes):
    """The hardware domain as a whole Debian on the first disk: see image/debian."""
    return dom0(**{"ramdisk": IMAGE / "disk.cpio.gz", "also": "disk=/dev/vda systemd.hostname=dom0", **changes})


def domus(count, **changes):
    """`count` domains beside it."""
    return [Domain(name="domU%d" % number, **changes) for number in range(1, count + 1)]


def xen(**changes):
    """A machine that boots Debian's Xen instead."""
    machine = Machine(**{"hypervisor": XEN, **changes})
    if machine.bootargs is None:
        machine.bootargs = CONSOLE + " bootscrub=0 dom0_mem=%dM" % machine.dom0_memory
    return machine


@dataclass
class Machine:
    """What there is to boot, and on what."""
    hypervisor: Path = HOSPES
    board: str = "virt"
    cpu: str = "cortex-a57"
    gic: int = 3
    cpus: int = 2
    memory: int = None         # MiB; None: what the domains need
    domains: list = field(default_factory=lambda: [dom0()] + domus(1))
    bootargs: str = None       # the hypervisor's command line; None: the usual one
    also: str = ""             # what comes behind that
    dom0_memory: int = 512     # MiB
    bios: Path = None          # start this firmware instead of the hypervisor
    boot: str = "kernel"       # by QEMU itself, or through firmware from a disk: see media.py
    edit: object = None        # called with the finished Tree: the place for tests to spoil it
    counted: bool = False      # time is the count of instructions: the same in each run, to the digit
    qemu: list = field(default_factory=list)       # more arguments for QEMU
    dtb: bytes = None          # a whole tree of the caller's own

    def memory_size(self):
        """MiB of the machine."""
        if BOARDS[self.board].memory:
            return BOARDS[self.board].memory
        if self.memory is not None:
            return self.memory
        return 1024 + sum(domain.memory + 128 for domain in self.domains if not domain.hardware)

    def hardware_arguments(self):
        """QEMU's arguments that the shape of its own device tree depends on."""
        board = BOARDS[self.board]
        arguments = ["-machine", board.machine, "-m", "%dM" % self.memory_size()]
        arguments += ["-smp", str(board.cpus or self.cpus)]
        if board.dtb is None:
            arguments[1] += ",gic-version=%d" % self.gic
            arguments += ["-cpu", self.cpu]
            if self.counted:
                arguments[1] += ",dtb-randomness=off"
        bios = self.bios or media.BIOS.get(self.boot)
        if bios:
            arguments += ["-bios", str(bios)]
        if bios == media.EDK2:  # with ACPI it has no device tree to pass on
            arguments[1] += ",acpi=off"
        arguments += board.extra
        return arguments + ["-display", "none", "-nodefaults", "-no-reboot", "-monitor", "none"]

    def base_tree(self):
        """The board's tree before anything is chosen in it."""
        board = BOARDS[self.board]
        if board.dtb:
            found = sorted((BUILD / "debian/arm64").glob("usr/lib/linux-image-*/" + board.dtb))
            return Tree(found[-1].read_bytes())
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "base.dtb"
            arguments = self.hardware_arguments()
            arguments[1] += ",dumpdtb=%s" % file
            subprocess.run([str(QEMU)] + arguments, check=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=600)
            return Tree(file.read_bytes())

    def options(self):
        """The hypervisor's command line."""
        if self.bootargs is not None:
            return self.bootargs
        return ("%s dom0_mem=%dM %s" % (CONSOLE, self.dom0_memory, self.also)).rstrip()

    def domain_bootargs(self, domain):
        """The command line of a domain's kernel."""
        if domain.bootargs is not None:
            return domain.bootargs
        words = [DOM0_CONSOLE, BOARDS[self.board].also] if domain.hardware else [DOMU_CONSOLE]
        return " ".join(filter(None, [*words, "rdinit=/init name=%s" % domain.name, domain.also]))

    def compose(self):
        """The finished device tree's bytes, and where QEMU loads which file: [(address, path)]."""
        loads = []
        if self.dtb is not None:
            return self.dtb, loads
        tree = self.base_tree()
        board = BOARDS[self.board]
        tree.put("/chosen", "#address-cells", 2)
        tree.put("/chosen", "#size-cells", 2)
        if self.boot == "edk2-cfg":
            tree.put("/chosen", "xen,uefi-cfg-load", True)
        else:
            tree.put("/chosen", "xen,xen-bootargs", self.options())
        if board.stdout:
            tree.put("/chosen", "stdout-path", board.stdout)
        # A new node goes before its siblings, and domains are numbered in the order of the tree.
        for domain in reversed(self.domains):
            if not domain.hardware:
                tree.node("/chosen/" + domain.name)
        address = board.modules
        for domain in self.domains:
            address = self.add_domain(tree, domain, address, loads)
        if self.edit:
            self.edit(tree)
        return tree.blob(), loads

    def add_domain(self, tree, domain, address, loads):
        """Describes one domain; returns the first free address behind its modules."""
        top = "/chosen"
        elsewhere = domain.hardware and self.boot == "edk2-cfg"  # in the configuration file
        if domain.hardware and not elsewhere:
            tree.put(top, "xen,dom0-bootargs", self.domain_bootargs(domain))
        elif not domain.hardware:
            top = "/chosen/" + domain.name
            tree.put(top, "compatible", "xen,domain")
            tree.put(top, "#address-cells", 2)
            tree.put(top, "#size-cells", 2)
            tree.put(top, "memory", cells64(domain.memory * 1024))
            tree.put(top, "cpus", domain.cpus)
            if domain.vpl011:
                tree.put(top, "vpl011", True)
        for name, value in domain.properties.items():
            tree.put(top, name, value)
        for kind, path in (("kernel", domain.kernel), ("ramdisk", domain.ramdisk)):
            if path is None:
                continue
            path = Path(path)
            loads.append((address, path))
            if elsewhere:
                continue
            node = "%s/module@%x" % (top, address)
            size = path.stat().st_size
            tree.put(node, "compatible", ["multiboot," + kind, "multiboot,module"])
            if self.boot in ("kernel", "booti"):
                tree.put(node, "reg", cells64(address, size))
            else:
                tree.put(node, "xen,uefi-binary", path.name)
            if kind == "kernel" and not domain.hardware:
                tree.put(node, "bootargs", self.domain_bootargs(domain))
            address = (address + size + 2 * MIB - 1) // (2 * MIB) * (2 * MIB)
        return address

    def command(self, folder):
        """What runs the machine, with its console on stdin and stdout."""
        return [str(QEMU), *self.arguments(folder), *SERIAL]

    def arguments(self, folder):
        """All of QEMU's arguments but its console; the device tree is written into `folder`."""
        blob, loads = self.compose()
        file = Path(folder) / "machine.dtb"
        file.write_bytes(blob)
        arguments = self.hardware_arguments()
        if self.boot == "kernel":
            arguments += ["-dtb", str(file)]
            if not self.bios:
                arguments += ["-kernel", str(self.hypervisor)]
            for address, path in loads:
                arguments += ["-device", "loader,file=%s,addr=%#x,force-raw=on" % (path, address)]
        else:
            if self.boot == "edk2":
                arguments += ["-dtb", str(file)]
            arguments += media.disk(self, blob, loads, folder)
        if self.counted:
            arguments += ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", "1"]
        return arguments + self.qemu


def devices(*disks, snapshot=True, ssh=None):
    """QEMU's arguments for disks and a network card that dom0 gets; `ssh` is a port here that leads to dom0's."""
    arguments = []
    # QEMU gives its last free transport to the first device: the other way round they are /dev/vda, vdb ...
    for number, disk in reversed(list(enumerate(disks))):
        drive = "file=%s,if=none,format=raw,id=disk%d" % (disk, number) + (",snapshot=on" if snapshot else "")
        arguments += ["-drive", drive, "-device", "virtio-blk-device,drive=disk%d" % number]
    net = "user,id=net0" + (",hostfwd=tcp:127.0.0.1:%d-:22" % ssh if ssh else "")
    return arguments + ["-netdev", net, "-device", "virtio-net-device,netdev=net0"]
