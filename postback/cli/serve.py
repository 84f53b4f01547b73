"""`postback serve`: run the server."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from postback.cli.errors import CommandFailed
from postback.cli.options import read_commas
from postback.cli.session import session_of


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on (POSTBACK_HOST).")] = None,
    port: Annotated[str | None, typer.Option(metavar="PORT", help="Port to listen on (POSTBACK_PORT).")] = None,
    roles: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="ROLE",
            help="receiver, api, dispatcher or forwarder; repeated or with commas; all if not given.",
        ),
    ] = None,
    database_url: Annotated[str | None, typer.Option(help="Where to remember (POSTBACK_DATABASE_URL).")] = None,
    public_url: Annotated[str | None, typer.Option(help="What providers can reach (POSTBACK_PUBLIC_URL).")] = None,
) -> None:
    """Run the server.

    Everything in one process, or with --role some of it.
    """
    with _uncollected():
        from postback.house import ROLES

        chosen = frozenset(read_commas(roles or ())) or ROLES
        if unknown := chosen - ROLES:
            told = f"{', '.join(sorted(unknown))} is none of {', '.join(sorted(ROLES))}"
            raise typer.BadParameter(told, param_hint="--role")
        settings = session_of(context).settings(host=host, port=port, database_url=database_url, public_url=public_url)
        from postback.serve import run

        with plain_errors():
            run(settings, chosen)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for garbage: what a start loads is none, and the looking would take a tenth of it. Once it has
    started, the server looks again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def plain_errors() -> Iterator[None]:
    """Ends the command with the message of what the ledger says to people."""
    from ledger.errors import LedgerError
    from ledger.keys import BadKeys

    try:
        yield
    except (LedgerError, BadKeys) as error:
        raise CommandFailed(str(error)) from None
