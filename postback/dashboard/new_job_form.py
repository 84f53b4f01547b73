"""A form for a new job, made from what the provider's table says of its model, and what was filled in. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers import PROVIDERS
from providers.jsontext import BadJson, loads
from providers.parameters import Kind, Parameter

PROMPT = "input.prompt"
OTHERS = ("more_input", "more_parameters", "metadata")
"""Fields of further `name=value` lines, and where these go."""

_PLACES = {"more_input": "input", "more_parameters": "parameters", "metadata": "metadata"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `name` is `input.prompt` or `parameters.size`; `options` are what the documents list, if they do."""

    name: str
    label: str
    kind: Kind
    says: str
    default: str
    example: str
    options: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as a request's `input`, `parameters` and `metadata`; `errors` are by field."""

    input: dict[str, Any]
    parameters: dict[str, Any]
    metadata: dict[str, Any]
    errors: dict[str, str]


def fields_of(provider: str, model: str) -> list[Field]:
    """The fields for a model: the prompt, the rest of its input, its parameters, as its table has them."""
    listed = [one for one in PROVIDERS[provider].parameters if one.applies_to(model or "*")]
    first = {(one.place, one.name): _field(one) for one in reversed(listed)}
    first.setdefault(("input", "prompt"), Field(PROMPT, "prompt", Kind.STRING, "What to draw.", "", ""))
    order = [f"{one.place}.{one.name}" for one in listed]
    return sorted(
        first.values(),
        key=lambda one: (
            one.name != PROMPT,
            not one.name.startswith("input."),
            one.name in order and order.index(one.name),
        ),
    )


def fill(fields: Sequence[Field], given: Mapping[str, str]) -> Filled:
    """What was filled in. Empty fields are left out; a value of another kind is left for the check to refuse."""
    request: dict[str, dict[str, Any]] = {"input": {}, "parameters": {}, "metadata": {}}
    errors: dict[str, str] = {}
    for field in fields:
        text = given.get(field.name, "")
        if text.strip():
            place, _, name = field.name.partition(".")
            request[place][name] = _value(field.kind, text)
    for other, place in _PLACES.items():
        try:
            request[place] |= dict(_lines(given.get(other, "")))
        except ValueError as error:
            errors[other] = str(error)
    return Filled(**request, errors=errors)


def beside(pointer: str, fields: Sequence[Field]) -> str | None:
    """The field that a JSON pointer into the request is about; None where the form has none for it."""
    place, _, rest = pointer.lstrip("/").partition("/")
    name = f"{place}.{rest}" if rest else place
    if name in {field.name for field in fields} or name in ("model", "metadata"):
        return name
    return {"input": "more_input", "parameters": "more_parameters", "metadata": "metadata"}.get(place)


def _field(one: Parameter) -> Field:
    return Field(
        f"{one.place}.{one.name}",
        one.name,
        one.kind,
        _says(one),
        _text(one.default),
        _text(one.example),
        ("true", "false") if one.kind is Kind.BOOLEAN else one.choices,
    )


def _says(one: Parameter) -> str:
    about = _range(one.minimum, one.maximum)
    return one.says if about in one.says else f"{one.says} ({about})"


def _range(minimum: float | None, maximum: float | None) -> str:
    if minimum is None:
        return "" if maximum is None else f"at most {maximum:g}"
    return f"{minimum:g} or more" if maximum is None else f"{minimum:g} to {maximum:g}"


def _text(value: str | float | None) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _value(kind: Kind, text: str) -> Any:
    if kind is Kind.STRING:
        return text
    value = _read(text.strip())
    return text if isinstance(value, dict | list) or value is None else value


def _lines(text: str) -> Iterator[tuple[str, Any]]:
    """`name=value` a line. A value that is JSON is that, anything else is a text. Raises ValueError."""
    for number, line in enumerate(text.splitlines(), 1):
        name, separator, value = line.partition("=")
        if line.strip() and not (separator and name.strip()):
            raise ValueError(f"line {number} is not of the form name=value")
        if separator:
            yield name.strip(), _read(value.strip())


def _read(text: str) -> Any:
    try:
        return loads(text.encode("utf-8"))
    except (BadJson, UnicodeEncodeError):
        return text
