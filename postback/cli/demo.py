"""`postback demo`: see it work, without keys."""

from typing import Annotated

import typer


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End by itself; exit code 0 only if everything arrived.")
    ] = False,
) -> None:
    """See it work, without keys or cost.

    Jobs leave, results come back, and verified webhooks arrive.
    """
    from postback.demo import run

    raise typer.Exit(run(once=once))
