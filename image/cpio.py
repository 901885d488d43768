# SPDX-License-Identifier: MIT
"""A cpio archive in the format `newc`, of which the kernel makes its first file system.

The same input gives the same bytes: times are 0, owners root, inode numbers count up.
"""

from pathlib import PurePosixPath

DIRECTORY, FILE, LINK, CHARACTER = 0o040000, 0o100000, 0o120000, 0o020000


class Archive:
    """Names are without a slash in front; what is added first under a name stays."""

    def __init__(self):
        self.parts = []
        self.names = set()

    def add(self, name, mode, data=b"", device=(0, 0)):
        """Adds an entry, and the folders above it that are not there yet."""
        if name in self.names:
            return
        parent = str(PurePosixPath(name).parent)
        if parent != ".":
            self.add(parent, DIRECTORY | 0o755)
        self.names.add(name)
        self.write(name, mode, data, device)

    def write(self, name, mode, data, device):
        """Appends one entry's bytes."""
        links = 2 if mode & 0o170000 == DIRECTORY else 1
        fields = (len(self.names), mode, 0, 0, links, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self.parts.append(self.padded(header + name.encode() + b"\0"))
        self.parts.append(self.padded(data))

    def folder(self, name, mode=0o755):
        """Adds a folder."""
        self.add(name, DIRECTORY | mode)

    def file(self, name, data, mode=0o644):
        """Adds a file."""
        self.add(name, FILE | mode, data)

    def link(self, name, target):
        """Adds a symbolic link."""
        self.add(name, LINK | 0o777, str(target).encode())

    @staticmethod
    def padded(data):
        """The data, filled up as the format wants it."""
        return data + bytes(-len(data) % 4)

    def finish(self):
        """The archive's bytes."""
        self.write("TRAILER!!!", 0, b"", (0, 0))
        return b"".join(self.parts)
