"""`_redirects`, as Netlify and others read it: `from to [status][!]` a line.

Understood: exact paths, `*` at the end (`:splat`), `:placeholders`; 301, 302, 303, 307, 308 to a
path or an address; 200 (another file is shown) and 404 (another page for what is missing); `!`, by
which a rule goes before a file. What else there is (proxies, conditions of country, language,
cookies and parameters, rules for one host) is left out, and named.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from buildpacks.findings import Notice
from buildpacks.static.quoting import literal, quoted

_RULES_MAX = 500
_CHARACTERS_MAX = 1000
_SHOWN_MAX = 5
_MOVED = frozenset((301, 302, 303, 307, 308))
_PART = re.compile(r":[A-Za-z]\w*|\*")
_ADDRESS = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class Rule:
    """`pattern` is the path's, with named groups; `target` has them as variables."""

    number: int
    pattern: str
    target: str
    status: int
    is_forced: bool = False

    @property
    def moves(self) -> bool:
        return self.status in _MOVED

    @property
    def is_missing(self) -> bool:
        return self.status == 404


def read(text: str) -> tuple[list[Rule], list[Notice]]:
    """The rules in their order, and what is said of lines that are left out."""
    rules: list[Rule] = []
    left_out: list[str] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.split(r"(?:^|\s)#", raw.strip(), maxsplit=1)[0].strip()
        if not line:
            continue
        rule = _rule(line, len(rules) + 1) if len(rules) < _RULES_MAX else None
        if rule is None:
            left_out.append(f"line {number}: {line[:80]}")
        else:
            rules.append(rule)
    return rules, _notices("_redirects", left_out)


def maps(rules: Sequence[Rule], nowhere: str, missing: str) -> Iterator[str]:
    """Which rule a path has ($rule, $forced), and what it shows ($rewritten, $missing_page).

    `/* /index.html 200` is for pages: to a browser with an older page a script that is gone would
    be that page, with success, and kept as the script.
    """
    for variable, wanted in (("$rule", False), ("$forced", True)):
        yield f"map $visited {variable} {{"
        for rule in rules:
            if not wanted or rule.is_forced:
                yield f"{quoted(f'~{rule.pattern}')} {rule.number};"
        yield "default 0;"
        yield "}"
    yield 'map "$rule $asset" $rewritten {'
    for rule in rules:
        if rule.status == 200:
            yield f"{quoted(f'{rule.number} 0')} {quoted(rule.target)};"
            if not rule.target.endswith(".html"):
                yield f"{quoted(f'{rule.number} 1')} {quoted(rule.target)};"
    yield f"default {nowhere};"
    yield "}"
    yield "map $rule $missing_page {"
    for rule in rules:
        if rule.is_missing:
            yield f"{rule.number} {quoted(rule.target)};"
    yield f"default {missing or nowhere};"
    yield "}"


def forced(rules: Sequence[Rule]) -> Iterator[str]:
    """In the server: before any file is looked for."""
    for rule in rules:
        if rule.is_forced and rule.moves:
            yield f"if ($forced = {rule.number}) {{ {_return(rule)} }}"
        elif rule.is_forced and rule.status == 200:
            yield f"if ($forced = {rule.number}) {{ rewrite ^ {quoted(rule.target)} break; }}"
        elif rule.is_forced:
            yield f"if ($forced = {rule.number}) {{ return 404; }}"


def returns(rules: Sequence[Rule]) -> Iterator[str]:
    """Where no file was found."""
    for rule in rules:
        if rule.moves and not rule.is_forced:
            yield f"if ($rule = {rule.number}) {{ {_return(rule)} }}"


def _return(rule: Rule) -> str:
    query = "" if "?" in rule.target else "$is_args$args"
    return f"return {rule.status} {quoted(rule.target + query)};"


def _rule(line: str, number: int) -> Rule | None:
    words = line.split()
    if len(words) == 2:
        words.append("301")
    if len(words) != 3 or len(line) > _CHARACTERS_MAX:
        return None
    path, target, status_text = words
    status = re.fullmatch(r"(\d{3})(!?)", status_text)
    is_address = bool(_ADDRESS.fullmatch(target))
    if status is None or not path.startswith("/") or not (is_address or target.startswith("/")):
        return None
    code = int(status.group(1))
    if code not in (*_MOVED, 200, 404) or (is_address and code not in _MOVED):
        return None
    pattern, names = _pattern(path, number)
    return Rule(number, pattern, _target(target, names), code, bool(status.group(2)))


def _pattern(path: str, number: int) -> tuple[str, dict[str, str]]:
    """As a regular expression; and its groups by the words that stand for them in a target.

    What a splat takes never begins with a slash: `/old/* /:splat` would else lead to other hosts.
    """
    names: dict[str, str] = {}
    built = ""
    rest = path.rstrip("/") or "/"
    if rest.endswith("/*"):
        rest, names[":splat"] = rest.removesuffix("/*"), f"r{number}_0"
    position = 0
    for match in _PART.finditer(rest):
        built += re.escape(rest[position : match.start()])
        position = match.end()
        word = ":splat" if match.group() == "*" else match.group()
        taken = ".*" if word == ":splat" else "[^/]+"
        built += taken if word in names else f"(?<r{number}_{len(names)}>{taken})"
        names.setdefault(word, f"r{number}_{len(names)}")
    built += re.escape(rest[position:])
    if path.rstrip("/").endswith("/*"):
        return f"^{built}(?:/+(?<r{number}_0>(?:[^/].*)?))?$", names
    return f"^{built}/?$", names


def _target(target: str, names: dict[str, str]) -> str:
    words = sorted(names, key=len, reverse=True)
    found = literal(target)
    for word in words:
        found = found.replace(word, f"${{{names[word]}}}")
    return found


def _notices(file: str, left_out: Sequence[str]) -> list[Notice]:
    if not left_out:
        return []
    shown = "\n".join(left_out[:_SHOWN_MAX])
    more = len(left_out) - _SHOWN_MAX
    message = f"{file} is not understood in part, and this is left out:\n{shown}"
    message += f"\nand {more} more lines" if more > 0 else ""
    hint = "Understood are: /from /to [301|302|303|307|308|200|404][!], * and :placeholders."
    return [Notice("redirects_left_out", message, hint)]
