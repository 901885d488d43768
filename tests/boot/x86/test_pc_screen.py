# SPDX-License-Identifier: MIT
"""What stands on a PC's screen, read through QEMU's monitor: out of VGA's text memory, or off a picture of its pixels."""

import time

import pytest

import machine as boot_machine
import pc
from monitor import Monitor
from test_pc_guest import dom0

FONT = pc.HOSPES.with_name("font.bin")
MEMORY, COLUMNS, ROWS = 0xb8000, 80, 25
FONT_FIRST, FONT_LINES, INK = 0x20, 16, bytes([0xaa] * 3)


def letters(font, picture):
    """The rows of text in a picture (PPM): letters of 8 by 16 pixels, of which `font` has 16 bytes each."""
    known = {font[at:at + FONT_LINES]: chr(FONT_FIRST + at // FONT_LINES) for at in range(0, len(font), FONT_LINES)}
    _, size, _, pixels = picture.split(b"\n", 3)
    width, height = map(int, size.split())
    lines = []  # of a byte for eight pixels
    for y in range(height):
        line = pixels[y * width * 3:(y + 1) * width * 3]
        bits = "".join("1" if line[x:x + 3] == INK else "0" for x in range(0, len(line) // 24 * 24, 3))
        lines.append(bytes(int(bits[x:x + 8], 2) for x in range(0, len(bits), 8)))
    return ["".join(known.get(bytes(line[x] for line in lines[y:y + FONT_LINES]), "?") for x in range(width // 8)).rstrip()
            for y in range(0, height - FONT_LINES + 1, FONT_LINES)]


class Screen(Monitor):
    """Reads the screen; `font`: of pixels, whose letters these are."""

    def __init__(self, folder, font=None):
        super().__init__(folder)
        self.font = font
        self.memory = folder / "memory"
        self.arguments += ["-vga", "std"]

    def screen(self):
        """Its rows, without blanks at their ends."""
        if self.font:
            self.ask("screendump", filename=str(self.memory))
            return letters(self.font, self.memory.read_bytes())
        self.ask("pmemsave", val=MEMORY, size=2 * COLUMNS * ROWS, filename=str(self.memory))
        text = self.memory.read_bytes()[::2].decode("latin-1")
        return [text[at:at + COLUMNS].rstrip() for at in range(0, len(text), COLUMNS)]

    def wait(self, wanted):
        """Waits until some row begins so; all rows then."""
        return self.until(lambda rows: any(row.startswith(wanted) for row in rows), wanted)

    def until(self, there, wanted):
        """Waits until there(rows); the rows then."""
        end = time.monotonic() + boot_machine.PATIENCE
        rows = self.screen()
        while not there(rows):
            assert time.monotonic() < end, "never on the screen: %s\n%s" % (wanted, "\n".join(rows))
            time.sleep(0.2)
            rows = self.screen()
        return rows


def watched(boot, tmp_path, kernel, arguments, options, loader="kernel"):
    """A machine with a screen, and who reads it."""
    pixels = loader in ("uefi", "grub-efi")
    monitor = Screen(tmp_path, FONT.read_bytes() if pixels else None)
    machine = boot(domains=[dom0(kernel, arguments)], dom0_memory=64, bootargs=options, qemu=monitor.arguments,
                   boot=loader)
    return machine, monitor


@pytest.mark.parametrize("loader", ["kernel", "uefi", "grub-efi"])
def test_keep(boot, tmp_path, loader):
    """Else who has no serial line sees nothing, or what scrolled away in place of the last lines."""
    machine, monitor = watched(boot, tmp_path, "tick", "name=t period=100", "console=com1,vga vga=keep", loader)
    machine.expect("tick t 1")
    monitor.connect()
    rows = monitor.wait('(hospes) d0 "Domain-0"')
    assert any("of RAM, of which" in row for row in rows)
    assert not any("tick t" in row for row in rows)
    # A key's lines push the older ones up; what is on the wire is on the screen.
    machine.focus("hypervisor")
    machine.send("hhhhhh")
    rows = monitor.until(lambda rows: not any("of RAM, of which" in row for row in rows), "only new lines")
    assert any(row.startswith("(hospes) h  this list") for row in rows)


@pytest.mark.parametrize("loader, told", [("kernel", "Console: colour VGA"), ("uefi", "colour frame buffer device")])
def test_dom0_draws(boot, loader, told):
    """Else a user's own screen stays dark, for dom0's kernel does not know of it."""
    machine = boot(boot=loader, bootargs="console=com1,vga dom0_mem=512M", qemu=["-vga", "std"])
    machine.expect("the screen is the hardware domain's from here on")
    machine.expect_up("dom0")
    machine.shell("dom0")
    assert told in machine.run("dmesg")[1]


def test_dom0_gets_it(boot, tmp_path):
    """Else the hypervisor writes over what dom0 draws."""
    machine, monitor = watched(boot, tmp_path, "tick", "name=t period=100", "console=com1,vga")
    machine.expect("tick t 1")
    monitor.connect()
    rows = monitor.wait("(hospes) the screen is the hardware domain's from here on")
    machine.focus("hypervisor")
    machine.send("h")
    machine.expect(r"\(hospes\) h  this list")
    machine.focus("dom0")
    assert monitor.screen() == rows


@pytest.mark.parametrize("loader", ["kernel", "grub"])
def test_panic(boot, tmp_path, loader):
    """Else a machine without a serial line that cannot work stands still without a word."""
    monitor = Screen(tmp_path)
    boot(cpu="EPYC,-npt", boot=loader, domains=[dom0("stop")], dom0_memory=64, qemu=monitor.arguments,
         bootargs="noreboot console=vga")
    monitor.connect()
    rows = monitor.wait("(hospes) this machine cannot run guests")
    assert any("PANIC" in row for row in rows)
