# SPDX-License-Identifier: MIT
"""Event channels on the real machine: what tests/guest/evtchn.c asserts, in a guest and in dom0."""

import re

import pytest

import tiny


def verdict(machine):
    """Waits for the guest's last line; fails with the lines that failed."""
    machine.expect(r"guest evtchn: (\d+) passed, (\d+) failed")
    passed, failed = (int(number) for number in machine.console.match.groups())
    lines = re.findall(r"FAIL ([^\r\n]*)", machine.console.before)
    assert failed == 0 and passed > 0, "\n".join(lines + ["log: %s" % machine.log])


@pytest.mark.parametrize("gic", [2, 3])
def test_guest(boot, gic):
    """Else a guest's drivers hang, or one guest gets at another's channels."""
    machine = boot(gic=gic, domains=[tiny.ticker("t"),
                                     tiny.guest("subject", "evtchn", "other=1", memory=48, cpus=2)])
    verdict(machine)
    tiny.expect_ticks(machine, "t", count=10)


def test_dom0(boot):
    """Else dom0 has too few ports for its guests' drivers."""
    machine = boot(domains=[tiny.guest("dom0", "evtchn", "ports=131071", memory=64, cpus=2, hardware=True)])
    verdict(machine)
