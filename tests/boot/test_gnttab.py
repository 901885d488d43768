# SPDX-License-Identifier: MIT
"""Grant tables from inside: tests/guest/gnttab checks what each operation answers and does."""

import tiny
from test_guest import subject, verdict


def settings(xen, *domains):
    """A machine with these. Xen has to be told to let domains grant to each other that have no privilege."""
    more = {"bootargs": "console=dtuart dom0_mem=512M xsm=dummy"} if xen else {}
    return {"domains": [tiny.ticker("t"), *domains], **more}


def guest(xen, name, arguments):
    """A domain with the kernel."""
    domain = subject("gnttab", arguments + (" xen=1" if xen else ""))
    domain.name = name
    return domain


def test_loopback(boot, xen):
    """Else PV drivers of some kernel get other answers than from Xen, and do not work."""
    machine = boot(**settings(xen, guest(xen, "subject", "domid=2")))
    verdict(machine, "gnttab", xen)
    tiny.expect_ticks(machine, "t", count=10)


def test_two_guests(boot, xen):
    """Else no block or network backend serves another domain, or a guest's end takes its backend along."""
    machine = boot(**settings(xen, guest(xen, "granter", "role=granter peer=3"),
                              guest(xen, "mapper", "role=mapper peer=2")))
    verdict(machine, "gnttab", xen)
    verdict(machine, "gnttab", xen)
    tiny.expect_ticks(machine, "t", count=10)
