"""The programs that make a tree of an image's file, and a file of a tree, for the node.

    unpack PARENT ROOT COMPRESSION LAYERED BYTES     reads standard input
    pack PARENT ROOT ORIGIN                          writes to standard output

A stranger wrote the file: the first is shut into the tree before it reads any of it. The end of an
attempt that failed is a line on standard error: an error's number and a message.
"""

import os
import sys

from paas.node.images import confinement, layers, packing

FAILED = 3


def main(arguments: list[str]) -> int:
    """Its exit status."""
    verb, parent, *rest = arguments
    try:
        confinement.die_with(int(parent))
        return _unpack(*rest) if verb == "unpack" else _pack(*rest)
    except Exception as error:
        return _tell(error)


def _pack(root: str, origin: str) -> int:
    with os.fdopen(1, "wb", buffering=1024 * 1024) as target:
        packing.pack(root, origin or None, target)
    return 0


def _unpack(root: str, compression: str, layered: str, size_bytes: str) -> int:
    confinement.leave_host()
    child = confinement.fork_dying_with_parent()
    if child:
        os.close(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code
    "".encode("idna")  # Codecs are found by files, which are out of reach in a moment.
    confinement.enter_as_owner(os.fsencode(root), int(size_bytes))
    source = os.fdopen(0, "rb", buffering=1024 * 1024)
    stream = layers.opened(source, compression)
    layers.unpack(stream, layers.Bounds(int(size_bytes)), layered=layered == "layered")
    return 0


def _tell(error: Exception) -> int:
    number = error.errno if isinstance(error, OSError) and error.errno else 0
    text = str(error) or type(error).__name__
    os.write(2, f"{number} {ascii(text)[1:-1]:.500}\n".encode())
    return FAILED


def start() -> None:
    """For the command line."""
    os._exit(main(sys.argv[1:]))
