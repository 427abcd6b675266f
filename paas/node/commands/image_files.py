"""Images into the node from sources and files, and out of it: import, install, create, publish."""

import bz2
import contextlib
import fcntl
import hashlib
import json
import lzma
import os
import re
import shutil
import sys
import tempfile
import threading
import uuid as uuids
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from paas.node import words as tags
from paas.node.commands import image_sources, imgapi
from paas.node.commands.ask import Node
from paas.node.commands.imgapi import Source
from paas.node.commands.words import Usage, Words
from paas.node.errors import ImageError, NodeError
from paas.node.images import manifests
from paas.settings import Settings
from paas.system.files import write_by_rename

Manifest = dict[str, Any]
_TRANSFER_S = 24 * 3600.0
_CHUNK_BYTES = 1024 * 1024
_ORIGINS_MAX = 32
_ENDINGS = {"none": "tar", "gzip": "tar.gz", "bzip2": "tar.bz2", "xz": "tar.xz"}
_INHERITED = (
    *("type", "os", "requirements", "users", "billing_tags", "traits", "generate_passwords"),
    "inherited_directories",
)


def named(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['uuid']} ({manifest['name']}@{manifest['version']})"


def run_import(node: Node, settings: Settings, uuid: str, typed: Words) -> None:
    """Origins first. What was downloaded before goes on where it ended."""
    installed = {record["manifest"]["uuid"]: record for record in node.ask("image_records")}
    if uuid in installed:
        print(f"Image {named(installed[uuid]['manifest'])} is already installed, skipping")
        return
    chosen = typed.options.get("source")
    sources = [Source(chosen.rstrip("/"))] if chosen else image_sources.read(settings)
    wanted: list[tuple[Source, Manifest]] = []
    missing: str | None = uuid
    while missing is not None and missing not in installed:
        if missing in {manifest["uuid"] for _, manifest in wanted} or len(wanted) >= _ORIGINS_MAX:
            raise ImageError("OriginsTooDeep", f"the origins of image {uuid} have no end")
        wanted.append(_found(sources, missing))
        missing = wanted[-1][1].get("origin")
    for source, manifest in reversed(wanted):
        print(f'Importing {named(manifest)} from "{source.url}"', flush=True)
        _import(node, settings, source, manifest)
        print(f"Imported image {named(manifest)}", flush=True)


def _found(sources: Sequence[Source], uuid: str) -> tuple[Source, Manifest]:
    """A source that is away does not keep the others from having it."""
    if not sources:
        text = "imgadm has no configured sources"
        raise ImageError("NoSources", text, "Add one: imgadm sources -a URL")
    away: NodeError | None = None
    for source in sources:
        try:
            manifest = imgapi.image(source, uuid)
        except imgapi.RemoteError as error:
            away = away or error
            continue
        if manifest is not None and manifest.get("state", "active") == "active":
            return source, manifest
    if away is not None:
        raise away
    raise ImageError("ActiveImageNotFound", f'an active image with uuid "{uuid}" was not found')


def _import(node: Node, settings: Settings, source: Source, manifest: Manifest) -> None:
    described = _described(manifest)
    with _downloading(settings, manifest["uuid"]) as partial:
        with partial.open("r+b" if partial.exists() else "w+b") as target:
            imgapi.download(source, manifest["uuid"], described["size"], target)
            target.flush()
            os.fsync(target.fileno())
        file = partial.with_suffix(".file")
        if sha1(partial) != described["sha1"]:
            partial.unlink()
            text = f'the file of image {manifest["uuid"]} from "{source.url}" has another sha1'
            raise ImageError("ChecksumError", text, "It was thrown away: import it again.")
        partial.rename(file)
        try:
            install(node, manifest, file, source.url)
        finally:
            file.unlink()


@contextlib.contextmanager
def _downloading(settings: Settings, uuid: str) -> Iterator[Path]:
    """Where it goes; one import of an image at a time. Files that others left are used, or go."""
    folder = image_sources.folder(settings) / "downloads"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / f"{uuid}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        partial, whole = folder / f"{uuid}.file-partial", folder / f"{uuid}.file"
        if whole.exists():
            whole.rename(partial)
        yield partial


def install(node: Node, manifest: Manifest, file: Path, source: str) -> None:
    """The node checks size and sum once more: it takes nobody's word."""
    with file.open("rb") as stream:
        node.ask(
            "install_image",
            patience_s=_TRANSFER_S,
            descriptors=[stream.fileno()],
            manifest=manifest,
            source=source,
        )


def run_install(node: Node, typed: Words) -> None:
    typed.no_more()
    manifest = _read_manifest(_needed(typed, "manifest"))
    file = _existing(_needed(typed, "file"), "file")
    manifest.setdefault("published_at", manifests.complete({})["published_at"])
    _refuse_invalid(manifest)
    for record in node.ask("image_records"):
        if record["manifest"]["uuid"] == manifest["uuid"]:
            print(f"Image {named(record['manifest'])} is already installed, skipping")
            return
    _described(manifest)
    print(f"Installing image {named(manifest)}", flush=True)
    install(node, manifest, file, "")
    print(f"Installed image {named(manifest)}")


def run_publish(typed: Words) -> None:
    manifest = _read_manifest(_needed(typed, "manifest"))
    file = _existing(_needed(typed, "file"), "file")
    publish(manifest, file, typed.one())


def publish(manifest: Manifest, file: Path, url: str) -> None:
    _refuse_invalid(manifest)
    described = _described(manifest)
    if file.stat().st_size != described["size"] or sha1(file) != described["sha1"]:
        text = f"{file} is not the file that the manifest describes (size and sha1)"
        raise ImageError("ChecksumError", text)
    with file.open("rb") as stream:
        imgapi.publish(Source(url.rstrip("/")), manifest, stream)
    print(f"Successfully published image {named(manifest)} to {url}")


def run_create(node: Node, settings: Settings, machine: str, typed: Words) -> None:
    options = typed.options
    compression = options.get("compression", "none")
    if compression not in _ENDINGS:
        known = '", "'.join(_ENDINGS)
        text = f'invalid -c|--compression "{compression}": must be one of "{known}"'
        raise Usage(text)
    if "output-template" in options and "publish" in options:
        raise Usage("cannot specify both -o/--output-template and -p/--publish")
    given = _given(typed)
    manifest = _made(node, machine, given, typed)
    with _scratch(settings) as scratch:
        place = scratch if "publish" in options else options.get("output-template", "")
        prefix = _prefix(place, manifest)
        file = prefix.with_name(f"{prefix.name}.{_ENDINGS[compression]}")
        print("Manifest:\n" + _indented(manifest), flush=True)
        print(f'Sending image file to "{file}"', flush=True)
        described = _pack(node, machine, file, compression, incremental="incremental" in options)
        manifest["files"] = [described]
        _refuse_invalid(manifest)
        written = prefix.with_name(f"{prefix.name}.imgmanifest")
        if "publish" in options:
            publish(manifest, file, options["publish"])
            return
        print(f'Saving manifest to "{written}"', flush=True)
        write_by_rename(written, json.dumps(manifest, indent=2) + "\n", mode=0o644)


@contextlib.contextmanager
def _scratch(settings: Settings) -> Iterator[str]:
    """A folder for what is published at once; those of killed ones go first."""
    folder = image_sources.folder(settings)
    for left in folder.glob("create-*"):
        if not Path("/proc", left.name.split("-")[1]).exists():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"create-{os.getpid()}-", dir=folder) as scratch:
        yield scratch


def _made(node: Node, machine: str, given: Manifest, typed: Words) -> Manifest:
    """The manifest without its file. What is wrong is said before anything is done."""
    vm = node.ask("get", uuid=machine)
    if vm["state"] != "stopped":
        text = f"cannot create an image from a running VM ({machine} is {vm['state']})"
        raise ImageError("VmNotStopped", text, f"Stop it first: vmadm stop {machine}")
    records = {one["manifest"]["uuid"]: one["manifest"] for one in node.ask("image_records")}
    origin = records.get(vm["image_uuid"])
    if origin is None:
        text = f"image {vm['image_uuid']} of VM {machine} is not installed"
        raise ImageError("ImageNotInstalled", text)
    print(f"Inheriting from origin image {origin['uuid']} ({origin['name']} {origin['version']})")
    inherited = {key: origin[key] for key in _INHERITED if key in origin}
    pinned = {
        key: value
        for key, value in origin.get("tags", {}).items()
        if key in (tags.STACK, *tags.RUNTIMES.values())
    }
    made = {"v": 2, "uuid": str(uuids.uuid4()), **inherited, **given}
    made["tags"] = {**pinned, **(given.get("tags") or {})}
    if "incremental" in typed.options:
        made["origin"] = origin["uuid"]
        _refuse_depth(records, origin, typed.options.get("max-origin-depth"))
    whole = manifests.complete(made)
    for field in ("name", "version"):
        if field not in given:
            raise ImageError("InvalidManifest", f'the manifest has no "{field}": {field}=VALUE')
    _refuse_invalid(whole)
    return whole


def _refuse_depth(records: Mapping[str, Manifest], origin: Manifest, most: str | None) -> None:
    if most is None:
        return
    if not most.isascii() or not most.isdigit() or int(most) < 1:
        raise Usage(f'invalid --max-origin-depth: "{most}"')
    depth, above = 1, origin.get("origin")
    while isinstance(above, str) and above in records:
        depth, above = depth + 1, records[above].get("origin")
    if depth > int(most):
        text = f"the image would have {depth} origins, more than {most}"
        raise ImageError("MaxOriginDepthExceeded", text)


def _pack(
    node: Node, machine: str, file: Path, compression: str, *, incremental: bool
) -> dict[str, Any]:
    """The file, whole or not at all; what a manifest says of it."""
    partial = file.with_name(f"{file.name}-partial")
    source, target = os.pipe()
    outcome: list[Exception] = []

    def ask() -> None:
        try:
            node.ask(
                "export_image",
                patience_s=_TRANSFER_S,
                descriptors=[target],
                machine=machine,
                incremental=incremental,
            )
        except Exception as error:
            outcome.append(error)
        finally:
            os.close(target)

    asking = threading.Thread(target=ask)
    try:
        with os.fdopen(source, "rb") as stream, partial.open("wb") as out:
            asking.start()
            described = _compress(stream, out, compression)
            asking.join()
            if outcome:
                raise outcome[0]
            out.flush()
            os.fsync(out.fileno())
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
    return described


def _compress(source: IO[bytes], target: IO[bytes], compression: str) -> dict[str, Any]:
    makers: dict[str, Callable[[], Any]] = {
        "none": _Plain,
        "gzip": lambda: zlib.compressobj(wbits=31),
        "bzip2": bz2.BZ2Compressor,
        "xz": lambda: lzma.LZMACompressor(preset=1),
    }
    maker = makers[compression]()
    digest, size = hashlib.sha1(usedforsecurity=False), 0
    parts = iter(lambda: source.read(_CHUNK_BYTES), b"")
    for data in _each(parts, maker):
        digest.update(data)
        size += len(data)
        target.write(data)
    return {"sha1": digest.hexdigest(), "size": size, "compression": compression}


def _each(parts: Iterator[bytes], maker: Any) -> Iterator[bytes]:
    for part in parts:
        yield maker.compress(part)
    yield maker.flush()


class _Plain:
    def compress(self, part: bytes) -> bytes:
        return part

    def flush(self) -> bytes:
        return b""


def _given(typed: Words) -> Manifest:
    """-m, and over it the fields of the command line: JSON, or else text."""
    name = typed.options.get("manifest")
    found = _read_manifest(name) if name else {}
    for key, text in typed.assignments():
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        found[key] = text if key in ("name", "version") and not isinstance(value, str) else value
    return found


def _prefix(place: str, manifest: Manifest) -> Path:
    slug = "-".join(
        re.sub(r"[^A-Za-z0-9._+-]", "-", str(manifest[field])).lstrip(".-") or "x"
        for field in ("name", "version")
    )[:200]
    path = Path(place) if place else Path()
    return path / slug if path.is_dir() else path


def _read_manifest(name: str) -> Manifest:
    try:
        text = sys.stdin.buffer.read() if name == "-" else _existing(name, "manifest").read_bytes()
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ImageError("InvalidManifest", f"{name} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ImageError("InvalidManifest", f"{name} holds no JSON object")
    return found


def _existing(name: str, what: str) -> Path:
    if not Path(name).is_file():
        raise Usage(f'{what} path does not exist: "{name}"')
    return Path(name)


def _needed(typed: Words, word: str) -> str:
    if word not in typed.options:
        raise Usage(f"missing option: -{word[0]} <{word}>")
    return typed.options[word]


def _refuse_invalid(manifest: Manifest) -> None:
    if found := manifests.problems(manifest):
        text = "; ".join(problem["message"] for problem in found)
        raise ImageError("InvalidManifest", f"the manifest is not valid: {text:.1000}")


def _described(manifest: Manifest) -> dict[str, Any]:
    for problem in manifests.file_problems(manifest):
        text = f"the manifest of {manifest['uuid']} can't be used: {problem['message']}"
        raise ImageError("InvalidManifest", text)
    found: dict[str, Any] = manifest["files"][0]
    return found


def sha1(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha1").hexdigest()


def _indented(manifest: Manifest) -> str:
    lines = json.dumps(manifest, indent=2).splitlines()
    return "\n".join(f"    {line}" for line in lines)
