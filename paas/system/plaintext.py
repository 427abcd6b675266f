"""Makes text that somebody else wrote harmless for a terminal: the one filter of logs, of what a
push prints and of what commands show.

Apps, builds and their authors print whatever they like. Of control characters tabs, line feeds and
colours stay: nothing can move the cursor, write the clipboard, set a title or pass for another
line. A colour ends with its line at the latest, so that it can't hide what comes after.
"""

import re
from collections.abc import Awaitable, Callable

_COLOUR = r"\x1b\[[0-9;:]{0,32}m"
_HARMFUL = "\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""C0 and C1 but for tab and line feed, and what changes a line's direction or ends it."""

_ALL = re.compile(f"[{_HARMFUL}]")
_ALL_BUT_COLOURS = re.compile(f"({_COLOUR})|[{_HARMFUL}]")
_RESET = "\x1b[0m"
_ENDS = ("\x1b[m", _RESET)


def plain(text: str) -> str:
    """`text` without control characters; tabs and line feeds stay."""
    return _ALL.sub("\N{REPLACEMENT CHARACTER}", text)


def plain_but_colours(text: str) -> str:
    """The same, but colours stay until the end of their line."""
    if not _ALL.search(text):
        return text
    return "\n".join(map(_line, text.split("\n")))


def harmless(write: Callable[[str], Awaitable[None]]) -> Callable[[str], Awaitable[None]]:
    """A writer of text like `write`, which is given it so."""

    async def write_harmless(text: str) -> None:
        await write(plain_but_colours(text))

    return write_harmless


def escaped(json_text: str) -> str:
    """JSON that means the same, with such characters written as `\\uXXXX`."""
    return _ALL.sub(lambda match: f"\\u{ord(match[0]):04x}", json_text)


def _line(line: str) -> str:
    found = [match[1] for match in _ALL_BUT_COLOURS.finditer(line) if match[1]]
    text = _ALL_BUT_COLOURS.sub(lambda match: match[1] or "\N{REPLACEMENT CHARACTER}", line)
    return text + _RESET if found and found[-1] not in _ENDS else text
