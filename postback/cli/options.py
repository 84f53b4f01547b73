"""Options that several commands share, and how their texts are read."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from postback import durations
from postback.cli.errors import CommandFailed, ExitCode

MAX_LIMIT = 250


def read_duration(text: str) -> int:
    """Milliseconds, for `typer.Option(parser=…)`."""
    try:
        return durations.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def read_instant(text: str, now: datetime) -> str:
    """RFC 3339 in UTC from a date, a time or a duration before `now`: `2026-01-31`, `2026-01-31T12:00Z`, `2h`."""
    try:
        moment = _moment(text, now)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is not a time: write 2026-01-31, 2026-01-31T12:00:00Z, or 2h for two hours ago"
        ) from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(text: str, now: datetime) -> datetime:
    try:
        return now - timedelta(milliseconds=durations.parse(text))
    except (ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _instant(text: str) -> str:
    return read_instant(text, datetime.now(UTC))


def read_pairs(pairs: Sequence[str], option: str) -> dict[str, Any]:
    """`key=value` texts as an object. A value that is a JSON scalar is that scalar, anything else is text."""
    from providers.jsontext import BadJson, loads

    found: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not key or not separator:
            raise typer.BadParameter(f"{pair!r} is not of the form key=value", param_hint=option)
        try:
            value = loads(text.encode())
        except (BadJson, UnicodeEncodeError):
            value = text
        found[key] = text if isinstance(value, (dict, list)) else value
    return found


def read_headers(lines: Sequence[str]) -> dict[str, str]:
    """`Name: value` texts as an object."""
    headers = {}
    for line in lines:
        name, separator, value = line.partition(":")
        if not name.strip() or not separator:
            raise typer.BadParameter(f"{line!r} is not of the form 'Name: value'", param_hint="--header")
        headers[name.strip()] = value.strip()
    return headers


def read_commas(texts: Sequence[str]) -> list[str]:
    """The items of options that may be repeated or separated by commas."""
    return [item.strip() for text in texts for item in text.split(",") if item.strip()]


def confirm(question: str, yes: bool) -> None:
    """Asks before what cannot be undone, unless `--yes` was given. Where nobody can be asked, the command ends."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandFailed("this cannot be undone, and nobody is there to be asked: add --yes", ExitCode.USAGE)
    typer.confirm(question, abort=True, err=True)


Json = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=MAX_LIMIT, help="How many to list.")]
Cursor = Annotated[str | None, typer.Option("--cursor", help="Where the page before ended.")]
Since = Annotated[str | None, typer.Option(parser=_instant, metavar="TIME", help="A time, or 2h for two hours ago.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed off a terminal.")]
