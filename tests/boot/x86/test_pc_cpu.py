# SPDX-License-Identifier: MIT
"""What a guest's processor is on a PC, and guests that go astray with it while a neighbour goes on."""

import pytest

import tiny
from test_pc_guest import dom0


@pytest.mark.parametrize("model", ["EPYC", "EPYC-Milan", "max"])
def test_cpu(boot, model):
    """Else a guest uses what is not switched, or finds less than CPUID promises, or brings the machine down."""
    machine = boot(cpu=model, domains=[dom0("cpu")], dom0_memory=64)
    tiny.verdict(machine, "cpu")
    machine.expect_off()


# A domain that Hospes started by itself starts again after these.
ENDING = ["idt", "idtnowhere", "stack", "tables", "tabledev", "tableloop",
          "stackdev", "idtdev", "tableshared", "task"]
ENDLESS = ["jump", "faults", "nothing", "calls", "device", "messages", "nmis", "inits", "ports", "control",
           "invalidate", "spin", "step", "wild",
           "msrs", "states", "strings", "changing", "codedev"]
# Those of tests/guest/x86/modes.c; the others are crash.c's.
MODES = ["stackdev", "idtdev", "tableshared", "task", "msrs", "states", "halflong", "strings", "changing", "codedev"]


def astray(boot, mode, **settings):
    """A machine with a ticker, and beside it a domain that goes astray like this."""
    ticker = dom0("tick", "name=t period=100")
    subject = tiny.guest("subject", "modes" if mode in MODES else "crash", "mode=" + mode, memory=48, cpus=2)
    machine = boot(domains=[ticker, subject], dom0_memory=64, **settings)
    machine.expect("crash begins: " + mode)
    return machine


@pytest.mark.parametrize("mode", ENDING)
def test_triple_fault(boot, mode):
    """Else a guest whose processor would reset itself hangs, or takes the machine down."""
    machine = astray(boot, mode)
    for _ in range(2):
        machine.expect("crash begins: " + mode)
    tiny.expect_ticks(machine, "t", count=10)


@pytest.mark.parametrize("mode", ENDLESS)
def test_astray(boot, mode):
    """Else a guest that is broken, or means to break others, takes them or the machine down."""
    machine = astray(boot, mode)
    tiny.expect_ticks(machine, "t", count=20)


def test_half_long(boot):
    """Else a guest that enables long mode without its page tables' format takes QEMU's CPU away: here the only one."""
    machine = astray(boot, "halflong", cpus=1)
    tiny.expect_ticks(machine, "t", count=20)


def test_halt(boot):
    """Else a guest that switched itself off, all CPUs halted without interrupts, stays for ever: Linux ends so."""
    machine = astray(boot, "sleep")
    machine.expect("subject.* switched itself off")
    tiny.expect_ticks(machine, "t", count=10)
