# SPDX-License-Identifier: MIT
"""What every boot test gets: `boot`, which starts machines and ends them with the test."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import machine  # noqa: E402 pylint: disable=wrong-import-position
import dom0 as toolstack  # noqa: E402 pylint: disable=wrong-import-position


def pytest_addoption(parser):
    parser.addoption("--xen", action="store_true",
                     help="boot Debian's Xen instead, to tell a fault of ours from one of the test's")
    parser.addoption("--hypervisor", type=Path, default=machine.board.HOSPES,
                     help="the image to test")


@pytest.fixture
def xen(request):
    """Whether Debian's Xen is booted."""
    return request.config.getoption("--xen")


@pytest.fixture
def hypervisor(request):
    """The image under test, for tests that load it themselves."""
    return request.config.getoption("--hypervisor").resolve()


@pytest.fixture
def boot(request, xen):
    """boot(setting=...) starts a machine (settings: board.Machine) whose log is in build/logs."""
    started = []
    # The file's name too: tests of several files have the same, and run side by side.
    name = "%s.%s" % (request.node.path.stem, request.node.name)
    name = re.sub(r"[^A-Za-z0-9_.=-]+", "-", name).strip("-")

    def start(**settings):
        log = machine.board.BUILD / "logs" / ("%s-%d.log" % (name, len(started) + 1))
        if not xen:
            settings.setdefault("hypervisor", request.config.getoption("--hypervisor"))
        started.append(machine.Machine(log, xen=xen, **settings))
        return started[-1].start()

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def dom0(boot):
    """dom0 with Xen's toolstack, at its shell."""
    return toolstack.Dom0(boot)
