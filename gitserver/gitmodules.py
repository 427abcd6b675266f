"""What a commit's `.gitmodules` says (gitmodules(5)): which submodule is at which path.

git itself reads the file, with nothing of it included or run. Names mean nothing here, as no
repository is made by them; those that git refuses are refused nevertheless (CVE-2018-11235).
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gitserver import gitcommand, trees
from gitserver.faults import Fault

FILE = ".gitmodules"
_BYTES_MAX = 256 * 1024
_KEY = re.compile(r"submodule\.(?P<name>.*)\.(?P<word>[a-z]+)", re.DOTALL)
_UPDATES = ("checkout", "rebase", "merge", "none", "")


@dataclass(frozen=True)
class Submodule:
    """`commit` is what the gitlink at `path` names; `is_wanted`: `update` is not `none`."""

    name: str
    path: str
    commit: str
    url: str
    is_wanted: bool = True


async def read(path: Path, commit: str) -> tuple[Submodule, ...]:
    """Those that the commit has a gitlink of; no more is asked of a commit without the file.

    Raises Fault for what can't be, as git does.
    """
    try:
        content = await asyncio.to_thread(trees.read_file, path, commit, FILE, _BYTES_MAX)
    except ValueError as error:
        raise Fault(f"{FILE} has over {_BYTES_MAX >> 10} KiB") from error
    if not content:
        return ()
    words = ("config", "--file", "-", "--no-includes", "--null", "--list")
    try:
        listed = await gitcommand.run(path, *words, given=content)
    except OSError as error:
        raise Fault(f"git can't read {FILE}: {error}") from error
    said = parse(listed)
    return await asyncio.to_thread(_linked, path, commit, said)


def parse(listed: bytes) -> Mapping[str, Mapping[str, str]]:
    """Name → its values, from what `git config --list --null` writes; the last of each counts."""
    found: dict[str, dict[str, str]] = {}
    for line in listed.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = line.partition("\n")
        match = _KEY.fullmatch(key)
        if match:
            found.setdefault(match["name"], {})[match["word"]] = value
    return found


def _linked(
    path: Path, commit: str, said: Mapping[str, Mapping[str, str]]
) -> tuple[Submodule, ...]:
    found: dict[str, Submodule] = {}
    for name, values in said.items():
        place = values.get("path", "").rstrip("/")
        raw = place.encode("utf-8", "surrogateescape")
        entry = trees.entry(path, commit, raw) if place else None
        if entry is None or not entry.is_submodule:
            continue
        _check(name, place, values)
        if place in found:
            raise Fault(f"{FILE} names two submodules at {place!r}")
        is_wanted = values.get("update") != "none"
        found[place] = Submodule(name, place, entry.id, values.get("url", ""), is_wanted)
    return tuple(found.values())


def _check(name: str, path: str, values: Mapping[str, str]) -> None:
    if not name or ".." in re.split(r"[/\\]", name):
        raise Fault(f"{FILE} has a submodule of the name {name!r}, which git refuses, too")
    options = [word for word in _of(values, "url", "path") if word.startswith("-")]
    if options:
        raise Fault(f"{FILE} has {options[0]!r} for the submodule {name!r}: that is an option")
    if values.get("update", "") not in _UPDATES:
        raise Fault(f"{FILE} has update = {values['update']!r} for the submodule {name!r}")


def _of(values: Mapping[str, str], *names: str) -> Iterable[str]:
    return (values.get(name, "") for name in names)
