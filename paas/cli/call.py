"""What was typed, and what a command needs to answer it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from paas.errors import UserError

if TYPE_CHECKING:
    from paas.client.api import Client
    from paas.settings import Settings


@dataclass(frozen=True)
class Parsed:
    command: str
    arguments: list[str]
    options: dict[str, str]
    flags: frozenset[str]
    repeated: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Call:
    """What was typed, and, made when first asked for: settings, client, the app."""

    def __init__(self, parsed: Parsed, environment: Mapping[str, str]) -> None:
        self.command = parsed.command
        self.arguments = parsed.arguments
        self.options = parsed.options
        self.flags = parsed.flags
        self.repeated = parsed.repeated
        self.environment = environment

    @property
    def json(self) -> bool:
        return "json" in self.flags

    def number(self, name: str, default: int, least: int = 1, most: int = 100_000) -> int:
        text = self.options.get(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise usage(self.command, f"--{name} is a number from {least} to {most}, not {text!r}.")
        return int(text)

    @cached_property
    def settings(self) -> "Settings":
        from paas.settings import load

        return load(self.environment)

    @cached_property
    def client(self) -> "Client":
        from paas.client.api import Client
        from paas.client.endpoint import find_endpoint

        return Client(find_endpoint(self.settings, self.environment))

    @cached_property
    def app(self) -> str:
        """The app's name: `-a`, `PAAS_APP`, the git remote of this folder, or the only app."""
        named = self.options.get("app") or self.environment.get("PAAS_APP")
        if named:
            return named
        from paas.cli.which import app_name

        return app_name(self.options.get("remote"), lambda: self.client)


def usage(command: str, message: str) -> UserError:
    return UserError("usage", message, f"See `paas {command} --help`.")
