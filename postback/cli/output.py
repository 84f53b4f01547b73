"""What a person or a program reads: tables and JSON on stdout, progress on stderr."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_STYLES = {
    "succeeded": "green",
    "delivered": "green",
    "accepted": "green",
    "running": "cyan",
    "delivering": "cyan",
    "failed": "red",
    "dead": "red",
    "invalid": "red",
    "lost": "yellow",
    "unconfirmed": "yellow",
    "conflicting": "yellow",
}
_UNBOUNDED = 100_000


def clean(text: str) -> str:
    """`text` without control characters: what a provider or a subscriber wrote must not steer the terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def print_json(value: Any) -> None:
    """Indented JSON on stdout, text in any script as itself."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def say(message: str) -> None:
    """A line of progress or advice, on stderr."""
    typer.echo(clean(message), err=True)


def print_table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of `rows`; `columns` maps each heading to its key. The first column is never broken."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(columns):
        table.add_column(heading, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(key)) for key in columns.values()))
    _console(sys.stdout).print(table)


def print_page(columns: Mapping[str, str], page: Mapping[str, Any], as_json: bool, nothing: str) -> None:
    """One page of an API list; `nothing` is said of an empty one."""
    if as_json:
        print_json(page)
        return
    if page["data"]:
        print_table(columns, page["data"])
    else:
        say(nothing)
    if page.get("next_cursor"):
        say(f"There are more: add --cursor {page['next_cursor']}")


def print_details(record: Mapping[str, Any]) -> None:
    """One record, a field a line; fields that are not known yet are left out."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in record.items():
        if value not in (None, [], {}):
            table.add_row(name, _cell(value))
    _console(sys.stdout).print(table)


def print_heading(text: str) -> None:
    """The title of the table that follows."""
    _console(sys.stdout).print(f"\n{text}", style="bold", markup=False, highlight=False)


@contextmanager
def status_line() -> Iterator["StatusLine"]:
    """A line on stderr that follows something: live on a terminal, else one plain line for each change."""
    if not sys.stderr.isatty():
        yield StatusLine()
        return
    with _console(sys.stderr).status("") as live:
        yield StatusLine(live.update)


class StatusLine:
    """Shows `text`, and on a terminal also `detail`, which may change every moment."""

    def __init__(self, update: Any = None) -> None:
        self._update = update
        self._shown = ""

    def show(self, text: str, detail: str) -> None:
        """Replaces what is shown."""
        if self._update:
            self._update(_text(f"{text}  {detail}"))
        elif text != self._shown:
            say(text)
        self._shown = text


def _console(stream: TextIO) -> "Console":
    from rich.console import Console

    # What is piped is read by programs, which no line width helps.
    return Console(file=stream, width=None if stream.isatty() else _UNBOUNDED)


def _cell(value: Any) -> "Text":
    match value:
        case None:
            return _text("–")
        case bool():
            return _text("yes" if value else "no")
        case [*items] if all(isinstance(item, str) for item in items):
            return _text(", ".join(items))
        case dict() | list():
            return _text(json.dumps(value, ensure_ascii=False))
    return _text(str(value))


def _text(text: str) -> "Text":
    from rich.text import Text

    return Text(clean(text), style=_STYLES.get(text, ""))
