# SPDX-License-Identifier: MIT
"""What a toolstack finds in the control domain, and a guest that tries to be one."""

import os
import re

import pytest
import tiny
from machine import PATIENCE

# How often test_control makes and destroys a domain and compares the machine's free memory.
ROUNDS = int(os.environ.get("ROUNDS", "100"))


def verdict(machine):
    """Waits for the guest's last line; fails with the lines that failed."""
    passed, failed = machine.expect(r"guest toolstack: (\d+) passed, (\d+) failed",
                                    PATIENCE * max(1, ROUNDS / 100)).groups()
    lines = re.findall(r"FAIL ([^\r\n]*)", machine.console.before)
    assert failed == "0" and int(passed) > 0, "\n".join(lines + ["log: %s" % machine.log])


@pytest.mark.parametrize("gic", [2, 3])
def test_control(boot, gic):
    """Else xl cannot make, run or destroy a guest, or each one leaves the machine with less memory."""
    def edit(tree):
        tree.put("/pl031@9010000", "xen,passthrough", True)
    arguments = "control=1 devices=1 rounds=%d" % ROUNDS
    machine = boot(gic=gic, edit=edit,
                   domains=[tiny.guest("dom0", "toolstack", arguments, hardware=True), tiny.ticker("t")])
    verdict(machine)


def test_others(boot):
    """Else a guest that was broken into may stop or read the others."""
    machine = boot(domains=[tiny.ticker("t"), tiny.guest("subject", "toolstack")])
    verdict(machine)
    tiny.expect_ticks(machine, "t", count=10)
