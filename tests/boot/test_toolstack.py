# SPDX-License-Identifier: MIT
"""What a toolstack finds in the control domain, and a guest that tries to be one."""

import os

import pytest
import tiny
from machine import PATIENCE

# How often test_control makes and destroys a domain and compares the machine's free memory.
ROUNDS = int(os.environ.get("ROUNDS", "100"))


@pytest.mark.parametrize("gic", [2, 3])
def test_control(boot, gic):
    """Else xl cannot make, run or destroy a guest, or each one leaves the machine with less memory."""
    def edit(tree):
        tree.put("/pl031@9010000", "xen,passthrough", True)
    arguments = "control=1 devices=1 rounds=%d" % ROUNDS
    machine = boot(gic=gic, edit=edit,
                   domains=[tiny.guest("dom0", "toolstack", arguments, hardware=True), tiny.ticker("t")])
    tiny.verdict(machine, "toolstack", patience=PATIENCE * max(1, ROUNDS / 100))


def test_others(boot):
    """Else a guest that was broken into may stop or read the others."""
    machine = boot(domains=[tiny.ticker("t"), tiny.guest("subject", "toolstack")])
    tiny.verdict(machine, "toolstack", patience=PATIENCE * max(1, ROUNDS / 100))
    tiny.expect_ticks(machine, "t", count=10)
