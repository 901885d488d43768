# SPDX-License-Identifier: MIT
"""A flattened device tree that can be edited by path.

Debian's python3-libfdt edits the blob itself, so that what is not touched stays as QEMU or a board's
maker wrote it; dtc would decompile and recompile it whole.
"""

import libfdt


def cells64(*numbers):
    """64-bit numbers as the list of 32-bit cells that a device tree holds, high half first."""
    return [half for number in numbers for half in (number >> 32, number & 0xFFFFFFFF)]


class Tree:
    """A device tree; a path is `/a/b@1`, a value is one of those that `encode` takes."""

    def __init__(self, blob):
        self.fdt = libfdt.Fdt(bytearray(blob))
        self.room(0)

    @classmethod
    def empty(cls):
        """A tree with nothing but its root."""
        return cls(libfdt.Fdt.create_empty_tree(4096).as_bytearray())

    def room(self, size):
        """Makes sure that `size` more bytes fit."""
        self.fdt.resize(self.fdt.totalsize() + size + 4096)

    def blob(self):
        """The tree as bytes, without spare room."""
        self.fdt.pack()
        data = bytes(self.fdt.as_bytearray()[: self.fdt.totalsize()])
        self.room(0)
        return data

    @staticmethod
    def encode(value):
        """Bytes stay; text and lists of text end in NUL; numbers are 32-bit cells; True is empty."""
        if isinstance(value, (bytes, bytearray)):
            return bytes(value)
        if value is True:
            return b""
        if isinstance(value, (str, int)):
            value = [value]
        if all(isinstance(item, int) for item in value):
            return b"".join(item.to_bytes(4, "big") for item in value)
        return b"".join(item.encode() + b"\0" for item in value)

    def has(self, path):
        """Whether there is such a node."""
        return self.fdt.path_offset(path, quiet=[libfdt.NOTFOUND]) >= 0

    def node(self, path):
        """The offset of a node, made (with its parents) if it is not there."""
        if path in ("", "/"):
            return 0
        if self.has(path):
            return self.fdt.path_offset(path)
        parent, name = path.rsplit("/", 1)
        self.room(len(name) + 64)
        return self.fdt.add_subnode(self.node(parent), name)

    def set(self, path, **properties):
        """Sets properties of a node, made if need be; `_` in a name stands for `-`."""
        for name, value in properties.items():
            self.put(path, name.replace("_", "-"), value)

    def put(self, path, name, value):
        """Sets one property whatever its name."""
        data = self.encode(value)
        self.node(path)
        self.room(len(data) + len(name) + 64)
        self.fdt.setprop(self.fdt.path_offset(path), name, data)

    def get(self, path, name):
        """A property's bytes, or None."""
        if not self.has(path):
            return None
        value = self.fdt.getprop(self.fdt.path_offset(path), name, quiet=[libfdt.NOTFOUND])
        return None if isinstance(value, int) else bytes(value)

    def text(self, path, name):
        """A property's first string."""
        value = self.get(path, name)
        return None if value is None else value.split(b"\0")[0].decode()

    def cells(self, path, name):
        """A property's 32-bit cells."""
        value = self.get(path, name) or b""
        return [int.from_bytes(value[at:at + 4], "big") for at in range(0, len(value), 4)]

    def children(self, path):
        """The paths of a node's children."""
        found, at = [], self.fdt.first_subnode(self.node(path), quiet=[libfdt.NOTFOUND])
        while at >= 0:
            found.append((path if path != "/" else "") + "/" + self.fdt.get_name(at))
            at = self.fdt.next_subnode(at, quiet=[libfdt.NOTFOUND])
        return found

    def remove(self, path, name=None):
        """Removes a property, or the node with all below it."""
        if name is None:
            self.fdt.del_node(self.fdt.path_offset(path))
        else:
            self.fdt.delprop(self.fdt.path_offset(path), name)
