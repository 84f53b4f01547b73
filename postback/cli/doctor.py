"""`postback doctor`: what is wrong, and what to do about it."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from postback.cli import output
from postback.cli.errors import CommandFailed
from postback.cli.session import session_of


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
    output.print_words(one["level"].ljust(5), one["check"].ljust(11), one["says"])
    if one["remedy"] is not None:
        output.print_words(f"{'':17}→", one["remedy"])
