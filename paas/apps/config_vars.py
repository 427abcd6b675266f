"""Config vars: what an app's processes find in their environment."""

import re
from collections.abc import Mapping

from paas.apps import routing
from paas.errors import UserError

BYTES_MAX = 64 * 1024
"""All names and values together; an environment has to fit execve(2)."""
NAME_CHARACTERS_MAX = 256
PLATFORM_NAMES = frozenset({"DYNO", "HOME", "NODE_CHANNEL_FD", "PORT"})
"""What the platform itself says to each instance, so that nobody can set it."""
_PLATFORM_PREFIXES = ("__", "SMARTPLATFORM_")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def merge(config: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """The config after the changes; None unsets. Raises UserError for a bad name, value or size."""
    merged = dict(config)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        else:
            check(name, value)
            merged[name] = value
    _check_size(merged)
    return merged


def check(name: str, value: str) -> None:
    """Raises UserError when this can't be a config var; never repeats the value (secret)."""
    if not _NAME.fullmatch(name) or len(name) > NAME_CHARACTERS_MAX:
        raise UserError(
            "invalid_params",
            f"{name[:80]!r} can't name a config var",
            "Use letters, digits and underscores, no digit first.",
        )
    if name in PLATFORM_NAMES or name.startswith(_PLATFORM_PREFIXES):
        raise UserError("invalid_params", f"{name} is set by the platform itself.")
    if not isinstance(value, str):
        raise UserError("invalid_params", f"The value of {name} is not a string.")
    if "\0" in value or not _is_unicode(value):
        raise UserError("invalid_params", f"The value of {name} has a NUL or is not UTF-8.")
    if name == "PATH" and not value.strip(":"):
        raise UserError(
            "invalid_params",
            "An empty PATH would find no program.",
            "Without one of its own an app has the platform's: paas config:unset PATH",
        )
    if name in routing.PAGE_VARS and value and not routing.is_page_url(value):
        raise UserError(
            "invalid_params",
            f"The value of {name} is not the address of a page.",
            "It looks like https://www.example.com/sorry.html; other letters are written as %XX.",
        )


def describe(changes: Mapping[str, str | None]) -> str:
    """The description of the release that the changes make: `Set A, B config vars; remove C …`."""
    parts = []
    for verb, unset in (("Set", False), ("Remove", True)):
        names = [name for name, value in changes.items() if (value is None) is unset]
        if names:
            parts.append(f"{verb} {', '.join(names)} config var{'s' if len(names) > 1 else ''}")
    return "; ".join(parts) or "No change of config vars"


def environment(config: Mapping[str, str], platform: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process: the config with the platform's own variables over it.

    NODE_OPTIONS is both: the platform's first, then the app's, because Node.js lets the later
    option win and runs every `--require` in order. So is PATH, the app's first, because there the
    earlier folder wins; without the platform's no program would be found.
    """
    merged = {**config, **platform}
    paths = (config.get("PATH"), platform.get("PATH"))
    if any(paths):
        merged["PATH"] = ":".join(path for path in paths if path)
    options = (platform.get("NODE_OPTIONS"), config.get("NODE_OPTIONS"))
    if any(options):
        merged["NODE_OPTIONS"] = " ".join(option for option in options if option)
    return merged


def _check_size(config: Mapping[str, str]) -> None:
    size = sum(len(name.encode()) + len(value.encode()) for name, value in config.items())
    if size > BYTES_MAX:
        raise UserError(
            "invalid_params",
            f"The config vars have {size} bytes together; {BYTES_MAX} is the most.",
            "Keep large data in a file of the app or in a database.",
        )


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
