"""`postback demo`: see it work, without keys."""

from pathlib import Path
from typing import Annotated

import typer

from postback.cli.serve import plain_errors
from postback.cli.session import session_of


def demo(
    context: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", help="End by itself; exit code 0 only if everything arrived.")
    ] = False,
    home: Annotated[Path | None, typer.Option(help="A folder to keep; a new temporary one if not given.")] = None,
) -> None:
    """See it work, without keys or cost.

    Jobs leave, results come back, and verified webhooks arrive. No setting of yours is used.
    """
    from postback.demo import run

    with plain_errors():
        code = run(once, home or session_of(context).home)
    raise typer.Exit(code)
