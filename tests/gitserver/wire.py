"""Requests made by hand: packs and pushes that no git client would make."""

import hashlib
import struct
import zlib
from collections.abc import Sequence

import httpx

from gitserver.protocol.packets import FLUSH, encode

COMMIT, TREE, BLOB, TAG, OFS_DELTA, REF_DELTA = 1, 2, 3, 4, 6, 7
NAMES = {COMMIT: "commit", TREE: "tree", BLOB: "blob", TAG: "tag"}
ZERO = "0" * 40
WHO = b"Eve <eve@example.com> 1700000000 +0000"


def object_id(type: int, content: bytes) -> bytes:
    return hashlib.sha1(f"{NAMES[type]} {len(content)}\0".encode() + content).digest()


def tree(*entries: tuple[str, bytes, bytes]) -> bytes:
    """Entries of (mode, name, id), in the order given."""
    return b"".join(mode.encode() + b" " + name + b"\0" + id for mode, name, id in entries)


def commit(tree_id: bytes, *parents: bytes) -> bytes:
    lines = [b"tree " + tree_id.hex().encode()]
    lines += [b"parent " + parent.hex().encode() for parent in parents]
    return b"\n".join([*lines, b"author " + WHO, b"committer " + WHO, b"", b"Hostile\n"])


def entry(type: int, content: bytes, base: bytes = b"", size: int | None = None) -> bytes:
    """One entry of a pack; `base` is the encoded base of a delta, `size` a lie."""
    size = len(content) if size is None else size
    byte, size = (type << 4) | (size & 15), size >> 4
    head = bytearray()
    while size:
        head.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    head.append(byte)
    return bytes(head) + base + zlib.compress(content)


def pack(entries: Sequence[bytes], count: int | None = None) -> bytes:
    count = len(entries) if count is None else count
    body = struct.pack(">4sLL", b"PACK", 2, count) + b"".join(entries)
    return body + hashlib.sha1(body).digest()


def varint(number: int) -> bytes:
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def push_body(new: str, pack: bytes, ref: str = "refs/heads/main", old: str = ZERO) -> bytes:
    return encode(f"{old} {new} {ref}\0report-status") + FLUSH + pack


def post(
    url: str, body: bytes, service: str = "git-receive-pack", **headers: str
) -> httpx.Response:
    type = f"application/x-{service}-request"
    return httpx.post(
        f"{url}/{service}",
        content=body,
        headers={"content-type": type, **{k.replace("_", "-"): v for k, v in headers.items()}},
        timeout=60,
    )
