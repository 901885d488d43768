# SPDX-License-Identifier: MIT
"""One serial line for everybody: who has the keyboard, whose line is whose, and what no guest can do to it."""

import pytest

import board
import tiny
from machine import torn

SWITCH = r"\(hospes\) \*\*\* Serial input to %s \(type 'CTRL-a' three times to switch input\)\r*\n"
CTRL_A = "\x01"


def switch(machine, target):
    """Ctrl-A three times; the keyboard must go to `target`."""
    machine.send(CTRL_A * 3)
    assert machine.expect(SWITCH % r"(\S+)")[1] == target


def echo(name, **changes):
    """A domain that gives back what is typed."""
    return tiny.guest(name, "uart", "mode=echo", **changes)


@pytest.fixture
def three(boot):
    """dom0, a ticker and an echo; dom0 and the last give back what is typed."""
    machine = boot(domains=[echo("dom0", hardware=True), tiny.ticker("two", 300), echo("three")],
                   bootargs="console=dtuart dom0_mem=32M")
    machine.expect_all(SWITCH % "DOM0", r"\n" + torn("echo is ready"), r"\(d2\) echo is ready")
    return machine


def test_focus_cycle(three):
    """Else somebody who knows Xen's Ctrl-A does not get from one domain to the next and back."""
    for target in ["DOM1", "DOM2", "Hospes", "DOM0", "DOM1"]:
        switch(three, target)


def test_prefixes(three):
    """Else nobody can tell whose line it is, or the shell in use is full of prefixes."""
    three.expect(r"\n\(d1\) tick two \d+\r*\n")
    switch(three, "DOM1")
    three.expect(r"\ntick two \d+\r*\n")
    switch(three, "DOM2")
    three.expect(r"\n\(d1\) tick two \d+\r*\n")


def test_input_goes_to_one(three):
    """Else what is typed for one guest, a password even, reaches another."""
    three.send("{for dom0}")  # characters that nobody else writes
    three.expect(torn("{for dom0}"))
    switch(three, "DOM1")
    three.send("~for nobody~")
    switch(three, "DOM2")
    three.send("[for dom2]")
    three.expect(torn("[for dom2]"))
    switch(three, "Hospes")
    switch(three, "DOM0")
    three.send("q")  # ends dom0 and with it the machine
    three.expect_off()
    log = three.log.read_text()
    assert [log.count(letter) for letter in "{~["] == [1, 0, 1]


def test_two_ctrl_a(three):
    """Else a guest's program that uses Ctrl-A (screen, minicom, a shell) never gets it."""
    three.send(CTRL_A * 2 + "x")
    three.expect(torn(CTRL_A * 2 + "x"))


def test_debug_keys(three):
    """Else a developer has no way to look at a machine that seems to hang."""
    for _ in range(3):
        three.send(CTRL_A * 3)
        if three.expect(SWITCH % r"(\S+)")[1] == "Hospes":
            break
    line = r"\(hospes\) "
    three.send("h")
    for key, words in (("h", "this list"), ("d", "CPUs"), ("q", "domains and their vCPUs"), ("r", "run queues"),
                       ("g", "memory"), ("m", "memory"), (r"\*", "all"), ("R", "resets the machine")):
        three.expect(line + "%s  %s" % (key, words))
    cpus = [line + r"CPU %d: ((idle|works)(, has loaded d\dv0)?|runs d\dv0), " % number for number in range(2)]
    domains = [line + r"domain %d \(%s\): running, %d KiB of memory" % each
               for each in ((0, "Domain-0", 32 << 10), (1, "two", 16 << 10), (2, "three", 16 << 10))]
    domains.append(line + r"  vCPU 0: on, ")
    memory = [line + r"memory: \d+ MiB, \d+ MiB free", line + r"heap: \d+ KiB of \d+ KiB used"]
    for key, words in (("d", cpus), ("q", domains), ("g", memory), ("m", memory), ("*", cpus + domains + memory)):
        three.send(key)
        three.expect_all(*words)
    three.send("z")  # no key
    tiny.expect_ticks(three, "two")
    three.send("R")
    three.expect(line + "Resetting the machine")
    three.expect_off()


def test_focus_without_dom0(boot):
    """Else a machine without dom0 boots with a dead keyboard."""
    machine = boot(domains=[echo("one"), echo("mute", vpl011=False)], cpus=1)
    machine.expect(SWITCH % "DOM1")
    machine.expect("echo is ready")
    machine.send("x")
    machine.expect("x")
    switch(machine, "Hospes")  # and not the domain that has no console
    switch(machine, "DOM1")
    machine.send("q")
    machine.expect("echo is over")
    machine.expect(SWITCH % "Hospes")


def test_escapes(boot):
    """Else a guest out of focus clears the screen or rewrites what another wrote."""
    quiet = board.DOMU_CONSOLE + " quiet rdinit=/init name=loud"
    machine = boot(domains=[board.Domain(name="loud", memory=256, bootargs=quiet)])
    machine.expect_up("loud")
    machine.shell("loud")
    machine.send("while sleep 1; do printf 'be''gin\\033[2J\\033[1;1H\\007%s\\a\\n' end; done\r")
    machine.expect(r"\n")
    switch(machine, "Hospes")
    machine.expect(r"\(d1\) begin([^\n]*)\n")
    assert machine.console.match[1].strip() == "end"


def test_flood(boot):
    """Else one guest that prints without end takes the console, and with it the machine, from all others."""
    flood = [tiny.guest("flood%d" % number, "crash", "mode=flood") for number in (1, 2)]
    machine = boot(domains=[board.dom0(bootargs=board.BOARDS["virt"].uart + " quiet rdinit=/init name=dom0")]
                   + flood + [tiny.ticker("steady", 500)])
    machine.expect_up("dom0")
    machine.expect_all(r"\(d1\) #+", r"\(d2\) #+", r"\(d3\) tick steady")
    machine.shell("dom0")
    for number in range(3):
        machine.send("echo $((%d+1))answer\r" % number)
        machine.expect(torn("%danswer" % (number + 1)))
    machine.expect_all(r"\(d1\) #+", r"\(d2\) #+")
    tiny.expect_ticks(machine, "steady", count=2)
    machine.send(CTRL_A * 3)  # the flood is in focus: it may write as it likes, but not keep the keyboard
    machine.expect(SWITCH % "DOM1")
    machine.send(CTRL_A * 3)
    machine.expect(SWITCH % "DOM2")
    machine.send(CTRL_A * 3)
    machine.expect(SWITCH % "DOM3")
    tiny.expect_ticks(machine, "steady", count=2)
