"""`postback submit --parameters`: what the documents say of each field of a model."""

import shlex
from dataclasses import asdict

import typer

from postback.cli import output
from providers import PROVIDERS, choose
from providers.parameters import Kind, Parameter

_OPTIONS = {"prompt": "PROMPT", "size": "--size", "n": "--n", "count": "--n", "seed": "--seed", "steps": "--steps"}
_OPTIONS |= {"image_url": "--image-url"}


def explain(model: str, provider: str | None, as_json: bool) -> None:
    """Prints the model's documented fields: how each is given, its type, what it takes and what it is for."""
    chosen = choose(model) if provider is None else PROVIDERS.get(provider)
    if chosen is None and provider is not None:
        names = " or ".join(PROVIDERS)
        raise typer.BadParameter(f"there is no provider {provider}; write {names}", param_hint="--provider")
    if chosen is None:
        known = ", ".join(model for provider in PROVIDERS.values() for model in provider.models)
        raise typer.BadParameter(
            f"{model} is in no provider's documents; name one with --provider. Known are {known}",
            param_hint="--parameters",
        )
    fields = [parameter for parameter in chosen.parameters if parameter.applies_to(model)]
    if as_json:
        output.print_json([asdict(field) for field in fields])
        return
    columns = {"GIVEN AS": "given", "TYPE": "kind", "DEFAULT": "default", "TAKES": "takes", "SAYS": "says"}
    output.print_table(columns, [{**asdict(field), "given": _given(field), "takes": _takes(field)} for field in fields])
    output.say(f"{model} at {chosen.name}. Any other field is passed on as it is; the provider judges.")


def _given(field: Parameter) -> str:
    option = "--input" if field.place == "input" else "-p"
    example = f"{field.example}".lower() if field.kind is Kind.BOOLEAN else field.example
    pair = f"{field.name}={'…' if field.example is None else shlex.quote(str(example))}"
    return _OPTIONS.get(field.name, f"{option} {pair}")


def _takes(field: Parameter) -> str | None:
    if field.range_says or field.choices:
        return field.range_says or ", ".join(field.choices)
    least, most = ("" if bound is None else f"{bound:g}" for bound in (field.minimum, field.maximum))
    return f"{least}…{most}" if least or most else None
