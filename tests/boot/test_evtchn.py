# SPDX-License-Identifier: MIT
"""Event channels on the real machine: what tests/guest/evtchn.c asserts, in a guest and in dom0."""

import pytest

import tiny


@pytest.mark.parametrize("gic", [2, 3])
def test_guest(boot, gic):
    """Else a guest's drivers hang, or one guest gets at another's channels."""
    machine = boot(gic=gic, domains=[tiny.ticker("t"),
                                     tiny.guest("subject", "evtchn", "other=1", memory=48, cpus=2)])
    tiny.verdict(machine, "evtchn")
    tiny.expect_ticks(machine, "t", count=10)


def test_dom0(boot):
    """Else dom0 has too few ports for its guests' drivers."""
    machine = boot(domains=[tiny.guest("dom0", "evtchn", "ports=131071", memory=64, cpus=2, hardware=True)])
    tiny.verdict(machine, "evtchn")
