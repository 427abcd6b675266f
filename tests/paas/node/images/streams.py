"""Streams of differences as tests write them: also such as no builder would."""

import io
import struct
import tarfile
from collections.abc import Iterable


def text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def file(name: bytes, content: bytes = b"", mode: int = 0o644) -> tarfile.TarInfo:
    member = tarfile.TarInfo(text(name))
    member.size, member.mode, member.mtime = len(content), mode, 1_000_000_000
    member.pax_headers = {"content": content.decode("latin-1")}
    return member


def link(name: bytes, target: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(text(name))
    member.type, member.linkname = tarfile.SYMTYPE, text(target)
    return member


def archive(members: Iterable[tarfile.TarInfo]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member in members:
            content = member.pax_headers.get("content", "").encode("latin-1")
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def stream(deleted: Iterable[bytes] = (), members: Iterable[tarfile.TarInfo] = ()) -> bytes:
    names = b"".join(name + b"\0" for name in deleted)
    return struct.pack("!I", len(names)) + names + archive(members)
