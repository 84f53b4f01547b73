"""Bars on stderr, for what takes a while. Off a terminal there is nothing to see of them, and nothing is imported."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int, int | None], None]
"""Told how much more is done, and how much there is altogether, where that is known."""

Track = Callable[[str], Advance]
"""Begins a bar with that name."""


@contextmanager
def bars(*, of_bytes: bool = False) -> Iterator[Track]:
    """Gives what begins a bar. A bar moves to and fro until it is told how much there is; in the end all are gone."""
    if not sys.stderr.isatty():
        yield lambda name: lambda more, total: None
        return
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from postback.cli.output import clean, console

    amount = DownloadColumn() if of_bytes else MofNCompleteColumn()
    # Gone before the result is printed: stdout is often the same terminal.
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), amount, TimeElapsedColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as shown:

        def track(name: str) -> Advance:
            bar = shown.add_task(clean(name), total=None)
            return lambda more, total: shown.update(bar, advance=more, total=total)

        yield track
