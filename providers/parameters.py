"""A documented parameter: its type, its usual values and what it is for, as data.

Checks, command-line help, OpenAPI examples and forms all read the same rows. A wrong type is a problem; a value
outside the documents' range only warns, because the provider may accept more than its documents say.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Literal

_IDEOGRAPH = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(f"[{_IDEOGRAPH}]|[^\\s{_IDEOGRAPH}]+")


class Kind(StrEnum):
    """The JSON type of a value, in JSON Schema's words."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One documented field of an order.

    `models` are name patterns (`fnmatch`). `choices`, `pattern` (a whole-string regular expression), `minimum`,
    `maximum` and `max_words` are what the documents say; `range_says` puts the first two or the range in words.
    With `firm`, a value below `minimum` or above `maximum` is a problem instead of a warning.
    """

    name: str
    place: Literal["input", "parameters"]
    kind: Kind
    says: str
    models: tuple[str, ...] = ("*",)
    default: str | int | float | bool | None = None
    example: str | int | float | bool | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    minimum: float | None = None
    maximum: float | None = None
    max_words: int | None = None
    range_says: str = ""
    firm: bool = False

    @property
    def pointer(self) -> str:
        return f"/{self.place}/{self.name}"

    def applies_to(self, model: str) -> bool:
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    def problem(self, value: Any) -> str | None:
        """Why this value cannot be sent; None where it can."""
        if not _is(self.kind, value):
            return f"must be {_ARTICLE[self.kind]}, not {_kind_name(value)}"
        if isinstance(value, str) and "\x00" in value:
            return "must not hold a NUL character"
        if self.firm and self._out_of_range(value):
            return f"must be {self._range()}"
        return None

    def warning(self, value: Any) -> str | None:
        """How this value, of the right type, differs from what the documents list; None where it does not."""
        if self.max_words is not None and (words := len(_WORD.findall(value))) > self.max_words:
            return f"{self.name} has {words} words; the provider cuts off what exceeds {self.max_words}."
        unlisted = (self.choices and value not in self.choices) or (
            self.pattern and not re.fullmatch(self.pattern, value)
        )
        if unlisted or self._out_of_range(value):
            return f"{self.name} {_short(value)} is outside what the documents list ({self._range()})."
        return None

    def _out_of_range(self, value: Any) -> bool:
        return (self.minimum is not None and value < self.minimum) or (
            self.maximum is not None and value > self.maximum
        )

    def _range(self) -> str:
        if self.range_says:
            return self.range_says
        if self.choices:
            return ", ".join(self.choices)
        if self.maximum is None:
            return f"{self.minimum:g} or more"
        if self.minimum is None:
            return f"at most {self.maximum:g}"
        return f"{self.minimum:g} to {self.maximum:g}"


_ARTICLE = {
    Kind.STRING: "a string",
    Kind.INTEGER: "an integer",
    Kind.NUMBER: "a number",
    Kind.BOOLEAN: "true or false",
}


def _is(kind: Kind, value: Any) -> bool:
    if kind is Kind.STRING:
        return isinstance(value, str)
    if kind is Kind.BOOLEAN or isinstance(value, bool):
        return kind is Kind.BOOLEAN and isinstance(value, bool)
    return isinstance(value, int) or (kind is Kind.NUMBER and isinstance(value, float))


def _kind_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, (int, float)):
        return "a number"
    return "an array" if isinstance(value, (list, tuple)) else "an object"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
