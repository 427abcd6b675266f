"""The batch API (git-lfs's api/batch.md): which objects are to be sent or fetched, and where.

No I/O: the question is parsed, and the answer made of what is there.
"""

import json
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from gitserver.faults import Fault
from gitserver.lfs.pointers import OID, Pointer

OBJECTS_MAX = 1000
"""git-lfs asks for 100 at a time."""
_OID = re.compile(OID)
_SIZE_BYTES_MAX = 2**53


def is_oid(text: str) -> bool:
    return _OID.fullmatch(text) is not None


@dataclass(frozen=True)
class Batch:
    uploads: bool
    objects: tuple[Pointer, ...]


def parse(body: bytes) -> Batch:
    """Raises Fault."""
    question = _json(body)
    operation = question.get("operation")
    if operation not in ("upload", "download"):
        raise Fault("the operation is neither upload nor download")
    if question.get("hash_algo", "sha256") != "sha256":
        raise Fault("objects are known here by their SHA-256 alone")
    transfers = question.get("transfers") or ["basic"]
    if not isinstance(transfers, list) or "basic" not in transfers:
        raise Fault("the transfer that is known here is basic")
    objects = question.get("objects")
    if not isinstance(objects, list) or len(objects) > OBJECTS_MAX:
        raise Fault(f"objects is no list of at most {OBJECTS_MAX}")
    return Batch(operation == "upload", tuple(_pointer(item) for item in objects))


def parse_one(body: bytes) -> Pointer:
    """The question of `verify`. Raises Fault."""
    return _pointer(_json(body))


def answer(
    batch: Batch, there: Container[Pointer], *, base: str, object_bytes_max: int
) -> dict[str, Any]:
    """`base` is the URL above `objects/…`; `there` has those objects that are here."""
    objects = []
    for pointer in batch.objects:
        found: dict[str, Any] = {"oid": pointer.oid, "size": pointer.size_bytes}
        link = {"href": f"{base}/objects/{pointer.oid}"}
        if batch.uploads and pointer.size_bytes > object_bytes_max:
            found["error"] = {"code": 422, "message": too_large(object_bytes_max)}
        elif batch.uploads and pointer not in there:
            found["actions"] = {"upload": link, "verify": {"href": f"{base}/verify"}}
        elif not batch.uploads and pointer in there:
            found["actions"] = {"download": link}
        elif not batch.uploads:
            found["error"] = {"code": 404, "message": "it was never sent here"}
        objects.append(found)
    return {"transfer": "basic", "hash_algo": "sha256", "objects": objects}


def too_large(limit_bytes: int) -> str:
    return f"the file is over the limit of {limit_bytes // 1024 // 1024} MiB"


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Fault("the request is no JSON") from error
    if not isinstance(found, dict):
        raise Fault("the request is no JSON object")
    return found


def _pointer(item: object) -> Pointer:
    oid, size = (item.get("oid"), item.get("size")) if isinstance(item, dict) else (None, None)
    if not isinstance(oid, str) or not is_oid(oid):
        raise Fault("an object's oid is not 64 hexadecimal digits")
    if type(size) is not int or not 0 <= size <= _SIZE_BYTES_MAX:
        raise Fault(f"the size of {oid} is no number of bytes")
    return Pointer(oid, size)
