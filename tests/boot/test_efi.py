# SPDX-License-Identifier: MIT
"""Started by UEFI firmware: EDK2 here, U-Boot's in test_uboot.py. doc/boot-efi.md."""

import board


def without_files(name):
    """A tree in which the files of one domain are none that the boot disk has."""
    def edit(tree):
        for node in tree.children("/chosen/" + name):
            tree.put(node, "xen,uefi-binary", "no-such-file")
    return edit


def test_edk2_tree(boot):
    """Else the image on an EFI boot disk starts nothing, or one mistyped file costs all domains."""
    machine = boot(boot="edk2", domains=[board.dom0()] + board.domus(2), edit=without_files("domU2"))
    machine.expect("Hospes, started by UEFI firmware")
    for _ in ("kernel", "ramdisk"):
        machine.expect(r'/chosen/domU2/module@\w+: xen,uefi-binary = "no-such-file": no such file\r')
    machine.expect_up("dom0", "domU1")
    machine.shell("domU1")
    assert machine.run("hostname") == (0, "domU1\n")
    machine.shell("dom0")
    assert machine.run("hostname") == (0, "dom0\n")


def test_edk2_configuration_file(boot):
    """Else a user who comes with Xen's xen.cfg has to learn another way to name his dom0."""
    machine = boot(boot="edk2-cfg", bootargs="console=dtuart dom0_mem=600M")
    machine.expect("Hospes, started by UEFI firmware")
    machine.expect(r"command line: console=dtuart dom0_mem=600M\r")
    machine.expect_up("dom0", "domU1")
    machine.shell("dom0")
    status, text = machine.run("cat /proc/cmdline; free -m | awk '/Mem/ { print int($2 / 50) }'")
    assert status == 0 and "name=dom0" in text and text.splitlines()[-1] == "11"


def test_edk2_without_tree(boot):
    """Else a user of firmware with ACPI sees a hang, and never that a device tree is what is missing."""
    machine = boot(boot="edk2", domains=[], qemu=["-machine", "acpi=on"])
    machine.expect(r"no device tree: firmware offers none \(ACPI is not enough for Hospes\)")
    machine.expect(r"acpi=off")
