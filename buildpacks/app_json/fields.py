"""Values of a JSON document, each known with the path to it: what is wrong is said by that path."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from buildpacks.findings import Refused, refuse

_SHOWN_CHARACTERS = 60
_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number"}


@dataclass(frozen=True)
class Field:
    """`path` is written as in JavaScript: `healthchecks.web[0].path`."""

    path: str
    value: Any

    def object(self) -> "Iterator[Field]":
        """The fields of an object, or nothing for null. Raises Refused for another value."""
        found = self._as(dict) or {}
        return (Field(self._below(name), value) for name, value in found.items())

    def list(self) -> "list[Field]":
        found = self._as(list) or []
        return [Field(f"{self.path}[{at}]", value) for at, value in enumerate(found)]

    def get(self, name: str) -> "Field":
        """A field of an object; its value is None where there is none."""
        found = self._as(dict) or {}
        return Field(self._below(name), found.get(name))

    def text(self) -> str:
        """Empty for null."""
        return self._as(str) or ""

    def scalar(self) -> str | None:
        """A text, or a number or a truth as JSON writes it."""
        if isinstance(self.value, bool | int | float):
            return json.dumps(self.value)
        found: str | None = self._as(str)
        return found

    def truth(self, otherwise: bool) -> bool:
        found = self._as(bool)
        return otherwise if found is None else bool(found)

    def whole(self, most: int) -> int | None:
        """A number from 0 to `most`."""
        if self.value is None:
            return None
        number = self.value
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= most:
            raise self.wrong(f"a whole number from 0 to {most}")
        return number

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    def wrong(self, wanted: str) -> Refused:
        """The refusal that says what should have been there."""
        shown = json.dumps(self.value, ensure_ascii=False)
        shown = shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"
        return refuse(
            "invalid_app_json",
            f"app.json: {self.path} is {shown}, and has to be {wanted}",
            f"Change {self.path} in app.json, or take it out.",
        )

    def _as(self, kind: type) -> Any:
        if self.value is None or type(self.value) is kind:
            return self.value
        raise self.wrong(_KINDS[kind])

    def _below(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name
