#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks doc/abi.md against the tables of calls that the hypervisor serves, and both, where the headers
of the Xen ABI have been fetched, against the list of calls that there are. Prints what is wrong; exits 1
if anything is.
"""

import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
CORE = TOP / "hypervisor" / "core"
HEADERS = TOP / "build" / "debian" / "include" / "xen"

# Handlers that refuse: their calls are known, and what they say is not "unknown".
REFUSE = {"domctl_no_iommu", "domctl_set_llc_colors", "sysctl_not_built_in"}
ARCHES = ("arm64", "x86")
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)


def code(kind, arch):
    """Name -> whether it is served, of all that the sources name."""
    found = {}
    for name, handler in re.findall(r"\[XEN_%s_(\w+)\] = \{?\s*(?:\.fn = )?(\w+)" % kind.upper(),
                                    (CORE / (kind + ".c")).read_text()):
        found[name] = handler not in REFUSE
    for file in (TOP / "hypervisor" / "arch" / arch).glob("domctl*.c"):
        found.update((name, not refusal) for name, refusal in
                     re.findall(r"case XEN_%s_([a-z]\w*):(?=((?:\s*case \w+:)*\s*return [^;]*-E\w+;)?)" % kind.upper(),
                                file.read_text()))
    return found


def document(kind, arch):
    """Name -> an architecture's column, of this kind's rows."""
    part = re.search(r"^## `%s`$(.*?)(?=^## |\Z)" % kind, (TOP / "doc" / "abi.md").read_text(),
                     re.MULTILINE | re.DOTALL)
    rows = ROW.findall(part[1]) if part else []
    return {row[0]: row[1 + ARCHES.index(arch)] for row in rows}


def header(kind):
    """The names that there are; None without headers."""
    file = HEADERS / (kind + ".h")
    if not file.exists():
        return None
    text = re.search(r"^struct xen_%s \{(.*?)^\};" % kind, file.read_text(), re.MULTILINE | re.DOTALL)[1]
    text = re.sub(r"#ifdef __XEN__.*?#endif", "", text, flags=re.DOTALL)
    return set(re.findall(r"^#define XEN_%s_(\w+) +\d+\b(?! /\* Obsolete)" % kind.upper(), text, re.MULTILINE))


def check(kind, arch):
    """All that is wrong with one kind of calls."""
    written, served, known = document(kind, arch), code(kind, arch), header(kind)
    for name, is_served in sorted(served.items()):
        if name not in written:
            yield "%s %s %s: in the code, not in doc/abi.md" % (arch, kind, name)
        elif is_served != written[name].startswith("4."):
            yield "%s %s %s: doc/abi.md says %s" % (arch, kind, name, written[name])
    for name, answer in sorted(written.items()):
        if name not in served and answer.strip() != "-ENOSYS":
            yield "%s %s %s: not in the code, doc/abi.md says %s" % (arch, kind, name, answer)
        if known is not None and name not in known:
            yield "%s %s: there is no such call" % (kind, name)
    for name in sorted((known or set()) - set(written)):
        yield "%s %s: not in doc/abi.md" % (kind, name)


def main():
    wrong = [line for kind in ("domctl", "sysctl") for arch in ARCHES for line in check(kind, arch)]
    print("\n".join(wrong + ["abi: %d wrong" % len(wrong)]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
