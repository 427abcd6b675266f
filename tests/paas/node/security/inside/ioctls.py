"""Runs inside a zone: what ioctl(2) answers, as JSON, in a folder of its disk (argument 1)."""

import errno
import fcntl
import json
import os
import pty
import sys

BTRFS, FS = 0x94, ord("f")
WRITE, READ = 1, 2


def number(direction, kind, request, size):
    return direction << 30 | size << 16 | kind << 8 | request


def asked(descriptor, request, size):
    try:
        fcntl.ioctl(descriptor, request, bytearray(size))
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


def create(name):
    """BTRFS_IOC_SUBVOL_CREATE with a name; the second is SUBVOL_CREATE_V2."""
    yield number(WRITE, BTRFS, 14, 4096), bytearray(8) + name.ljust(4088, b"\0")
    yield number(WRITE, BTRFS, 24, 4096), bytearray(56) + name.ljust(4040, b"\0")


folder = os.open(sys.argv[1], os.O_RDONLY)
file = os.open("disk", os.O_CREAT | os.O_RDWR, dir_fd=folder)
os.write(file, b"x" * 65536)
other = os.open("other", os.O_CREAT | os.O_RDWR, dir_fd=folder)
found = {}
for index, (request, argument) in enumerate(create(b"own")):
    try:
        fcntl.ioctl(folder, request, argument)
        found[f"of btrfs: create {index}"] = "done"
    except OSError as error:
        found[f"of btrfs: create {index}"] = errno.errorcode[error.errno]
try:
    fcntl.ioctl(other, number(WRITE, BTRFS, 9, 4), file)
    found["of btrfs: clone"] = "done"
except OSError as error:
    found["of btrfs: clone"] = errno.errorcode[error.errno]
for request in range(256):
    for direction in range(4):
        for size in (0, 4, 24, 4096):
            if asked(other, number(direction, BTRFS, request, size), size or 1) != "ENOTSUP":
                found[f"of btrfs: {direction} {request} {size}"] = "let through"
primary, secondary = pty.openpty()
found["terminal"] = asked(secondary, 0x5401, 64)  # TCGETS
found["waiting"] = asked(os.pipe()[0], 0x541B, 4)  # FIONREAD
found["flags"] = asked(other, number(READ, FS, 1, 8), 8)  # FS_IOC_GETFLAGS
found["of no type"] = asked(other, 0x12345678, 4096)
print(json.dumps(found))
