"""The Procfile: `type: command` a line, as Heroku reads it; `#` begins a line of comment."""

import re

from buildpacks.findings import refuse
from buildpacks.nodejs import text
from buildpacks.tree import Tree

FILE_BYTES_MAX = 64 * 1024
_FORM = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,29})\s*:\s*(\S.*)")


def read(tree: Tree) -> dict[str, str] | None:
    """The commands by process type; None without a Procfile. Raises Refused as `parse` does."""
    content = tree.read("Procfile", FILE_BYTES_MAX)
    return None if content is None else parse(content)


def misnamed(tree: Tree) -> str:
    """A file of the root that is meant to be one: `procfile`, or `Procfile.txt` as editors of
    Windows save it."""
    forms = ("procfile", "procfile.txt", "procfile.yml", "procfile.yaml")
    return next((name for name in tree.names() if name.lower() in forms and name != "Procfile"), "")


def parse(content: bytes) -> dict[str, str]:
    """In the file's order. Raises Refused with the number of the first line that can't be read."""
    commands: dict[str, str] = {}
    for number, raw in enumerate(text.decode(content).splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        type_, command = _line(line, number)
        if type_ in commands:
            message = f"Procfile, line {number}: {type_} is declared a second time"
            raise refuse("invalid_procfile", message, "Remove or rename one of the two.")
        commands[type_] = command
    return commands


def _line(line: str, number: int) -> tuple[str, str]:
    match = _FORM.fullmatch(line)
    if match is None or "\0" in line:
        raise refuse(
            "invalid_procfile",
            f"Procfile, line {number}: {line[:80]!r} is no process type",
            "Each line is `type: command`, e.g. web: node server.js",
        )
    return match.group(1), match.group(2)
