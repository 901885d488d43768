# SPDX-License-Identifier: MIT
"""What a guest is answered by hypercalls: tests/guest/hypercalls.c asserts it, to the number."""

import pytest

import tiny
from machine import torn
from test_guest import subject, verdict


@pytest.mark.parametrize("gic", [2, 3])
def test_domu(boot, gic):
    """Else Linux or another guest of Xen stops in its first milliseconds, or learns what it must not."""
    machine = boot(gic=gic, domains=[tiny.ticker("t"), subject("hypercalls")])
    verdict(machine, "hypercalls", False)
    tiny.expect_ticks(machine, "t", count=3)


def test_control(boot):
    """Else dom0 is refused what it needs, or brings the machine down by where its tables are."""
    dom0 = tiny.guest("", "hypercalls", "control=1", hardware=True, memory=64, cpus=2)
    machine = boot(domains=[dom0, tiny.ticker("t")])
    machine.expect(torn("by console_io"))
    verdict(machine, "hypercalls", False)


@pytest.mark.parametrize("how, line", [
    ("0", "switched itself off"), ("1", "asked for a reset"), ("2", "suspended"), ("3", "crashed"),
    ("4", "was stopped by its watchdog"), ("5", "stopped for reason 5"), ("200", "stopped for reason 200"),
    ("latch", "asked for a reset"), ("watchdog", "its watchdog ran out"),
])
def test_ends(boot, how, line):
    """Else the toolstack restarts what shall stay down, or lets lie what shall restart."""
    machine = boot(domains=[tiny.ticker("t"), subject("hypercalls", "end=" + how)])
    machine.expect(line)
    tiny.expect_ticks(machine, "t", count=3)
