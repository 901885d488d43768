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


def test_many(boot):
    """Else domains beyond the seventh have no kernels, for there is no room to note more modules."""
    domains = [subject("tick", "name=%s period=1000" % name, name=name, memory=16, cpus=1, ramdisk=tiny.GUEST / "stop.bin")
               for name in ("n%d." % number for number in range(1, 32))]
    machine = beside(boot, *domains)
    tiny.expect_ticks(machine, "t", *[domain.name for domain in domains])
    machine = beside(boot, *domains, edit=lambda tree: tree.put(tiny.module(tree, "n31."), "module-index", 128))
    machine.expect(r"/chosen/n31\./module@\w+: module-index = <128>: the loader gave no such module\r")
    tiny.expect_ticks(machine, "t", *[domain.name for domain in domains[:-1]])


def test_granters(boot):
    """Else no block or network backend serves another domain, or a guest's end takes its backend along."""
    machine = beside(boot, subject("gnttab", "role=granter peer=2", name="granter"),
                     subject("gnttab", "role=mapper peer=1", name="mapper"))
    tiny.verdict(machine, "gnttab")
    tiny.verdict(machine, "gnttab")
    tiny.expect_ticks(machine, "t", count=5)
