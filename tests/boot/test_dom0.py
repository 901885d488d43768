# SPDX-License-Identifier: MIT
"""What Debian's kernel makes of the Xen interface when it is dom0."""

import board

UART = board.BOARDS["virt"].uart + " rdinit=/init name=dom0"


def try_console(machine, name):
    """dom0's shell there takes and gives all that it should."""
    machine.expect_up("dom0")
    machine.shell("dom0")
    assert machine.run("cat /sys/class/tty/console/active") == (0, name + "\n")
    # Longer than all queues on the way: the writer has to wait and go on.
    status, text = machine.run("seq 1 3000")
    assert status == 0 and text == "".join("%d\n" % number for number in range(1, 3001))
    machine.send("poweroff\r")
    machine.expect_off()


def test_console_by_hypercall(boot):
    """Else the command line that every user of Xen has for dom0 leaves it mute: console=hvc0."""
    machine = boot(domains=[board.dom0()])
    machine.expect(r"bootconsole \[xenboot0\] enabled")
    machine.expect(r"Xen 4\.20 support found")
    try_console(machine, "hvc0")


def test_console_by_uart(boot):
    """Else dom0 is mute with the command line that it has without a hypervisor, or where it has no driver for Xen's."""
    machine = boot(domains=[board.dom0(bootargs=UART)])
    machine.expect(r"bootconsole \[pl11\] enabled")
    try_console(machine, "ttyAMA0")


def test_what_linux_sees(boot):
    """Else Linux is not sure where it is: no PV driver, no toolstack, no stolen time."""
    machine = boot(domains=[board.dom0()])
    machine.expect_up("dom0")
    machine.shell("dom0")
    version = "cd /sys/hypervisor; cat type version/major version/minor version/extra properties/features"
    assert machine.run(version) == (0, "xen\n4\n20\n.0-hospes\n00066805\n")
    assert machine.run("cat properties/pagesize compilation/compiler properties/capabilities properties/changeset "
                       "| head -1")[0] == 0
    status, text = machine.run("dmesg | grep -E 'arm-pv|xen:|Xen|stolen'")
    assert status == 0
    for line in ("Xen 4.20 support found", "events: Using FIFO-based ABI", "using stolen time PV"):
        assert line in text, text
    assert "xen-dyn" in machine.run("cat /proc/interrupts")[1]
