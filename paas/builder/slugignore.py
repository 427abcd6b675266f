"""`.slugignore`, Heroku's: files of the repository that are in no build and no image.

Lines are patterns as in .gitignore, but none takes back what another one says. The file of the
repository's root counts, and beside it that of the app's own folder, whose patterns begin there.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from buildpacks import output
from buildpacks.findings import Notice, Refused, refuse
from gitserver import trees
from paas.client import ignoring
from paas.client.ignoring import Rule

FILE = ".slugignore"
_FILE_BYTES_MAX = 64 * 1024
_LINES_MAX = 300
_LINE_BYTES_MAX = 512


@dataclass(frozen=True)
class Ignored:
    """`key` stands for what is left out: empty where nothing is."""

    hides: Callable[[bytes], bool]
    key: str = ""
    notices: tuple[Notice, ...] = ()


def _nothing(_path: bytes) -> bool:
    return False


NOTHING = Ignored(_nothing)


def read(repository: Path, commit: str, root: str) -> Ignored:
    """Of a commit, for the app in that folder. Blocks. Raises Refused for a file that is too long
    to be asked about each path."""
    groups: list[list[Rule]] = []
    notices: list[Notice] = []
    digest = hashlib.sha256()
    for folder in dict.fromkeys(("", root)):
        name = f"{folder}/{FILE}".lstrip("/")
        content = _content(repository, commit, name)
        if content is None:
            continue
        base = f"{folder}/".lstrip("/").encode()
        rules = _rules(name, content, base)
        notices += _negated(name, rules)
        groups.append([rule for rule in rules if not rule.negated])
        digest.update(b"%s\0%s\0" % (base, content))
    if not any(groups):
        return Ignored(_nothing, notices=tuple(notices))
    return Ignored(_hiding(groups), digest.hexdigest(), tuple(notices))


def note(ignored: Ignored, left_out: int) -> str:
    """What the developer is told; nothing where there is no such file."""
    said = ""
    if ignored.key:
        files = "1 file" if left_out == 1 else f"{left_out} files"
        said = output.detail(f"{FILE} leaves out {files}")
    for notice in ignored.notices:
        said += output.detail(f"Note: {notice.message}") + output.detail(notice.hint)
    return said


def _content(repository: Path, commit: str, name: str) -> bytes | None:
    try:
        return trees.read_file(repository, commit, name, _FILE_BYTES_MAX)
    except ValueError as error:
        raise _too_long(name, "64 KiB") from error


def _rules(name: str, content: bytes, base: bytes) -> list[Rule]:
    lines = content.splitlines()
    if len(lines) > _LINES_MAX:
        raise _too_long(name, f"{_LINES_MAX} lines")
    if any(len(line) > _LINE_BYTES_MAX for line in lines):
        raise _too_long(name, f"{_LINE_BYTES_MAX} bytes in a line")
    return ignoring.rules(content, base)


def _too_long(name: str, most: str) -> Refused:
    return refuse(
        "slugignore_too_long",
        f"{name} has more than {most}",
        "Name folders instead of files: `docs/` leaves out all that is in it.",
    )


def _negated(name: str, rules: list[Rule]) -> list[Notice]:
    count = sum(rule.negated for rule in rules)
    if not count:
        return []
    lines = "a line that begins" if count == 1 else f"{count} lines that begin"
    message = f"{name}: {lines} with ! does nothing: what one line leaves out no other brings back"
    return [Notice("slugignore_negated", message, "Name what is to be left out more narrowly.")]


def _hiding(groups: list[list[Rule]]) -> Callable[[bytes], bool]:
    """Asked of files; what is known of a folder is kept for all that is in it."""
    folders: dict[bytes, bool] = {b"": False}

    def hides(path: bytes) -> bool:
        above = path.rpartition(b"/")[0]
        return is_hidden(above) or ignoring.is_ignored(path, False, groups)

    def is_hidden(folder: bytes) -> bool:
        parts = folder.split(b"/") if folder else []
        hidden = False
        for end in range(1, len(parts) + 1):
            step = b"/".join(parts[:end])
            if step not in folders:
                folders[step] = hidden or ignoring.is_ignored(step, True, groups)
            hidden = folders[step]
        return hidden

    return hides
