"""The words of a command line of `vmadm` or `imgadm`: options stand wherever SmartOS takes them.
them.

Pure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paas.node.commands.manual import BY_NAME, EVERYWHERE, Command, Option

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class Usage(Exception):
    """Wrong usage: exit status 2, with the message first and the usage after it."""


@dataclass
class Words:
    """What was typed: the command as it was called, options by their long names, and the rest."""

    name: str
    command: Command
    options: dict[str, str] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)
    everywhere: Sequence[Option] = EVERYWHERE

    def uuid(self) -> str:
        """Taken from the rest. Raises Usage."""
        if self.rest and _UUID.fullmatch(self.rest[0]):
            return self.rest.pop(0).lower()
        raise Usage(f"Invalid or missing UUID for {self.name}")

    def no_more(self) -> None:
        if self.rest:
            raise Usage("Too many arguments.")

    def one(self) -> str:
        """The last word, which must be there."""
        if len(self.rest) != 1:
            raise Usage(f'Wrong number of parameters to "{self.name}"')
        return self.rest[0]

    def assignments(self) -> list[tuple[str, str]]:
        """`key=value` words."""
        found = []
        for word in self.rest:
            key, equals, value = word.partition("=")
            if not equals:
                raise Usage(f"Bad arguments: unable to split {word}")
            found.append((key, value))
        return found


def parse(
    words: Sequence[str],
    by_name: Mapping[str, Command] = BY_NAME,
    everywhere: Sequence[Option] = EVERYWHERE,
) -> Words:
    """Raises Usage."""
    if not words:
        raise Usage("")
    if words[0] not in by_name:
        raise Usage(f'Invalid command: "{words[0]}".')
    found = Words(words[0], by_name[words[0]], everywhere=everywhere)
    left = list(words[1:])
    while left:
        word = left.pop(0)
        if word == "--":
            found.rest += left
            break
        if not word.startswith("-") or word == "-":
            found.rest.append(word)
        elif word.startswith("--"):
            _long(found, word[2:], left)
        elif found.name == "kill" and not _option(found, word[1]):
            found.options["signal"] = word[1:]
        else:
            _short(found, word[1:], left)
    return found


def _long(found: Words, text: str, left: list[str]) -> None:
    word, equals, value = text.partition("=")
    for option in (*found.command.options, *found.everywhere):
        if option.word == word:
            given = value if equals else (_value(option, left) if option.value else "")
            found.options[option.word] = given
            return
    raise Usage(f"Invalid option for {found.name}: --{word}")


def _short(found: Words, letters: str, left: list[str]) -> None:
    """`-pH`, `-o uuid`, `-ouuid`."""
    while letters:
        option = _option(found, letters[0])
        if option is None:
            raise Usage(f"Invalid option for {found.name}: -{letters[0]}")
        if option.value:
            found.options[option.word] = letters[1:] or _value(option, left)
            return
        found.options[option.word] = ""
        letters = letters[1:]


def _value(option: Option, left: list[str]) -> str:
    if not left:
        raise Usage(f"Option -{option.letter} needs a value: {option.value}")
    return left.pop(0)


def _option(found: Words, letter: str) -> Option | None:
    for option in (*found.command.options, *found.everywhere):
        if option.letter == letter:
            return option
    return None
