"""`postback config`: every setting, its value and where it comes from."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from postback.cli import output
from postback.cli.options import Json
from postback.cli.session import Session, session_of

if TYPE_CHECKING:
    from postback.settings import Settings


def config(context: typer.Context, as_json: Json = False) -> None:
    """Show every setting, its value and its origin. Secrets are not shown."""
    session = session_of(context)
    rows = list(describe(session.settings(), session))
    if as_json:
        output.print_json(rows)
    else:
        output.print_table({"VARIABLE": "variable", "VALUE": "value", "ORIGIN": "origin"}, rows)


def describe(settings: "Settings", session: Session) -> Iterator[dict[str, Any]]:
    """`{variable, value, origin, accepts}` for each setting; values as they would be written, secrets as stars."""
    from postback.setting_types import REDACTED
    from postback.settings import origin

    generated = {"api_key": settings.api_key_file, "secret_keys": settings.secret_keys_file}
    for name, value in settings.model_dump(mode="json").items():
        field = type(settings).model_fields[name]
        source: str = origin(name, session.flags)
        if value is None and name in generated and generated[name].exists():
            value, source = REDACTED, "generated"
        yield {"variable": field.validation_alias, "value": value, "origin": source, "accepts": field.description}
