# SPDX-License-Identifier: MIT
"""What image/run says to a user who asks for a machine that there cannot be."""

import subprocess
from pathlib import Path

import pytest
from machine import PATIENCE

RUN = Path(__file__).resolve().parents[2] / "image/run"



@pytest.mark.parametrize("arguments, told", [
    ("--cpus 0", "argument --cpus: 0: write a number from 1 on"),
    ("--domus 40", "argument --domus: 40: write a number from 0 to 31"),
    ("--memory much", "argument --memory: 'much' is no size"),
    ("--cpu foo", "QEMU does not make this machine: qemu-system-aarch64: unable to find CPU model 'foo'"),
    ("--board pc", "pc is no machine of arm64"),
    ("--hypervisor /nowhere", "/nowhere: there is no such file; `make ARCH=arm64 hypervisor` makes it")])
def test_wrong(arguments, told):
    """Else a newcomer is shown the inside of a Python program."""
    run = subprocess.run([RUN, *arguments.split()], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
                         check=False)
    assert run.returncode and told in run.stderr and "Traceback" not in run.stderr, run.stderr
