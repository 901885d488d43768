# SPDX-License-Identifier: MIT
"""What a guest finds: each kernel of tests/guest asserts it, and a neighbour shows that nothing else suffered.

The subject is not in focus, so that its lines come whole. With --xen, failures are allowed where Xen 4.20
is known to differ from the architecture: DIFFERS, which is also the list of what its users do without.
"""

import pytest

import tiny

# What Xen 4.20 does else, found with these guests; as patterns of the lines that fail.
DIFFERS = {
    "memory": [
        r".* got 0x[89][0-9a-f]000000 expected 0x[89][0-9a-f]000010",  # fault status 0: no external abort
        r"(write \d|ldr|str) .*: WnR",                       # nor is ESR.WnR set in what it injects
        r"\w+ through a table in .*",                        # the same, of table walks
        r"ldr(sw| w) of a device: value",                    # GICD_ICFGR0 reads as zero
        r"ldrsb w of a device: value",                       # sign-extended to 64 bits
        r"(read|write) across the end of the UART .*",       # served as if it were inside
    ],
    "sysregs": [r"NV is hidden .*"],                         # ID_AA64MMFR2_EL1 shows nested virtualization
    "calls": [
        r"ARCH_FEATURES of .*",                              # not supported, though SMCCC 1.2 says it is
        r"AFFINITY_INFO of (nobody|Aff3 = 1).*",             # "off" for CPUs that do not exist
        r"CPU_ON of 0x(100000000|80000000).*",               # bits outside the affinity are ignored
        r"CPU_ON.*: starts with interrupts masked.*",        # debug exceptions are not
        r"CPU_ON at nowhere, .*",                            # started there all the same
        r"PSCI's calls are counted.*",                       # 15, whichever they may be
    ],
    "gic": [r".*"],     # no pending or active state to read; EOImode, nesting and order lack: see its log
    "timer": [r"physical: .*"],                              # emulated: no IMASK while due, cannot be moved in time
    "uart": [
        r"identification byte .*", r"(IBRD|FBRD|LCR_H|IFLS|CR).*",          # SBSA's registers only
        r"and again, for it is a level.*", r"no interrupt once cleared.*",  # its interrupt is an edge
    ],
}


def subject(kernel, arguments="", **changes):
    """The domain whose kernel asserts."""
    return tiny.guest("subject", kernel, arguments, **{"memory": 48, "cpus": 2, "properties": {"nr_spis": 96},
                                                       **changes})


def verdict(machine, name, xen):
    """Waits for the guest's last line; fails with the lines that failed."""
    tiny.verdict(machine, name, DIFFERS.get(name, []) if xen else [])


@pytest.mark.parametrize("gic", [2, 3])
@pytest.mark.parametrize("kernel", ["memory", "sysregs", "calls", "gic", "timer", "uart", "smp"])
def test_architecture(boot, xen, kernel, gic):
    """Else some kernel that is not Linux, or the next Linux, finds less than the architecture promises it."""
    machine = boot(gic=gic, domains=[tiny.ticker("t"), subject(kernel)])
    verdict(machine, kernel, xen)
    tiny.expect_ticks(machine, "t", count=10)


@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a76", "neoverse-n1", "max"])
@pytest.mark.parametrize("kernel", ["memory", "sysregs", "smp"])
def test_other_cpus(boot, xen, kernel, cpu):
    """Else a feature of a newer CPU shows through to guests before Hospes switches it, or takes them down."""
    machine = boot(cpu=cpu, domains=[tiny.ticker("t"), subject(kernel)])
    verdict(machine, kernel, xen)
    tiny.expect_ticks(machine, "t", count=10)


@pytest.mark.parametrize("kernel, cpus, vcpus", [("smp", 1, 2), ("smp", 2, 5), ("smp", 4, 4), ("smp", 3, 8),
                                                ("gic", 1, 2), ("gic", 3, 8)])
def test_vcpus(boot, xen, kernel, cpus, vcpus):
    """Else guests with as many or more vCPUs than there are CPUs hang, or see each other's registers."""
    machine = boot(cpus=cpus, domains=[tiny.ticker("t"), subject(kernel, cpus=vcpus)])
    verdict(machine, kernel, xen)
    tiny.expect_ticks(machine, "t", count=10)


def test_two_subjects(boot, xen):
    """Else one guest's registers, FP or translations show through to another that shares the CPU."""
    second = subject("smp")
    second.name = "second"
    machine = boot(cpus=1, domains=[tiny.ticker("t"), subject("smp"), second])
    verdict(machine, "smp", xen)
    verdict(machine, "smp", xen)
    tiny.expect_ticks(machine, "t", count=10)


# ---- guests that go astray ----
ASTRAY = ["sleep", "masked", "spin", "vectors", "tables", "tabledev", "tableloop", "stack", "jump", "faults",
          "calls", "mmio", "irqs", "timers", "tlbi", "setway", "cpus", "flood", "wild", "udf"]


@pytest.mark.parametrize("mode", ASTRAY)
def test_astray(boot, mode):
    """Else a guest that is broken, or means to break others, takes them or the machine down."""
    machine = boot(domains=[tiny.ticker("t"), subject("crash", "mode=" + mode)])
    machine.expect("crash begins: " + mode)
    tiny.expect_ticks(machine, "t", count=20)


def test_cpuoff(boot):
    """Else a domain whose vCPUs are all off keeps CPUs or the others."""
    machine = boot(domains=[tiny.ticker("t"), subject("crash", "mode=cpuoff")])
    machine.expect("crash begins: cpuoff")
    tiny.expect_ticks(machine, "t", count=10)


@pytest.mark.parametrize("two", [0, 1])
def test_reset(boot, xen, two):
    """Else a guest that restarts itself is lost, or finds its old memory."""
    if xen:
        pytest.skip("Xen cannot start a domain again without a toolstack")
    machine = boot(domains=[tiny.ticker("t"), subject("crash", "mode=reset two=%d" % two)])
    for _ in range(5):
        assert machine.expect(r"crash marker (\d+) memory (\d+)").groups() == ("1", "0")
    tiny.expect_ticks(machine, "t", count=10)


def test_memory_is_clean(boot, xen):
    """Else a guest reads what its previous self, or another, left in memory."""
    if xen:
        pytest.skip("Xen cannot start a domain again without a toolstack")
    machine = boot(domains=[tiny.ticker("t"), subject("memory", "again=1")])
    for _ in range(3):
        machine.expect("ok all RAM is zero at first")
    tiny.expect_ticks(machine, "t", count=10)


# ---- shares of a CPU: time is counted in instructions, so that the emulator's speed has no part in it ----
PERIODS = range(2, 12)


def counts(machine, names):
    """How often each spinning guest went round in the same periods."""
    left = {(name, str(period)) for name in names for period in PERIODS}
    total = dict.fromkeys(names, 0)
    while left:
        name, period, count = machine.expect(r"spin (\w+) (\d+) (\d+)\r*\n").groups()
        if (name, period) in left:
            left.remove((name, period))
            total[name] += int(count)
    return total


def spinner(name, arguments=""):
    """A guest that counts how much of a CPU it gets."""
    return tiny.guest(name, "spin", "name=%s period=100 %s" % (name, arguments))


@pytest.mark.parametrize("number", [2, 3])
def test_equal_shares(boot, number):
    """Else one guest gets more of a CPU than another that wants it as much."""
    names = ["a", "b", "c"][:number]
    # A ticker has the focus: the lines of the others come whole.
    machine = boot(cpus=1, counted=True, domains=[tiny.ticker("t", 1000)] + [spinner(name) for name in names])
    total = counts(machine, names)
    share = sum(total.values()) / number
    for name in names:
        assert abs(total[name] / share - 1) < 0.02, total


def test_masked_sleep_is_free(boot):
    """Else a guest that waits with all masked, a due timer too, burns a CPU that others want."""
    total = []
    for others in [], [subject("crash", "mode=masked", cpus=1)]:
        machine = boot(cpus=1, counted=True, domains=[tiny.ticker("t", 1000), spinner("a")] + others)
        total.append(counts(machine, ["a"])["a"])
        machine.stop()
    assert abs(total[1] / total[0] - 1) < 0.02, total


def test_wakes_soon(boot):
    """Else a guest that mostly sleeps, as one with a network card does, waits for those that spin."""
    late = tiny.guest("late", "tick", "name=late period=20 late=1")
    machine = boot(cpus=1, counted=True, domains=[tiny.ticker("t", 1000), spinner("a"), spinner("b"), late])
    machine.expect(r"tick late 10 \d+")
    for _ in range(20):
        assert int(machine.expect(r"tick late \d+ (\d+)\r*\n")[1]) < 1000   # us
