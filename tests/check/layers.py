#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks who includes whom, as the layers of the house allow, and that no .c file asks for its
architecture. Prints file:line: what is wrong; exits 1 if anything is.

    hypervisor/lib              C's own headers and <lib/...>
    hypervisor/core, drivers    these, <hospes/...>, <xen/...>, libfdt, zlib, zstd, lzma, lz4, and headers beside the file
    hypervisor/efi              these, and <efi.h>
    hypervisor/include/hospes   these and <asm/...>
    hypervisor/arch/ARCH        all of these
    hypervisor/arch/host        the workstation's C library too
    toolstack                   nothing of the hypervisor
"""

import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent

FREESTANDING = {"float.h", "iso646.h", "limits.h", "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h",
                "stddef.h", "stdint.h", "stdnoreturn.h", "string.h", "stdlib.h"}
LIBRARIES = {"libfdt.h", "zlib.h", "zstd.h", "lzma.h", "lz4.h"}

# First match wins: which files; what they may include besides C's own headers, by the first folder of
# its name (None: anything).
RULES = [
    (r"hypervisor/include/libc/", set()),
    (r"hypervisor/(lib|include/lib)/", {"lib"}),
    (r"hypervisor/include/hospes/", {"lib", "hospes", "xen", "asm", "efi.h", "libfdt.h", "zlib.h", "zstd.h", "lzma.h", "lz4.h"}),
    (r"hypervisor/(core|drivers)/", {"lib", "hospes", "xen", "libfdt.h", "zlib.h", "zstd.h", "lzma.h", "lz4.h"}),
    (r"hypervisor/arch/host/", None),
    (r"hypervisor/efi/", {"lib", "hospes", "xen", "efi.h", "libfdt.h"}),
    (r"hypervisor/arch/", {"lib", "hospes", "xen", "asm", "efi.h", "libfdt.h", "zlib.h", "zstd.h", "lzma.h", "lz4.h"}),
    (r"hypervisor/", set()),
    (r"toolstack/", "all but the hypervisor"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")')
CONDITION = re.compile(r"^\s*#\s*(?:if|ifdef|ifndef|elif)\b(.*)")
ARCHITECTURE = re.compile(r"__aarch64__|__arm__|__x86_64__|__i386__|__riscv|_M_X64|CONFIG_ARM|CONFIG_X86"
                          r"|__AARCH64E[BL]__|__ARM_ARCH|__amd64__|\bARCH_|HOSPES_ARCH")


def folder_of(name):
    """What an included name belongs to: its first folder, or its own name."""
    return name.split("/", 1)[0] if "/" in name else name


def check_include(file, name, quoted, allowed):
    """Says what is wrong with one #include, or None."""
    if allowed is None:
        return None
    if isinstance(allowed, str):
        theirs = folder_of(name) in ("hospes", "lib", "asm") or "hypervisor" in name
        return "is the hypervisor's, which the toolstack never sees" if theirs else None
    if quoted:
        if "/" in name and ".." in name:
            return "reaches out of its folder; include it as <...>"
        if not (file.parent / name).exists():
            return "is not beside this file; include it as <...>"
        return None
    if name in FREESTANDING or folder_of(name) in allowed:
        return None
    return "is not for this layer"


def check(file):
    """All that is wrong in one file."""
    path = file.relative_to(TOP).as_posix()
    allowed = next((allowed for pattern, allowed in RULES if re.match(pattern, path)), set())
    for number, line in enumerate(file.read_text().splitlines(), 1):
        include = INCLUDE.match(line)
        if include:
            name = include[1] or include[2]
            wrong = check_include(file, name, include[2] is not None, allowed)
            if wrong:
                yield "%s:%d: %s %s" % (path, number, name, wrong)
        condition = CONDITION.match(line)
        if condition and file.suffix == ".c" and ARCHITECTURE.search(condition[1]):
            yield "%s:%d: #if on the architecture; the build picks the folder" % (path, number)


def main():
    files = [file for folder in ("hypervisor", "toolstack") for file in (TOP / folder).rglob("*")
             if file.suffix in (".c", ".h", ".S")]
    wrong = [line for file in sorted(files) for line in check(file)]
    print("\n".join(wrong + ["layers: %d files, %d wrong" % (len(files), len(wrong))]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
