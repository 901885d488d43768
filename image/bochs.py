#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Bochs in the place of QEMU: a PC with a processor by AMD that has what QEMU's emulation of AMD-V lacks.

    image/bochs.py FOLDER     runs the machine that command() has put into a folder, its serial port on stdin and stdout

Bochs makes a terminal for its screen, which nobody looks at but which has to be read, and tells what happened in a
log. Its serial port is a connection to a port of this computer: nothing is lost when this computer is slow.
"""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import tty
from pathlib import Path

import board
import pcmedia

BOCHS = board.BUILD / "bin/bochs"
SHARE = board.BUILD / "debian/amd64/usr/share/bochs"
CPU = "ryzen"

# Instructions of a second of the machine's: about what this computer does, so that its clock does not run away.
SPEED = 50_000_000

# Time begins at the same moment in each run and is the count of instructions: two runs are the same, but for random numbers.
CONFIG = """\
config_interface: textconfig
display_library: term, options="hideIPS"
plugin_ctrl: speaker=0, parallel=0, gameport=0
cpu: model={cpu}, count={cpus}, ips={speed}, reset_on_triple_fault=1{lacking}
memory: guest={memory}, host={memory}
romimage: file="{share}/BIOS-bochs-latest", options=fastboot
vgaromimage: file="{share}/VGABIOS-lgpl-latest"
pci: enabled=1, chipset=i440fx
clock: sync=none, time0=1767225600
vga: realtime=0
ata0-master: type=disk, mode=flat, path="{disk}"
boot: disk
log: "{folder}/bochs.log"
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
com1: enabled=1, mode=socket-client, dev=127.0.0.1:{port}
"""

# Bochs ends itself so when the machine switches itself off.
OFF = "ACPI control: soft power off"


def command(machine, folder):
    """What runs `machine`, a pc.Machine, with its console on stdin and stdout; what it needs is made in `folder`."""
    if machine.boot not in ("grub", "grub1"):
        raise SystemExit("image/run: Bochs has a BIOS and no loader of its own: it boots by grub or grub1")
    folder = Path(folder).resolve()
    disk = pcmedia.bios_disk(machine, machine.modules(folder), folder)
    lacking = ', exclude_features="rdrand, rdseed"' if machine.counted else ""
    config = CONFIG.format(lacking=lacking, cpu=machine.cpu, cpus=machine.cpus, speed=SPEED, memory=machine.memory_size(),
                           share=SHARE, disk=disk, folder=folder, port="{port}")
    (folder / "bochsrc.in").write_text(config + "".join(line + "\n" for line in machine.qemu))
    return [sys.executable, str(Path(__file__).resolve()), str(folder)]


def start(folder, listener):
    """Bochs itself; what it says before it starts comes from its stderr."""
    config = (folder / "bochsrc.in").read_text().replace("{port}", str(listener.getsockname()[1]))
    (folder / "bochsrc").write_text(config)
    environment = dict(os.environ, TERM="linux", LINES="25", COLUMNS="80")
    return subprocess.Popen([str(BOCHS), "-q", "-f", str(folder / "bochsrc")], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder, env=environment,
                            start_new_session=True)


def open_screen(bochs):
    """The terminal that Bochs has made for its screen, None: it has ended before. It waits for who reads it."""
    for line in bochs.stderr:
        found = re.search(rb'connected to screen "(.*)"', line)
        if found:
            screen = os.open(found[1], os.O_RDWR | os.O_NOCTTY)
            tty.setraw(screen)  # else it echoes, which Bochs takes for keys
            return screen
    return None


def accept(bochs, listener, outputs):
    """Bochs' connection, or None: it has ended before."""
    while bochs.poll() is None:
        ready = select.select([listener, *outputs], [], [], 1)[0]
        if listener in ready:
            return listener.accept()[0]
        drain(outputs, ready)
    return None


def drain(outputs, ready):
    """Throws away what the screen shows, and what else is said."""
    for output in [each for each in outputs if each in ready]:
        try:
            if os.read(output, 65536):
                continue
        except OSError:
            pass
        outputs.remove(output)


def write(data):
    """Writes all of it."""
    while data:
        data = data[os.write(sys.stdout.fileno(), data):]


def forward(serial, outputs):
    """Carries the serial port until Bochs closes it."""
    keyboard = sys.stdin.fileno()
    keyboards = [keyboard]
    while True:
        ready = select.select([serial, *outputs, *keyboards], [], [])[0]
        if serial in ready:
            data = serial.recv(65536)
            if not data:
                return
            write(data)
        drain(outputs, ready)
        if keyboard in ready:
            data = os.read(keyboard, 1024)
            if data:
                serial.sendall(data)
            else:
                keyboards = []


def attend(bochs, listener):
    """Is there for what Bochs writes, until it ends."""
    screen = open_screen(bochs)
    if screen is None:
        return
    outputs = [screen, bochs.stderr.fileno()]
    serial = accept(bochs, listener, outputs)
    if serial:
        with serial:
            forward(serial, outputs)
    deadline = time.monotonic() + 60
    while bochs.poll() is None and time.monotonic() < deadline:
        drain(outputs, select.select(outputs, [], [], 0.1)[0])


def run(folder):
    """Runs Bochs to its end; returns an exit status: 0 if the machine switched itself off."""
    with socket.create_server(("127.0.0.1", 0)) as listener, start(folder, listener) as bochs:
        try:
            attend(bochs, listener)
        except (ConnectionError, BrokenPipeError):
            pass
        finally:
            if bochs.poll() is None:
                bochs.kill()
    log = folder / "bochs.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    panics = [line for line in lines if len(line) > 11 and line[11] == "p"]
    if panics and OFF in panics[-1]:
        return 0
    sys.stderr.write("\n".join(panics[-3:] or lines[-3:]) + "\n")
    return 1


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for number in (signal.SIGTERM, signal.SIGHUP):  # Bochs has to end with us
        signal.signal(number, lambda *_: sys.exit(143))
    sys.exit(run(Path(sys.argv[1]).resolve()))


if __name__ == "__main__":
    main()
