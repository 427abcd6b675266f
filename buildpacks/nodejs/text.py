"""Text files of a tree in the encodings that editors and shells give them.

PowerShell writes UTF-16 when output is redirected into a file. What only the platform reads is read
all the same; what npm reads as well has to be UTF-8, because npm would fail on it later.
"""

import re

from buildpacks.findings import Refused, refuse

_CONFLICT = re.compile(rb"^<{7} .*?^={7}\r?$", re.MULTILINE | re.DOTALL)
_SIDES = r"^<{7} [^\n]*\n(.*?)(?:^\|{7}[^\n]*\n.*?)?^={7}\r?\n.*?^>{7} [^\n]*\n"
"""For perl: a conflict, the upper side in $1; with the common ancestor between both or not."""
_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def decode(content: bytes) -> str:
    """Without its mark; whatever can't be read becomes U+FFFD."""
    encoding = _utf16(content)
    text = content.decode(encoding or "utf-8", errors="replace")
    return text.removeprefix("\ufeff")


def refuse_utf16(path: str, content: bytes) -> None:
    """Raises Refused when the file is UTF-16."""
    if _utf16(content):
        raise utf16(path)


def refuse_conflict(path: str, content: bytes, mend: str = "") -> None:
    """Raises Refused when git's marks of a merge that nobody has finished stand in the file.

    `mend` is a command that resolves them by itself; else the hint keeps the upper side of each.
    """
    if not _CONFLICT.search(content):
        return
    line = content[: content.index(b"<<<<<<< ")].count(b"\n") + 1
    upper = f"perl -0pi -e 's/{_SIDES}/$1/gms' {path}"
    raise refuse(
        "merge_conflict",
        f"{path}, line {line}: the conflict of a merge stands in the file",
        ("" if mend else "Keep one side of each; the upper one: ")
        + f"{mend or upper} && git add {path} && git commit -m 'Resolve the conflict'",
    )


def utf16(path: str) -> Refused:
    return refuse(
        "utf16",
        f"{path} is UTF-16 text, as PowerShell writes it; npm needs UTF-8",
        f"iconv -f UTF-16 -t UTF-8 {path} > utf8 && mv utf8 {path} && git add {path} && "
        f"git commit -m 'Use UTF-8'\n"
        f"(in PowerShell: (Get-Content {path}) | Set-Content -Encoding utf8 {path})",
    )


def _utf16(content: bytes) -> str:
    """The encoding, if it is one of UTF-16's. Without a mark, ASCII gives itself away by NULs."""
    marked = _MARKS.get(content[:2], "")
    if marked or len(content) < 4:
        return marked
    if content[1:4:2] == b"\0\0" and b"\0" not in content[0:4:2]:
        return "utf-16-le"
    return "utf-16-be" if content[0:4:2] == b"\0\0" and b"\0" not in content[1:4:2] else ""
