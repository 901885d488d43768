#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks what every file of the project owes its readers: a licence line, a bearable length, and nothing
of the machine that it was written on. Prints file:line: what is wrong; exits 1 on an error.
"""

import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent

FILE_LINES = 800        # more is an error
FUNCTION_LINES = 80     # more is a warning; the aim is 60

LICENCE = "SPDX-License-Identifier: MIT"
BARE = {"LICENSE"}                                      # nowhere to put the line
BINARY = {".png", ".svg", ".gif", ".cast", ".dtb", ".bin", ".gz", ".json"}

# Neither a package mirror nor a folder of somebody's machine. The pattern must not find itself.
FOREIGN = re.compile(r"(?:deb|ftp|httpredir|snapshot|security|cdn-fastly)\.debian\.[o]rg|https?://[^\s\"'<>]*/debian\b"
                     r"|archive\.[u]buntu\.com|(?<![\w.$)/])/(?:work|home/\w+|Users)/(?!\*)\w")
FUNCTION = re.compile(r"^[A-Za-z_].*\)\s*(?:\{\s*)?$")


def files():
    """The project's own files: those that git has, and those it would take."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=TOP, check=True, capture_output=True).stdout
    for name in sorted(set(listed.decode().split("\0")) - {""}):
        if (TOP / name).is_file():
            yield name


def long_functions(name, lines):
    """Functions of a .c file, as clang-format lays them out: head at the margin, braces in column 1."""
    head = None
    for number, line in enumerate(lines, 1):
        if FUNCTION.match(line):
            head = (number, line)
        elif line == "}" and head:
            if number - head[0] > FUNCTION_LINES:
                yield "%s:%d: warning: %d lines: %s" % (name, head[0], number - head[0], head[1][:60])
            head = None
        elif line in ("};", ""):
            head = head if line == "" else None


def check(name):
    """(is an error, message) for all that is wrong in one file."""
    path = TOP / name
    if path.suffix in BINARY or name in BARE:
        return
    text = path.read_text(errors="replace")
    lines = text.splitlines()
    if LICENCE not in "\n".join(lines[:2]):
        yield True, "%s:1: no line with %s" % (name, LICENCE)
    if len(lines) > FILE_LINES and path.suffix != ".md":
        yield True, "%s: %d lines; split it below %d" % (name, len(lines), FILE_LINES)
    if text and not text.endswith("\n"):
        yield True, "%s:%d: no newline at the end" % (name, len(lines))
    for number, line in enumerate(lines, 1):
        found = FOREIGN.search(line)
        if found:
            yield True, "%s:%d: '%s' belongs to a machine or a mirror" % (name, number, found[0])
        if line != line.rstrip() and path.suffix != ".md":
            yield True, "%s:%d: space at the end of the line" % (name, number)
    if path.suffix == ".c":
        for message in long_functions(name, lines):
            yield False, message


def main():
    count, errors = 0, 0
    for name in files():
        count += 1
        for is_error, message in check(name):
            errors += is_error
            print(message)
    print("text: %d files, %d wrong" % (count, errors))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
