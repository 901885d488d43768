# SPDX-License-Identifier: MIT
"""Started where a hypervisor cannot run: the one thing left to do is to say so."""

import pytest


@pytest.mark.parametrize("settings", [{}, {"board": "zcu102"}], ids=["pl011", "cadence"])
def test_wrong_level(boot, settings):
    """Else a machine without virtualization looks dead: nobody says that the wrong level is why."""
    machine = boot(domains=[], qemu=["-machine", "virtualization=off"], **settings)
    machine.expect(r"Hospes: started at EL1: it needs EL2 \(QEMU: -machine virtualization=on\)")


def test_wrong_level_alias(boot):
    """Else the same on boards whose stdout-path is an alias with the line's speed, as most have it."""
    def edit(tree):
        tree.put("/aliases", "console0", tree.text("/chosen", "stdout-path"))
        tree.put("/chosen", "stdout-path", "console0:115200n8")
    machine = boot(domains=[], edit=edit, qemu=["-machine", "virtualization=off"])
    machine.expect("Hospes: started at EL1: it needs EL2")
