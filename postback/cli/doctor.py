"""`postback doctor`: what is wrong, and what to do about it."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from postback.cli import output
from postback.cli.errors import CommandFailed
from postback.cli.session import session_of

_STYLES = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED}


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look at everything that this installation stands on, and say what to do.

    Run it where the server runs, as its user and with its settings. It changes nothing, and it fails when a check does.
    """
    import asyncio

    from postback.doctor import examine

    settings = session_of(context).settings()
    found: list[dict[str, Any]] = []

    async def look() -> None:
        async for name, finding in examine(settings):
            found.append({"check": name, **asdict(finding)})
            if not as_json:
                _print(found[-1])

    asyncio.run(look())
    if as_json:
        output.print_json({"data": found})
    failed = sum(one["level"] == "fail" for one in found)
    if failed:
        raise CommandFailed(f"{failed} of {len(found)} checks failed")


def _print(one: dict[str, Any]) -> None:
    level = typer.style(f"{one['level']:<5}", fg=_STYLES[one["level"]])
    typer.echo(f"{level} {one['check']:<11} {output.clean(one['says'])}")
    if one["remedy"] is not None:
        typer.echo(f"{'':18}→ {output.clean(one['remedy'])}")
