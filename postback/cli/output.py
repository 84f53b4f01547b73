"""What a person or a program reads: tables and JSON on stdout, progress on stderr."""

import io
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_STYLES = {
    "succeeded": "green",
    "delivered": "green",
    "accepted": "green",
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
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

ID_WIDTH = 31
LEAST = 12
"""How many characters are left of a text that is cut for want of room."""


def clean(text: str) -> str:
    """`text` without control characters: what a provider or a subscriber wrote must not steer the terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def open_streams() -> None:
    """Some start programs with standard streams closed: the file or socket that is opened next would take their place.
    They read and write nothing from here on."""
    while (opened := os.open(os.devnull, os.O_RDWR)) < len(_STREAMS):
        pass
    os.close(opened)
    for number, (name, mode) in enumerate(_STREAMS.items()):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


_STREAMS = {"stdin": "r", "stdout": "w", "stderr": "w"}
"""In the order of their numbers."""


def write_anything() -> None:
    """From here on stdout and stderr write what they have no character for as `\\u…`, in place of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(value: Any) -> None:
    """Indented JSON on stdout, text in any script as itself where stdout can write it."""
    typer.echo(json.dumps(value, ensure_ascii=not _writes_all(sys.stdout), indent=2))


def print_line_of_json(value: Any) -> None:
    """A line of NDJSON on stdout, there at once."""
    typer.echo(json.dumps(value, ensure_ascii=not _writes_all(sys.stdout)))


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
    console(sys.stdout).print(table)


def print_list(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
    """A table with one line a row, as much of it as the terminal has room for."""
    out = console(sys.stdout)
    table, hidden = list_table(columns, rows, out.width)
    out.print(table)
    if hidden:
        say(f"Not shown for want of room: {', '.join(hidden)}. --json has everything.")


def list_table(
    columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], room: int
) -> tuple["Table", Sequence[str]]:
    """A table `room` characters wide with one line a row, and the headings of the columns that found no room.

    The last columns go and long texts are cut until it fits; ids stay whole.
    """
    from rich.cells import cell_len
    from rich.table import Table

    cells = [[_line(_cell(row.get(key))) for key in columns.values()] for row in rows]
    contents = zip(*cells, strict=True) if cells else [()] * len(columns)
    widths = [
        max([cell_len(heading), *(cell.cell_len for cell in column)])
        for heading, column in zip(columns, contents, strict=True)
    ]
    shown = fit(widths, room)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading, width in zip(columns, shown, strict=False):
        table.add_column(heading, no_wrap=True, overflow="ellipsis", max_width=width)
    for row in cells:
        table.add_row(*row[: len(shown)])
    return table, list(columns)[len(shown) :]


def fit(widths: Sequence[int], room: int) -> list[int]:
    """How wide each column is shown, columns with one space between; those that are missing at the end find no room.

    What is longer than an id may be cut, down to `LEAST`; anything shorter never is, but the first may be alone.
    """
    shown = list(widths)
    while len(shown) > 1 and sum(_least(width) + 1 for width in shown) - 1 > room:
        shown.pop()
    over = sum(shown) + len(shown) - 1 - room
    for number in sorted(range(len(shown)), key=lambda number: -shown[number]):
        cut = max(0, min(over, shown[number] - _least(shown[number])))
        shown[number] -= cut
        over -= cut
    return shown


def _least(width: int) -> int:
    return width if width <= ID_WIDTH else LEAST


def print_page(columns: Mapping[str, str], page: Mapping[str, Any], as_json: bool, nothing: str) -> None:
    """One page of an API list; `nothing` is said of an empty one."""
    if as_json:
        print_json(page)
        return
    if page["data"]:
        print_list(columns, page["data"])
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
    console(sys.stdout).print(table)


def print_words(*words: str) -> None:
    """One line of words on stdout, there at once; those that name a state have its colour. Longer lines go on."""
    from rich.text import Text

    line = Text("  ").join(_text(word) for word in words)
    console(sys.stdout).print(line, soft_wrap=True)
    sys.stdout.flush()


def print_heading(text: str) -> None:
    """The title of the table that follows."""
    console(sys.stdout).print(f"\n{text}", style="bold", markup=False, highlight=False)


@contextmanager
def status_line() -> Iterator["StatusLine"]:
    """A line on stderr that follows something: live on a terminal, else one plain line for each change."""
    if not sys.stderr.isatty():
        yield StatusLine()
        return
    with console(sys.stderr).status("") as live:
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


def console(stream: TextIO) -> "Console":
    """Where to draw: a terminal with its width and its colours (none with NO_COLOR), or something that is read."""
    from rich.console import Console

    # What is piped is read by programs, which no line width helps.
    return Console(file=stream, width=None if stream.isatty() else _UNBOUNDED)


def _writes_all(stream: TextIO) -> bool:
    return (getattr(stream, "encoding", None) or "").lower().startswith("utf")


def _cell(value: Any) -> "Text":
    match value:
        case None:
            return _text("–" if _writes_all(sys.stdout) else "-")
        case bool():
            return _text("yes" if value else "no")
        case [*items] if all(isinstance(item, str) for item in items):
            return _text(", ".join(items))
        case dict() | list():
            return _text(json.dumps(value, ensure_ascii=False))
    return _text(str(value))


def _line(text: "Text") -> "Text":
    from rich.text import Text

    return Text(" ".join(text.plain.split()), style=text.style)


def _text(text: str) -> "Text":
    from rich.text import Text

    return Text(clean(text), style=_STYLES.get(text.strip(), ""))
