"""Makes packs by a plan, sound ones and others, for the comparison with git's own reader."""

import hashlib
import random
import struct
import zlib
from dataclasses import dataclass, field

from tests.gitserver import wire
from tests.gitserver.wire import BLOB, COMMIT, OFS_DELTA, REF_DELTA, TAG, TREE

Object = tuple[int, bytes]
DELTA_BYTES_MIN = 4
"""git reads none that is shorter."""


def content(chance: random.Random, size: int, kind: str) -> bytes:
    if kind == "one letter":
        return b"a" * size
    if kind == "noise":
        return chance.randbytes(size)
    lines = [b'"node_modules/%d": "sha512-%x",\n' % (n, n * 7919) for n in range(97)]
    text = b"".join(chance.choices(lines, k=min(size // 25 + 1, 4000)))
    return (text * (size // max(len(text), 1) + 1))[:size]


def copy(offset: int, size: int) -> bytes:
    """One copy instruction (gitformat-pack(5))."""
    code, rest = 0x80, b""
    for bit, byte in enumerate(struct.pack("<L", offset)):
        if byte:
            code, rest = code | 1 << bit, rest + bytes([byte])
    for bit, byte in enumerate(struct.pack("<L", size)[:3]):
        if byte and size != 0x10000:
            code, rest = code | 0x10 << bit, rest + bytes([byte])
    return bytes([code]) + rest


def delta(base: bytes, target: bytes) -> bytes:
    """The common start and end are copied, the rest is inserted."""
    most = min(len(base), len(target))
    start = end = 0
    while start + 64 <= most and base[start : start + 64] == target[start : start + 64]:
        start += 64
    while end + 64 <= most - start and _last(base, end) == _last(target, end):
        end += 64
    parts = [wire.varint(len(base)), wire.varint(len(target))]
    parts += _copies(0, start)
    middle = target[start : len(target) - end]
    for n in range(0, len(middle), 127):
        parts.append(bytes([len(middle[n : n + 127])]) + middle[n : n + 127])
    parts += _copies(len(base) - end, end)
    return b"".join(parts)


def _last(data: bytes, behind: int) -> bytes:
    return data[len(data) - behind - 64 : len(data) - behind]


def _copies(offset: int, size: int) -> list[bytes]:
    steps = range(0, size, 0xFFFFFF)
    return [copy(offset + n, min(0xFFFFFF, size - n)) for n in steps]


def ofs(distance: int) -> bytes:
    """How far back the base is (gitformat-pack(5), offset encoding)."""
    digits = [distance & 0x7F]
    while distance := distance >> 7:
        distance -= 1
        digits.append(0x80 | distance & 0x7F)
    return bytes(reversed(digits))


@dataclass
class Plan:
    """`there`: objects that the repository has already. Entries are added, `pack` makes bytes."""

    chance: random.Random
    there: list[Object]
    objects: list[Object] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    _end: int = 12
    _ids: set[bytes] = field(default_factory=set)

    def whole(self, type: int, data: bytes, level: int = -1) -> None:
        if self._is_new(type, data):
            self._put(entry(type, data, level=level))

    def changed(self, type: int, data: bytes, how: str) -> None:
        """As a delta upon an object of the same type, `how`: ofs, ref or thin."""
        pool = self.there if how == "thin" else self.objects
        at = [n for n, (kind, _) in enumerate(pool) if kind == type]
        if not at:
            self.whole(type, data)
            return
        number = self.chance.choice(at)
        base = pool[number][1]
        if not self._is_new(type, data):
            return
        instructions = delta(base, data)
        if len(instructions) < DELTA_BYTES_MIN:
            self._put(entry(type, data))
            return
        if how == "ofs":
            head = ofs(self._end - self.offsets[number])
            self._put(entry(OFS_DELTA, instructions, head))
        else:
            self._put(entry(REF_DELTA, instructions, wire.object_id(type, base)))

    def pack(self) -> bytes:
        return wire.pack(self.entries)

    def _is_new(self, type: int, data: bytes) -> bool:
        id = wire.object_id(type, data)
        known = id in self._ids or (type, data) in self.there
        self._ids.add(id)
        if not known:
            self.objects.append((type, data))
        return not known

    def _put(self, data: bytes) -> None:
        self.offsets.append(self._end)
        self.entries.append(data)
        self._end += len(data)


def entry(type: int, data: bytes, base: bytes = b"", *, level: int = -1) -> bytes:
    head = wire.entry(type, data, base)
    if level == -1:
        return head
    return head[: len(head) - len(zlib.compress(data))] + zlib.compress(data, level)


def variant(chance: random.Random, data: bytes) -> bytes:
    """Another content that has much in common with this one."""
    at, cut = chance.randrange(len(data) + 1), chance.choice([0, 1, 10, 1000])
    return data[:at] + chance.randbytes(chance.choice([0, 1, 50, 300])) + data[at + cut :]


def history(plan: Plan, blobs: int, sizes: list[tuple[int, str]]) -> bytes:
    """Fills the plan with files, folders, commits and a tag; the id of the last commit."""
    chance, parents = plan.chance, []
    named: list[tuple[str, bytes, bytes]] = []
    for number, (size, kind) in enumerate(sizes):
        data = content(chance, size, kind)
        plan.whole(BLOB, data, level=chance.choice([-1, 0, 1, 9]))
        named.append(("100644", b"f%03d" % number, wire.object_id(BLOB, data)))
    for _ in range(blobs):
        base = chance.choice([d for kind, d in plan.objects + plan.there if kind == BLOB])
        data = variant(chance, base)
        plan.changed(BLOB, data, chance.choice(["ofs", "ref", "thin", "ofs"]))
        named.append(("100755", b"v%03d" % len(named), wire.object_id(BLOB, data)))
    for number in range(chance.randrange(1, 4)):
        folder = wire.tree(*sorted(chance.sample(named, chance.randrange(len(named)) + 1),
                                   key=lambda item: item[1]))  # fmt: skip
        plan.changed(TREE, folder, chance.choice(["ofs", "ref"]))
        root = wire.tree(("40000", b"a", wire.object_id(TREE, folder)), *named)
        plan.changed(TREE, root, chance.choice(["ofs", "ref", "thin"]))
        commit = wire.commit(wire.object_id(TREE, root), *parents) + b"%d\n" % number
        plan.changed(COMMIT, commit, chance.choice(["ofs", "ref"]))
        parents = [wire.object_id(COMMIT, commit)]
    tag = b"object %s\ntype commit\ntag v1\ntagger %s\n\nOne\n" % (
        parents[0].hex().encode(), wire.WHO)  # fmt: skip
    plan.whole(TAG, tag)
    return parents[0]


def sealed(body: bytes) -> bytes:
    return body + hashlib.sha1(body).digest()


def damaged(chance: random.Random, plan: Plan, how: str) -> bytes:
    """The plan's pack with one thing wrong (or only odd), and a checksum that fits."""
    number = chance.randrange(len(plan.entries))
    start, data = plan.offsets[number], plan.pack()
    body = bytearray(data[:-20])
    if how == "a bit":
        position = chance.randrange(len(body))
        body[position] ^= 1 << chance.randrange(8)
    elif how == "a byte of a head":
        body[start] ^= 1 << chance.randrange(8)
    elif how == "a byte too many":
        body[start:start] = chance.randbytes(1)
    elif how == "a byte too few":
        del body[chance.randrange(12, len(body))]
    elif how == "cut":
        del body[chance.randrange(8, len(body)) :]
    elif how == "more at the end":
        body += chance.randbytes(chance.randrange(1, 30))
    elif how == "count":
        body[8:12] = struct.pack(">L", len(plan.entries) + chance.choice([-1, 1]))
    elif how == "version":
        body[4:8] = struct.pack(">L", chance.choice([0, 1, 3, 4]))
    elif how == "checksum":
        return data[:-1] + bytes([data[-1] ^ 1])
    else:
        body += _odd_delta(chance, plan, how)
        body[8:12] = struct.pack(">L", len(plan.entries) + 1)
    return sealed(bytes(body))


def _odd_delta(chance: random.Random, plan: Plan, how: str) -> bytes:
    """A delta upon a blob of the pack that says something odd."""
    base = next(data for type, data in plan.objects if type == BLOB)
    id, size = wire.object_id(BLOB, base), len(base)
    one = bytes([1]) + chance.randbytes(1)
    deltas = {
        "wrong base size": wire.varint(size + 1) + wire.varint(1) + one,
        "result too short": wire.varint(size) + wire.varint(2) + one,
        "result too long": wire.varint(size) + wire.varint(1) + one + one,
        "instruction 0": wire.varint(size) + wire.varint(1) + b"\0" + one,
        "copy from beyond": wire.varint(size) + wire.varint(9) + copy(max(size - 1, 0), 9),
        "insert cut short": wire.varint(size) + wire.varint(9) + b"\x09" + b"abc",
        "copy cut short": wire.varint(size) + wire.varint(9) + b"\x9f\x01",
        "nothing": wire.varint(size) + wire.varint(0),
        "only a size": wire.varint(size),
        "empty": b"",
        "a size that never ends": b"\xff" * 12,
        "more bytes after the end": wire.varint(size) + wire.varint(1) + one + b"\0",
        "no base": wire.varint(size) + wire.varint(1) + one,
        "itself": wire.varint(size) + wire.varint(1) + one,
    }
    if how == "no base":
        return entry(REF_DELTA, deltas[how], chance.randbytes(20))
    if how == "itself":
        return entry(OFS_DELTA, deltas[how], b"\0")
    return entry(REF_DELTA, deltas[how], id)


DAMAGES = (
    "a bit", "a byte of a head", "a byte too many", "a byte too few", "cut", "more at the end",
    "count", "version", "checksum", "wrong base size", "result too short", "result too long",
    "instruction 0", "copy from beyond", "insert cut short", "copy cut short", "nothing",
    "only a size", "empty", "a size that never ends", "more bytes after the end", "no base",
    "itself",
)  # fmt: skip
