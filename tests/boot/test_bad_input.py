# SPDX-License-Identifier: MIT
"""Device trees, files and options with mistakes: each costs what it spoils, is named, and no more."""

import gzip
import re

import pytest

import board
import tiny
from tree import cells64

KERNEL = board.IMAGE / "Image"
MIB = 1 << 20


def spoil_kernel(**changes):
    """The domain's kernel module has another place or size."""
    return lambda tree, top, kernel: tiny.put_place(tree, kernel, **changes)


def spoil(name, value):
    """A property of the domain's node is another."""
    return lambda tree, top, kernel: tree.put(top, name, value)


def without(name):
    """A property of the domain's node is not there."""
    return lambda tree, top, kernel: tree.remove(top, name)


def no_file(tree, top, kernel):
    tree.remove(kernel, "reg")
    tree.put(kernel, "xen,uefi-binary", "vmlinuz")


def static_memory(*numbers):
    """The domain's memory is at these places."""
    def change(tree, top, kernel):
        tree.put(top, "#xen,static-mem-address-cells", 2)
        tree.put(top, "#xen,static-mem-size-cells", 2)
        tree.put(top, "xen,static-mem", cells64(*numbers))
    return change


# What is done to a domain's node, and the line that tells: {} is the node, KERNEL the module in it.
MISTAKES = {
    "memory-missing": (without("memory"), r"{}: memory: is missing"),
    "memory-zero": (spoil("memory", [0, 0]), r"{}: memory = <0 0>: a domain needs memory"),
    "memory-of-3-cells": (spoil("memory", [0, 0, 1]), r"{}: memory = <0 0 1>: must be a number"),
    "memory-too-much": (spoil("memory", cells64(64 << 20)),
                        r"{}: memory = <67108864> KiB: more than there is: \d+ KiB are free"),
    "memory-absurd": (spoil("memory", [0x80000000, 0]),
                      r"{}: memory = <0x80000000 0>: more KiB than a guest can address"),
    "cpus-missing": (without("cpus"), r"{}: cpus: is missing"),
    "cpus-zero": (spoil("cpus", 0), r"{}: cpus = <0>: a domain needs a vCPU"),
    "cpus-1000": (spoil("cpus", 1000), r"{}: cpus = <1000>: at most 128 vCPUs"),
    "nr-spis": (spoil("nr_spis", 5000), r"{}: nr_spis = <5000>: at most 988"),
    "passthrough": (spoil("passthrough", "maybe"), r'{}: passthrough = "maybe": must be'),
    "direct-map": (spoil("direct-map", True), r"{}: direct-map: needs xen,static-mem"),
    "static-outside": (static_memory(0x1000000000, 16 * MIB),
                       r"{}: xen,static-mem = <16 0 0 0x1000000>: is not in RAM"),
    "static-sum": (static_memory(0x70000000, 8 * MIB), r"{}: memory = <0 16384>: is not the sum of xen,static-mem"),
    "kernel-missing": (lambda tree, top, kernel: tree.remove(kernel), r"{}: no kernel: a module compatible"),
    "kernel-no-reg": (lambda tree, top, kernel: tree.remove(kernel, "reg"), r"KERNEL: reg: is missing"),
    "kernel-bad-reg": (lambda tree, top, kernel: tree.put(kernel, "reg", [1]),
                       r"KERNEL: reg = <1>: does not fit #address-cells"),
    "kernel-empty": (spoil_kernel(size=0), r"KERNEL: reg = <.*>: the file is empty"),
    "kernel-not-loaded": (spoil_kernel(address=0x60000000), r"KERNEL: reg = 0x60000000, .*: the kernel is not there"),
    "kernel-below-ram": (spoil_kernel(address=0x1000), r"KERNEL: reg = <0 4096 .*>: is not in RAM"),
    "kernel-above-ram": (spoil_kernel(address=1 << 44), r"KERNEL: reg = <4096 0 .*>: is not in RAM"),
    "kernel-wraps": (spoil_kernel(address=(1 << 64) - 4096, size=8192), r"KERNEL: reg = <.*>: is not in RAM"),
    "uefi-binary": (no_file, r'KERNEL: xen,uefi-binary = "vmlinuz": the file was not loaded'),
}


def files(folder):
    """Kernels that are none: {name: (file, MiB of memory, the line that tells)}."""
    packed = gzip.compress(KERNEL.read_bytes()[:3 * MIB], 1)
    contents = {
        "cut": (KERNEL.read_bytes()[:4 * MIB], 64, r"the kernel is cut short: it has 4194304 of \d+ bytes"),
        "elf-x86": (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\x3e\0\x01\0\0\0" + bytes(4072), 16,
                    r"the kernel is an ELF file for another machine"),
        "gzip-cut": (packed[:-1000], 64, r"the kernel is (damaged or )?cut short"),
        "gzip-short": (packed, 64, r"the kernel is cut short: it has 3145728 of \d+ bytes"),
        "small": (KERNEL.read_bytes(), 16, None),
    }
    found = {}
    for name, (data, memory, line) in contents.items():
        path = folder / name
        path.write_bytes(data)
        found[name] = (path, memory, line and r"KERNEL: reg = .*: " + line)
    found["small"] = (KERNEL, 16, r"{}: memory = 16384 KiB: too small, .* for its kernel")
    return found


def check_lines(machine, log, wanted):
    """Each of the lines, once: {name: pattern}."""
    missing = []
    for name, pattern in wanted.items():
        top = "/chosen/" + name
        line = pattern.replace("{}", top).replace("KERNEL", top + r"/module@\w+")
        told = [text for text in log.splitlines() if text.startswith("(hospes) " + top + "/")
                or text.startswith("(hospes) " + top + ":")]
        if len([text for text in told if re.match(r"\(hospes\) " + line, text)]) != 1 or len(told) != 1:
            missing.append("%s: wanted once: %s; got %s" % (name, line, told))
    assert not missing, "log: %s\n%s" % (machine.log, "\n".join(missing))


def boot_all(boot, domains, edit, **settings):
    """Boots `domains` between two good ones; returns the machine and its log when both tick."""
    domains = [tiny.ticker("first")] + domains + [tiny.ticker("last")]
    machine = boot(domains=domains, edit=edit, **{"cpus": 1, "memory": 2048, **settings})
    tiny.expect_ticks(machine, "first", "last")
    return machine, machine.log.read_text().replace("\r", "")


def test_mistakes_in_nodes(boot):
    """Else one mistake in a domain's node takes every other domain along, or a user searches for it."""
    def edit(tree):
        for name, (change, _) in MISTAKES.items():
            change(tree, "/chosen/" + name, tiny.module(tree, name))
    machine, log = boot_all(boot, [tiny.ticker(name) for name in MISTAKES], edit)
    check_lines(machine, log, {name: line for name, (_, line) in MISTAKES.items()})


def test_mistakes_in_files(boot, tmp_path):
    """Else a kernel for another machine or cut by a full disk is started, and nobody knows why it is mute."""
    bad = files(tmp_path)
    domains = [board.Domain(name=name, kernel=path, ramdisk=None, memory=memory)
               for name, (path, memory, _) in bad.items()]
    machine, log = boot_all(boot, domains, None)
    check_lines(machine, log, {name: line for name, (_, _, line) in bad.items()})


def test_mistakes_overlap(boot):
    """Else a module that was loaded over another one runs as a kernel that is half of each."""
    def edit(tree):
        over = tiny.place(tree, tiny.module(tree, "a"))[0]
        tiny.put_place(tree, tiny.module(tree, "b"), address=over + 4096)
        tiny.put_place(tree, tiny.module(tree, "c", 1), address=tiny.place(tree, tiny.module(tree, "c"))[0])
    domains = [tiny.ticker("a"), tiny.ticker("b"), tiny.ticker("c", ramdisk=tiny.GUEST / "spin.bin")]
    machine, log = boot_all(boot, domains, edit)
    for name, other in (("a", "b"), ("c", "c")):
        assert re.search(r"/chosen/%s/module@\w+: reg = 0x\w+, 0x\w+ bytes: overlaps /chosen/%s/module@\w+ at 0x\w+, "
                         % (name, other), log), machine.log
    assert len(re.findall(r"d\d+ \"\w+\": \d vCPU", log)) == 2


def test_mistakes_in_ramdisk(boot):
    """Else a domain starts without the ramdisk that its user gave it."""
    def edit(tree):
        tiny.put_place(tree, tiny.module(tree, "far", 1), address=0x10)
        tiny.put_place(tree, tiny.module(tree, "huge", 1), size=1 << 40)
        tree.remove(tiny.module(tree, "none", 1), "reg")
    domains = [tiny.ticker(name, ramdisk=tiny.GUEST / "spin.bin") for name in ("far", "huge", "none")]
    machine, log = boot_all(boot, domains, edit)
    check_lines(machine, log, {"far": r"KERNEL: reg = <0 16 .*>: is not in RAM",
                               "huge": r"KERNEL: reg = <.* 256 0>: is not in RAM",
                               "none": r"KERNEL: reg: is missing"})


def test_warnings_in_nodes(boot):
    """Else a misspelt property is passed over in silence, or costs the whole domain."""
    def edit(tree):
        tree.put("/chosen/first", "mem", 5)
        tree.put("/chosen/first", "sve", 256)
        tree.put("/chosen/last", "vpl011", "fancy")
    machine, log = boot_all(boot, [], edit)
    check_lines(machine, log, {"last": r'{}: vpl011 = "fancy": not known'})
    assert "(hospes) /chosen/first: mem = <5>: unknown property, ignored" in log
    assert "(hospes) /chosen/first: sve = <256>: not supported, ignored" in log


def test_too_many_domains(boot):
    """Else the 33rd domain overruns a table, or takes the first 31 along."""
    machine = boot(domains=tiny.tickers(34), cpus=1)
    for number in (33, 34):
        machine.expect("/chosen/t%d: more than 32 domains, left out" % number)
    tiny.expect_ticks(machine, "t1", "t32", count=1)


def test_dom0_too_large(boot):
    """Else dom0_mem= above what the machine has stops the other domains too."""
    machine = boot(domains=[tiny.guest("dom0", hardware=True), tiny.ticker("good")], cpus=1,
                   memory=1024, dom0_memory=4096)
    machine.expect(r"/chosen: memory = <4194304> KiB: .*\d+ KiB")
    tiny.expect_ticks(machine, "good")


def test_second_hardware_domain(boot):
    """Else two domains drive the same devices."""
    def edit(tree):
        tree.put("/chosen/second", "capabilities", 2)
    machine = boot(domains=[tiny.guest("dom0", "tick", "name=dom0", hardware=True), tiny.ticker("second"),
                            tiny.ticker("good")], cpus=1, edit=edit,
                   bootargs="console=dtuart dom0_mem=16M")
    machine.expect("/chosen/second: capabilities = <2>: there is a hardware domain already")
    tiny.expect_ticks(machine, "good")


OPTIONS = {
    "dom0_mem=4096M:max=4096M": 'cannot read ":max=4096M"; expected dom0_mem=[min:<size>,][max:<size>,]<size>',
    "dom0_mem=-1G": 'cannot read "-1G"',
    "foo=1": "not known",
    "sched=bar": 'cannot read "bar"; expected sched=fair, null',
    "conring_size=1": 'cannot read "1", out of bounds; expected conring_size=<size>',
    "maxcpus=x": 'cannot read "x"; expected maxcpus=<number>',
    "loglvl": "no value; expected loglvl=",
    "guest_loglvl=loud": 'cannot read "loud"',
    "dom0_max_vcpus=1000": 'cannot read "1000"',
    "noreboot=maybe": 'cannot read "maybe"; expected noreboot=<boolean>',
}


def test_options(boot):
    """Else a typo of the command line, as in `dom0_mem=4096M:max=4096M`, silently gives dom0 all the memory."""
    machine, log = boot_all(boot, [], None, bootargs=" ".join(OPTIONS))
    for option, why in OPTIONS.items():
        assert '(hospes) option "%s" ignored: %s' % (option, why) in log, machine.log


@pytest.mark.parametrize("node, words", [
    ("/intc@8000000", "no interrupt controller in the device tree"),
    ("/timer", "no arm,armv8-timer in the device tree"),
], ids=["gic", "timer"])
def test_missing_device(boot, node, words):
    """Else a machine that cannot run guests hangs without a word instead of saying what it lacks."""
    machine = boot(domains=[tiny.ticker("never")], edit=lambda tree: tree.remove(node))
    machine.expect(r"\(hospes\) " + words)
    machine.expect("PANIC")
    machine.expect_off()


def test_no_memory_node(boot, tmp_path, hypervisor):
    """Else a tree without memory ends in silence."""
    machine = boot(domains=[tiny.ticker("never")],
                   **tiny.exact(tmp_path, hypervisor, lambda tree: tree.remove("/memory@40000000")))
    machine.expect(r"no RAM: the device tree has no node with device_type = \"memory\"")


def test_no_psci(boot, tmp_path, hypervisor):
    """Else firmware without PSCI costs the whole machine, not only its other CPUs."""
    machine = boot(domains=[tiny.ticker("good")], cpus=2,
                   **tiny.exact(tmp_path, hypervisor, lambda tree: tree.remove("/psci")))
    machine.expect(r"CPU 1 \(reg 0x1\): did not start .*: it is left unused")
    machine.expect("1 CPU, ")
    tiny.expect_ticks(machine, "good")


def test_no_stdout(boot):
    """Else a tree that does not say which UART is the console leaves the user without one."""
    machine = boot(domains=[tiny.ticker("good")], edit=lambda tree: tree.remove("/chosen", "stdout-path"))
    machine.expect(r"\(hospes\) Hospes")
    tiny.expect_ticks(machine, "good")


def test_no_domains(boot):
    """Else a tree that names no domain looks like a machine that hangs."""
    machine = boot(domains=[])
    machine.expect("no domain could be started: see the lines above, and /chosen in the device tree")
    machine = boot(domains=[], edit=lambda tree: tree.remove("/chosen"))
    machine.expect("no domain could be started")


@pytest.mark.parametrize("edit", [
    lambda tree: tree.remove("/pl011@9000000"),
    lambda tree: tree.put("/pl011@9000000", "compatible", "unknown,uart"),
], ids=["none", "unknown"])
def test_no_uart(boot, edit):
    """Else a machine without a UART that Hospes knows does not run its domains either."""
    # Nobody can say that dom0 runs but dom0, which switches the machine off; a panic would start it again.
    machine = boot(domains=[tiny.guest("dom0", "crash", hardware=True)], edit=edit,
                   qemu=["-action", "reboot=reset"])
    machine.expect_off()
