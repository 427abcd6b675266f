"""Which files git would leave out: the rules of `.gitignore` (gitignore(5)). Pure.

Written here because the command needs nothing but Python, and a deploy of a folder no git. What git
says is the judge: the tests ask it about each of thousands of patterns.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_CLASSES = {
    b"alnum": rb"0-9A-Za-z", b"alpha": rb"A-Za-z", b"blank": rb" \t", b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9", b"graph": rb"!-~", b"lower": rb"a-z", b"print": rb" -~",
    b"punct": rb"!-/:-@\[-`{-~", b"space": rb"\s", b"upper": rb"A-Z", b"xdigit": rb"0-9A-Fa-f",
}  # fmt: skip

_SPECIAL = re.compile(rb"[*?\[\\]")


@dataclass(frozen=True)
class Rule:
    """One line. `base` is the folder that its file lies in, `a/b/` or nothing for the root."""

    base: bytes
    expression: re.Pattern[bytes]
    negated: bool
    folders_only: bool
    by_name: bool
    """It has no slash, and so is about names in any folder below."""

    def matches(self, path: bytes, is_folder: bool) -> bool:
        if (self.folders_only and not is_folder) or not path.startswith(self.base):
            return False
        subject = path.rpartition(b"/")[2] if self.by_name else path[len(self.base) :]
        return self.expression.fullmatch(subject) is not None


def rules(content: bytes, base: bytes) -> list[Rule]:
    """Those of one file, in its order. Lines that can match nothing are left out."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [rule for line in lines if (rule := _rule(line.removesuffix(b"\r"), base))]


def is_ignored(path: bytes, is_folder: bool, groups: Iterable[list[Rule]]) -> bool:
    """`groups` are the files' rules, the nearest file first. What lies in an ignored folder is
    ignored, whatever is said of it: that is for who walks to know."""
    for group in groups:
        for rule in reversed(group):
            if rule.matches(path, is_folder):
                return not rule.negated
    return False


def _rule(line: bytes, base: bytes) -> Rule | None:
    line = _without_trailing_spaces(line)
    if not line or line.startswith(b"#"):
        return None
    negated = line.startswith(b"!")
    pattern = line[1:] if negated else line
    folders_only = pattern.endswith(b"/")
    pattern = pattern[:-1] if folders_only else pattern
    by_name = b"/" not in pattern
    expression = _expression(pattern.removeprefix(b"/"))
    if not pattern or expression is None:
        return None
    return Rule(base, expression, negated, folders_only, by_name)


def _without_trailing_spaces(line: bytes) -> bytes:
    """A space that a backslash stands before stays."""
    end = index = 0
    while index < len(line):
        if line[index : index + 1] == b"\\":
            index += 1
            end = min(index + 1, len(line))
        elif line[index : index + 1] != b" ":
            end = index + 1
        index += 1
    return line[:end]


def _expression(pattern: bytes) -> re.Pattern[bytes] | None:
    """git's wildmatch with WM_PATHNAME; None for what matches nothing."""
    parts, index = list[bytes](), 0
    while index < len(pattern):
        byte = pattern[index : index + 1]
        if byte == b"*":
            stars = len(pattern) - index - len(pattern[index:].lstrip(b"*"))
            part, index = _stars(pattern, index, stars)
        elif byte == b"?":
            part, index = b"[^/]", index + 1
        elif byte == b"[":
            found = _bracket(pattern, index + 1)
            if found is None:
                return None
            part, index = found
        elif byte == b"\\":
            if index + 1 == len(pattern):
                return None
            part, index = re.escape(pattern[index + 1 : index + 2]), index + 2
        else:
            part, index = re.escape(byte), index + 1
        parts.append(part)
    return re.compile(_without_retries(parts), re.DOTALL)


_ANY, _DEEP = b"[^/]*", b"(?:.*/)?"


def _without_retries(parts: list[bytes]) -> bytes:
    """The expression of the parts, whose time is that of pattern times path: a hostile `*a*a*a*b`
    would take for ever otherwise.

    What stands between two stars is taken where it comes first: whatever could follow a later place
    can follow that one as well. Only the last star of a name, and the last `**/`, try on.
    """
    *deep, last = _split(parts, _DEEP)
    first = [b"(?>" + _names(deep[0]) + b")"] if deep else []
    between = [b"(?>(?:.*?/)??" + _names(group) + b")" for group in deep[1:]]
    return b"".join((*first, *between, _DEEP if deep else b"", _names(last)))


def _names(parts: list[bytes]) -> bytes:
    return b"/".join(_name(name) for name in _split(parts, b"/"))


def _name(parts: list[bytes]) -> bytes:
    first, *others = (b"".join(group) for group in _split(parts, _ANY))
    if not others:
        return first
    between = [b"(?>[^/]*?" + piece + b")" for piece in others[:-1] if piece]
    return b"".join((first, *between, _ANY, others[-1]))


def _split(parts: list[bytes], at: bytes) -> list[list[bytes]]:
    groups: list[list[bytes]] = [[]]
    for part in parts:
        if part == at:
            groups.append([])
        else:
            groups[-1].append(part)
    return groups


def _stars(pattern: bytes, index: int, count: int) -> tuple[bytes, int]:
    """`**` between slashes is any number of folders; every other run of stars is one star.

    git compares what stands before the first special byte by itself, and then takes a `**` there
    for one at the beginning: `a**/b` means `ab` as well.
    """
    after = index + count
    opens = not _SPECIAL.search(pattern, 0, index) or pattern[index - 1 : index] == b"/"
    if count < 2 or not opens:
        return b"[^/]*", after
    if after == len(pattern) or pattern.startswith(b"\\/", after):
        return b".*", after
    return (b"(?:.*/)?", after + 1) if pattern.startswith(b"/", after) else (b"[^/]*", after)


def _bracket(pattern: bytes, index: int) -> tuple[bytes, int] | None:
    """The expression of `[…]`, and where it ends; None where it never does."""
    negated = pattern[index : index + 1] in (b"!", b"^")
    index += negated
    items: list[bytes] = []
    first = True
    while first or pattern[index : index + 1] != b"]":
        if index >= len(pattern):
            return None
        first = False
        if pattern.startswith(b"[:", index):
            end = pattern.find(b"]", index)
            if end < 0:
                return None
            if pattern[end - 1 : end] == b":" and end - 1 > index + 1:
                name = pattern[index + 2 : end - 1]
                if name not in _CLASSES:
                    return None
                items.append(_CLASSES[name])
                index = end + 1
                continue
        found = _item(pattern, index)
        if found is None:
            return None
        item, index = found
        items.append(item)
    inside = b"".join(items)
    if negated:
        return b"[^/" + inside + b"]", index + 1
    return (b"(?!/)[" + inside + b"]" if inside else b"(?!)"), index + 1


def _item(pattern: bytes, index: int) -> tuple[bytes, int] | None:
    """A byte or a range of them."""
    low = _byte(pattern, index)
    if low is None:
        return None
    low_byte, index = low
    if pattern[index : index + 1] != b"-" or pattern[index + 1 : index + 2] in (b"]", b""):
        return _hex(low_byte), index
    high = _byte(pattern, index + 1)
    if high is None:
        return None
    high_byte, index = high
    # A range that runs backwards has nothing in it; git takes its first byte all the same.
    span = _hex(low_byte) + b"-" + _hex(high_byte) if low_byte <= high_byte else _hex(low_byte)
    return span, index


def _byte(pattern: bytes, index: int) -> tuple[bytes, int] | None:
    if pattern[index : index + 1] == b"\\":
        index += 1
    byte = pattern[index : index + 1]
    return (byte, index + 1) if byte else None


def _hex(byte: bytes) -> bytes:
    return b"\\x%02x" % byte[0]
