"""`postback migrate`: bring the database to this version."""

from typing import Annotated

import typer

from postback.cli.output import say
from postback.cli.serve import plain_errors
from postback.cli.session import session_of


def migrate(
    context: typer.Context,
    database_url: Annotated[str | None, typer.Option(help="Which database (POSTBACK_DATABASE_URL).")] = None,
) -> None:
    """Bring the database to this version.

    `postback serve` does so by itself, unless POSTBACK_AUTO_MIGRATE=0 leaves it to you.
    """
    settings = session_of(context).settings(database_url=database_url)
    from postback.serve import migrate as bring_up_to_date

    with plain_errors():
        bring_up_to_date(settings)
    say("The database is up to date.")
