"""Finding machines by their properties: dotted paths, and values as text. Pure."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any


def value(vm: Mapping[str, Any], path: str) -> Any:
    """A property by its dotted path (`nics.0.ip`, `tags.role`); None when it is not there."""
    found: Any = vm
    parts = path.split(".")
    for number, part in enumerate(parts):
        if isinstance(found, Mapping):
            rest = ".".join(parts[number:])
            if rest in found:  # Keys of tags and metadata may have dots themselves.
                return found[rest]
            found = found.get(part)
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def text(found: Any) -> str:
    """As it is shown and compared: `true` and JSON, not Python's words."""
    if isinstance(found, bool):
        return str(found).lower()
    return json.dumps(found) if isinstance(found, (dict, list)) else str(found)


def test(path: str, wanted: Any) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a machine has this property; `~…` is a regular expression. Raises re.error.

    `nics.*.ip` is that of any of them; what is not there is no value.
    """
    if isinstance(wanted, str) and wanted.startswith("~"):
        pattern = re.compile(wanted[1:])
        return lambda vm: any(pattern.search(text(found)) for found in _values(vm, path))
    return lambda vm: any(text(found) == text(wanted) for found in _values(vm, path))


def _values(vm: Mapping[str, Any], path: str) -> Iterator[Any]:
    """Those that the path stands for, without None."""
    before, star, after = path.partition(".*")
    found = value(vm, before if star else path)
    if not star:
        if found is not None:
            yield found
    elif isinstance(found, list):
        for number in range(len(found)):
            yield from _values(vm, f"{before}.{number}{after}")
