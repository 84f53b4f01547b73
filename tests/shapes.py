"""Every shape of the HTTP API as Markdown, from its OpenAPI description: what `docs/fields.md` holds."""

import json
import re
from collections.abc import Iterator
from typing import Any

from postback.api.openapi import describe

_REF = "#/components/schemas/"


def written() -> str:
    """A section for each shape: what it is, where it goes in or comes out, and its fields."""
    description = describe()
    calls = list(_calls(description))
    shapes = description["components"]["schemas"].items()
    return "\n\n".join(_section(name, shape, calls) for name, shape in sorted(shapes) if shape.get("properties"))


def _section(name: str, shape: dict[str, Any], calls: list[tuple[str, str, Any]]) -> str:
    lines = [f"### {name}", _sentence(shape.get("description", "")), _where(name, calls)]
    needed = shape.get("required", ()) if shape.get("additionalProperties") is False else ()
    rows = [_row(field, says, field in needed) for field, says in shape["properties"].items()]
    table = "\n".join(["| field | is | says |", "| --- | --- | --- |", *rows])
    return "\n\n".join([*filter(None, lines), table])


def _calls(description: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Each place where a shape goes in or comes out: `takes` or `answers`, the call, and what it says of it."""
    for path, methods in description["paths"].items():
        for method, call in methods.items():
            name = f"`{method.upper()} {path}`"
            yield "takes", name, call.get("requestBody")
            yield (
                "answers",
                name,
                {status: says for status, says in call["responses"].items() if status.startswith("2")},
            )


def _where(name: str, calls: list[tuple[str, str, Any]]) -> str:
    ref = json.dumps(_REF + name)
    found = {verb: [call for kind, call, says in calls if kind == verb and ref in json.dumps(says)] for verb in _VERBS}
    return " ".join(f"{_VERBS[verb]} {', '.join(names)}." for verb, names in found.items() if names)


_VERBS = {"takes": "Body of", "answers": "Answer of"}


def _row(field: str, says: dict[str, Any], needed: bool) -> str:
    told = _sentence(says.get("description", ""))
    default = says.get("default")
    rest = ", needed" if needed else "" if default is None else f", else {json.dumps(default)}"
    kind = _kind(says).replace("|", "\\|") + rest
    return f"| `{field}` | {kind} | {told.replace('|', chr(92) + '|')} |"


def _kind(schema: dict[str, Any]) -> str:
    """What a value may be, in words."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return f"[{name}](#{name.lower()})"
    if options := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(_kind(option) for option in options))
    if values := schema.get("enum"):
        return ", ".join(f"`{value}`" for value in values)
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = str(schema.get("type", "any JSON"))
    if kind == "array":
        return f"array of {_kind(schema.get('items', {}))}"
    return kind + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" from {least} to {most}"
    return f" from {least}" if least is not None else f" to {most}" if most is not None else ""


def _sentence(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
