# SPDX-License-Identifier: MIT
"""What an ELF program has to find before it can run: its interpreter and its shared libraries."""

import struct
from dataclasses import dataclass

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 1, 5, 15, 29


@dataclass
class Needs:
    """An absolute path or None; names of libraries; folders that the program itself names for them."""
    interpreter: str
    libraries: list
    folders: list


def text(data, at):
    """The string that starts at an offset."""
    return data[at:data.index(b"\0", at)].decode()


def needs(data):
    """The Needs of a 64-bit little-endian program's or library's bytes; None for any other file."""
    if data[:6] != b"\x7fELF\x02\x01":
        return None
    offset, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = [struct.unpack_from("<IIQQQQ", data, offset + size * index) for index in range(count)]
    interpreter, tags = None, []
    for kind, _, start, _, _, length in segments:
        if kind == PT_INTERP:
            interpreter = text(data, start)
        elif kind == PT_DYNAMIC:
            tags = list(struct.iter_unpack("<QQ", data[start:start + length]))
    strings = 0
    for tag, value in tags:
        if tag == DT_STRTAB:
            strings = next(value - address + start for kind, _, start, address, _, length in segments
                           if kind == PT_LOAD and address <= value < address + length)
    libraries = [text(data, strings + value) for tag, value in tags if tag == DT_NEEDED]
    paths = [text(data, strings + value) for tag, value in tags if tag in (DT_RPATH, DT_RUNPATH)]
    return Needs(interpreter, libraries, [folder for path in paths for folder in path.split(":")])
