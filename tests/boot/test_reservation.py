# SPDX-License-Identifier: MIT
"""What memory_op gives to guests and to the control domain (tests/guest/reservation.c)."""

import pytest

import tiny


# What Xen 4.20 does otherwise.
DIFFERS = [
    r"clean.*",                  # what a guest gave back and gets again is as it was
    r"that can be filled.*",     # memory that something was mapped over is lost until the domain's end
]


@pytest.mark.parametrize("cpus", [1, 2])
def test_guest(boot, xen, cpus):
    """Else a guest's balloon loses memory, gets another's data or more than it may have."""
    machine = boot(cpus=cpus, domains=[tiny.ticker("t"), tiny.guest("subject", "reservation", memory=48)])
    tiny.verdict(machine, "reservation", DIFFERS if xen else [])
    tiny.expect_ticks(machine, "t", count=10)


@pytest.mark.parametrize("gic", [2, 3])
def test_control(boot, xen, gic):
    """Else dom0's devices lose their memory, xl cannot fill a guest, or the memory of one that went is lost."""
    if xen:
        pytest.skip("dom0's kernel has no UART there")
    machine = boot(gic=gic, domains=[tiny.guest("dom0", "reservation", "control=1", hardware=True, memory=48),
                                     tiny.ticker("t")])
    tiny.verdict(machine, "reservation", DIFFERS if xen else [])
