# SPDX-License-Identifier: MIT
"""The machines that are measured, the same for both hypervisors: one cortex-a57 with a GICv3, or one EPYC.

On arm64 what measures are domains beside no dom0; on a PC it is dom0 itself, which both hypervisors have to have.
"""

import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "image"), str(TOP / "tests/boot")]

import machine as boot  # noqa: E402 pylint: disable=wrong-import-position

ARCH = boot.ARCH
board = boot.board
GUEST = board.GUEST / "bench.bin"
MEMORY = 2048   # MiB of the machine
DOMAIN = 512    # MiB of each domain
PATIENCE = boot.PATIENCE

# One tick of the counter is one instruction: arm64's by its frequency.
CPU = {"arm64": "cortex-a57,cntfrq=1000000000", "x86_64": boot.pc.XEN_CPU}[ARCH]

# Neither clears free memory while the guests are measured.
OPTIONS = board.CONSOLE + " bootscrub=0 dom0_mem=%dM"

FIGURE = re.compile(rb"bench (\S+) (\d+) (\d+) (\d+)")


@dataclass
class Run:
    """One machine that is started for its guests' figures."""
    arguments: str
    cpus: int = 1           # of the machine
    vcpus: int = 1          # of each domain
    domains: int = 1
    large: bool = False     # the guest's image is as large as Debian's kernel
    dom0: bool = False      # beside Debian's kernel as dom0
    control: bool = False   # the guest itself is dom0
    suffix: str = ""        # of the figures' names


RUNS_ARM64 = [
    Run("do=one"),
    Run("do=pair", vcpus=2),
    Run("do=pair apart=1", cpus=2, vcpus=2, suffix="-apart"),
    Run("do=xen"),
    Run("do=xen fifo=1"),
    Run("do=control", domains=0, control=True),
    Run("do=nothing", domains=2, suffix="-two"),
    Run("do=nothing", large=True, suffix="-large"),
    Run("do=nothing", dom0=True, suffix="-dom0"),
]
RUNS_X86_64 = [
    Run("do=pair", vcpus=2),
    Run("do=one"),
    Run("do=pair", cpus=2, vcpus=2, suffix="-apart"),
    Run("do=xen domid=0"),
    Run("do=xen domid=0 fifo=1"),
]
RUNS = {"arm64": RUNS_ARM64, "x86_64": RUNS_X86_64}[ARCH]


def settings(hypervisor, **changes):
    """A machine with this hypervisor, or with Xen for None."""
    dom0_memory = changes.setdefault("dom0_memory", DOMAIN)
    changes.setdefault("memory", MEMORY)
    changes["bootargs"] = OPTIONS % dom0_memory + changes.get("bootargs", "")
    if ARCH == "x86_64":
        changes["iommu"] = "amd-iommu"  # without one Xen has no such dom0
    if hypervisor is None:
        return board.xen(**changes)
    return board.Machine(hypervisor=hypervisor, **changes)


def domains(run, folder):
    """The domains of a run."""
    kernel = GUEST
    if ARCH == "x86_64":
        return [board.dom0(kernel=kernel, ramdisk=None, bootargs=run.arguments)]
    if run.large:
        kernel = Path(folder) / "large.bin"
        size = (board.IMAGE / "Image").stat().st_size
        kernel.write_bytes(GUEST.read_bytes().ljust(size, b"\x5a"))
    first = [board.dom0()] if run.dom0 else []
    if run.control:
        first = [board.dom0(kernel=kernel, ramdisk=None, bootargs=run.arguments)]
    return first + board.domus(run.domains, kernel=kernel, ramdisk=None, memory=DOMAIN, cpus=run.vcpus,
                               bootargs=run.arguments)


class Console:
    """An emulator with its serial line on pipes; ends with the block that it is used in."""

    def __init__(self, command, patience=5 * PATIENCE):
        # It ends with us, however we end.
        self.emulator = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.patience = patience
        self.timer = threading.Timer(patience, self.emulator.terminate)
        self.text = b""

    def __enter__(self):
        self.timer.start()
        return self

    def __exit__(self, *_):
        self.timer.cancel()
        self.emulator.terminate()
        self.emulator.wait()

    def until(self, done):
        """Reads lines until done(text so far)."""
        while not done(self.text):
            line = self.emulator.stdout.readline()
            if not line:
                sys.exit("bench: the machine stopped, or did not come to its end in %d s:\n%s"
                         % (self.patience, self.text.decode(errors="replace")[-4000:]))
            self.text += line

    def send(self, text):
        """Types, slowly enough for Xen's console."""
        for letter in text:
            self.emulator.stdin.write(letter.encode())
            self.emulator.stdin.flush()
            time.sleep(0.1)


def count(run, hypervisor):
    """Starts a machine and gives its figures: {name: median}."""
    with tempfile.TemporaryDirectory(prefix="hospes-bench-") as folder:
        machine = settings(hypervisor, domains=domains(run, folder), cpus=run.cpus,
                           cpu=CPU, counted=True,
                           bootargs=" dom0_max_vcpus=%d" % run.vcpus if ARCH == "x86_64" else "")
        with Console(machine.command(folder)) as console:
            console.until(lambda text: text.count(b"bench done") == run.domains + run.control)
            if b"FAIL" in console.text:
                sys.exit("bench: the guest failed:\n" + console.text.decode(errors="replace"))
            found = [(name.decode(), int(median)) for name, median, _, _ in FIGURE.findall(console.text)]
    starts = [value for name, value in found if name == "start" and value]  # 0: it could not tell
    result = {name + run.suffix: value for name, value in found if name not in ("start", "done")}
    if starts and not run.control and not run.arguments.startswith("do=xen"):
        result["start" + run.suffix] = min(starts)
        result["start-last" + run.suffix] = max(starts)
    return result


def kept(hypervisor):
    """{kept: KiB} of the machine's memory that neither a domain has nor is free, by the debug key `m`."""
    run = Run("do=nothing")
    with tempfile.TemporaryDirectory(prefix="hospes-bench-") as folder:
        machine = settings(hypervisor, domains=domains(run, folder), cpus=1)
        with Console(machine.command(folder)) as console:
            console.until(lambda text: b"bench done" in text)
            console.send("\x01\x01\x01m")
            if hypervisor is None:
                console.until(lambda text: re.search(rb"Dom heap: \d+kB free", text))
                free = int(re.search(rb"Dom heap: (\d+)kB", console.text)[1])
            else:
                console.until(lambda text: re.search(rb"heap: \d+ KiB", text))
                blocks = re.findall(rb"(\d+) KiB: +(\d+) +(\d+)", console.text)
                free = sum(int(size) * (int(clean) + int(dirty)) for size, clean, dirty in blocks)
    return {"kept": (MEMORY - DOMAIN) * 1024 - free}


def image_size(hypervisor):
    """Bytes of the file that is started."""
    return Path(hypervisor or board.XEN).stat().st_size


def shell_times(hypervisor):
    """Seconds from QEMU's start to dom0's and to domU's shell, Debian's kernel in both."""
    changes = {} if hypervisor is None else {"hypervisor": hypervisor}
    if ARCH == "x86_64":
        changes.update(cpu=CPU, iommu="amd-iommu")
    log = board.BUILD / "logs" / ("bench-%s.log" % ("xen" if hypervisor is None else "hospes"))
    machine = boot.Machine(log, xen=hypervisor is None, cpus=1, memory=MEMORY, **changes)
    begin = time.monotonic()
    machine.start()
    times, left = {}, {"dom0": r"dom0: Linux"}
    if ARCH == "arm64":
        left["domu"] = r"domU1: Linux"
    try:
        while left:
            names = list(left)
            which = names[machine.console.expect(list(left.values()), timeout=PATIENCE)]
            times[which] = time.monotonic() - begin
            del left[which]
    finally:
        machine.stop()
    return times


def shells(hypervisor, ours, xens):
    """The least of some times each, in turn: other work on the computer disturbs both alike."""
    for _ in range({"arm64": 3, "x86_64": 1}[ARCH]):
        for found, which in ((ours, hypervisor), (xens, None)):
            for name, seconds in shell_times(which).items():
                found["shell-" + name] = min(found.get("shell-" + name, seconds), seconds)
