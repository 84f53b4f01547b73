"""Judging an order against the documented parameters: shape and type are problems, the rest are warnings."""

from collections.abc import Iterable, Mapping
from typing import Any

from providers.jsontext import dumps
from providers.parameters import Parameter
from providers.protocol import Check, Order, Problem

MAX_MODEL_NAME = 200


def joined(*checks: Check) -> Check:
    """Several verdicts as one, with one problem for each field: the first."""
    problems: dict[str, Problem] = {}
    for check in checks:
        for problem in check.problems:
            problems.setdefault(problem.pointer, problem)
    return Check(tuple(problems.values()), tuple(warning for check in checks for warning in check.warnings))


def check_order(order: Order, parameters: Iterable[Parameter], *, flat: bool = False) -> Check:
    """What every provider asks of an order: a model name, JSON values, documented fields of their type.

    `flat`: the provider sends input and parameters in one object, so it does not matter where a field stands.
    """
    problems: list[Problem] = []
    warnings: list[str] = []
    if not order.model.strip() or len(order.model) > MAX_MODEL_NAME or not order.model.isprintable():
        problems.append(Problem("/model", f"must be 1 to {MAX_MODEL_NAME} printable characters"))
    for parameter in parameters:
        if not parameter.applies_to(order.model):
            continue
        for place, fields in (("input", order.input), ("parameters", order.parameters)):
            if parameter.name not in fields:
                continue
            if place != parameter.place and not flat:
                warnings.append(f"{parameter.name} stands in {place}; the documents have it in {parameter.place}.")
            value = fields[parameter.name]
            if problem := parameter.problem(value):
                problems.append(Problem(f"/{place}/{parameter.name}", problem))
            elif warning := parameter.warning(value):
                warnings.append(warning)
    problems.extend(_unwritable(order))
    return Check(tuple(problems), tuple(warnings))


def require_text(fields: Mapping[str, Any], name: str) -> tuple[Problem, ...]:
    """A problem unless the input `fields` hold a string of that name that is more than white space."""
    value = fields.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return (Problem(f"/input/{name}", "is required"),)
    return () if isinstance(value, str) else (Problem(f"/input/{name}", "must be a string"),)


def _unwritable(order: Order) -> tuple[Problem, ...]:
    for pointer, fields in (("/input", order.input), ("/parameters", order.parameters)):
        try:
            dumps(dict(fields))
        except (TypeError, ValueError, RecursionError):
            return (Problem(pointer, "cannot be written as JSON text in UTF-8"),)
    return ()
