# SPDX-License-Identifier: MIT
"""Domains beside dom0 on a PC, as a module that is a device tree describes them."""

import pytest

import tiny
from test_pc_guest import dom0


def subject(kernel, arguments="", name="subject", **changes):
    """The domain whose kernel asserts."""
    return tiny.guest(name, kernel, arguments, **{"memory": 48, "cpus": 2, **changes})


def beside(boot, *domains, **settings):
    """A machine whose dom0 is a ticker, with these domains beside it."""
    ticker = dom0("tick", "name=t period=100")
    return boot(domains=[ticker, *domains], dom0_memory=32, **settings)


@pytest.mark.parametrize("kernel, arguments", [
    ("hypercalls", ""), ("evtchn", "other=1"), ("toolstack", ""), ("reservation", ""), ("gnttab", "domid=2")])
def test_interface(boot, kernel, arguments):
    """Else a guest's drivers hang, or a guest learns or does what it must not."""
    machine = beside(boot, tiny.ticker("another"), subject(kernel, arguments))
    tiny.verdict(machine, kernel)
    tiny.expect_ticks(machine, "t", count=5)


@pytest.mark.parametrize("cpus", [1, 2])
def test_neighbours(boot, cpus):
    """Else one guest stands while another runs."""
    machine = beside(boot, tiny.ticker("a"), tiny.ticker("b"), tiny.ticker("c"), cpus=cpus)
    tiny.expect_ticks(machine, "t", "a", "b", "c", count=5)


def test_granters(boot):
    """Else no block or network backend serves another domain, or a guest's end takes its backend along."""
    machine = beside(boot, subject("gnttab", "role=granter peer=2", name="granter"),
                     subject("gnttab", "role=mapper peer=1", name="mapper"))
    tiny.verdict(machine, "gnttab")
    tiny.verdict(machine, "gnttab")
    tiny.expect_ticks(machine, "t", count=5)
