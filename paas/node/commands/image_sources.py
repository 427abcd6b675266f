"""Where images come from: `<state>/imgadm/imgadm.conf`, as SmartOS's, and `imgadm sources`."""

import contextlib
import fcntl
import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from paas.node.commands import imgapi
from paas.node.commands.imgapi import Source
from paas.node.commands.words import Usage, Words
from paas.node.errors import ImageError
from paas.settings import Settings
from paas.system.files import write_by_rename


def folder(settings: Settings) -> Path:
    """imgadm's own, made when it is missing."""
    found = settings.state / "imgadm"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def read(settings: Settings) -> list[Source]:
    """Raises ImageError when the file is none of imgadm's."""
    file = settings.state / "imgadm" / "imgadm.conf"
    try:
        found = json.loads(file.read_bytes())["sources"]
        return [Source(str(one["url"]), bool(one.get("insecure"))) for one in found]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        text = f"{file} can't be read: {error!r:.200}"
        raise ImageError("ConfigError", text, "Remove it, and add the sources again.") from error


def run(settings: Settings, typed: Words) -> None:
    """`imgadm sources`. Raises Usage, and ImageError."""
    typed.no_more()
    options = typed.options
    actions = [word for word in ("add", "del", "edit", "check") if word in options]
    if len(actions) > 1:
        raise Usage("only one of -a, -d, -e, -c can be used")
    if actions == ["add"]:
        _add(settings, typed)
    elif actions == ["del"]:
        _delete(settings, options["del"])
    elif actions == ["edit"]:
        _edit(settings)
    elif actions == ["check"]:
        _check(read(settings))
    else:
        _show(read(settings), typed)


def _show(sources: Sequence[Source], typed: Words) -> None:
    if "json" in typed.options:
        print(json.dumps([_record(source) for source in sources], indent=2))
        return
    for source in sources:
        print(f"{source.url}  imgapi" if "verbose" in typed.options else source.url)


def _add(settings: Settings, typed: Words) -> None:
    url, kind = typed.options["add"], typed.options.get("type", "imgapi")
    _refuse_kind(kind)
    source = Source(url.rstrip("/"), "insecure" in typed.options)
    _refuse_address(source)
    with _locked(settings):
        sources = read(settings)
        if any(one.url == source.url for one in sources):
            print(f'Already have "imgapi" image source "{url}", no change')
            return
        if "force" not in typed.options:
            _ping(source)
        _write(settings, [*sources, source])
    print(f'Added "imgapi" image source "{url}"')


def _delete(settings: Settings, url: str) -> None:
    with _locked(settings):
        sources = read(settings)
        left = [one for one in sources if one.url != url.rstrip("/")]
        if len(left) == len(sources):
            print(f'Do not have image source "{url}", no change')
            return
        _write(settings, left)
    print(f'Deleted "imgapi" image source "{url}"')


def _edit(settings: Settings) -> None:
    """One a line, `url type [insecure]`. Nothing is changed when a line is wrong."""
    before = read(settings)
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.NamedTemporaryFile("w+", suffix=".sources", dir=folder(settings)) as file:
        file.writelines(_line(source) for source in before)
        file.flush()
        try:
            subprocess.run([*shlex.split(editor), file.name], check=True)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise ImageError("EditorError", f"the editor {editor} failed: {error}") from error
        lines = Path(file.name).read_text(errors="replace").splitlines()
    after = [_parsed(line) for line in lines if line.strip() and not line.startswith("#")]
    after = list({source.url: source for source in after}.values())
    if after == before:
        print("No change to image sources")
        return
    for source in after:
        if source not in before:
            _ping(source)
    with _locked(settings):
        if read(settings) != before:
            raise ImageError("ConfigError", "the sources were changed meanwhile: edit them again")
        _write(settings, after)
    for source in after:
        if source not in before:
            print(f'Added "imgapi" image source "{source.url}"')
    for source in before:
        if source not in after:
            print(f'Deleted "imgapi" image source "{source.url}"')
    if {source.url for source in before} == {source.url for source in after}:
        print("Reordered image sources")


def _line(source: Source) -> str:
    return f"{source.url} imgapi{' insecure' if source.insecure else ''}\n"


def _parsed(line: str) -> Source:
    url, *rest = line.split()
    _refuse_kind(rest[0] if rest else "imgapi")
    if rest[1:] not in ([], ["insecure"]):
        raise ImageError("InvalidParameter", f"{line!r:.200} is no source: url type [insecure]")
    source = Source(url.rstrip("/"), bool(rest[1:]))
    _refuse_address(source)
    return source


def _refuse_kind(kind: str) -> None:
    if kind in ("docker", "dsapi"):
        raise ImageError("NotSupported", f"image sources of type {kind} are not built on this node")
    if kind != "imgapi":
        raise Usage(f'invalid source type: "{kind}"')


def _refuse_address(source: Source) -> None:
    if not source.plain or any(ord(letter) <= 32 for letter in source.url):
        raise ImageError("InvalidParameter", f'"{source.url:.200}" is no http or https URL')
    if "channel=" in source.url:
        raise ImageError("NotSupported", "channels are not built on this node")


def _ping(source: Source) -> None:
    try:
        imgapi.ping(source)
    except imgapi.RemoteError as error:
        text = f'unexpected ping error checking image source "{source.url}": {error.message}'
        raise ImageError("SourcePing", text, "-f adds it all the same.") from error


def _check(sources: Sequence[Source]) -> None:
    failed = 0
    for source in sources:
        try:
            imgapi.ping(source)
            print(f"Ping OK: {source.url}")
        except imgapi.RemoteError as error:
            print(f"Ping failed: {error.message}")
            failed += 1
    if failed:
        raise ImageError("SourcePing", f"{failed} of {len(sources)} image sources can't be used")


def _record(source: Source) -> dict[str, Any]:
    found: dict[str, Any] = {"url": source.url, "type": "imgapi"}
    return {**found, "insecure": True} if source.insecure else found


def _write(settings: Settings, sources: Sequence[Source]) -> None:
    record = {"sources": [_record(source) for source in sources]}
    file = folder(settings) / "imgadm.conf"
    write_by_rename(file, json.dumps(record, indent=2), mode=0o600)


@contextlib.contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    with (folder(settings) / "imgadm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
