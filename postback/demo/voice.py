"""How the demo speaks: plain lines on stdout, with colours and a live line on a terminal."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from postback.cli.output import clean

Part = str | tuple[str, str]
"""A piece of a line, and how it looks: a rich style."""


class Voice:
    """Says one line at a time. What others wrote cannot steer the terminal."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A terminal that cannot show a prompt's script must not end the demo.
            sys.stdout.reconfigure(errors="replace")
        self._console = Console(soft_wrap=True, highlight=False)

    def chapter(self, title: str) -> None:
        """Begins a part of the story."""
        self._console.print(Text(f"\n{title}", "bold"))

    def say(self, *parts: Part) -> None:
        """One line."""
        self._line("  ", *parts)

    def good(self, *parts: Part) -> None:
        """One line about something that went well."""
        self._line(("✓ ", "green"), *parts)

    def bad(self, *parts: Part) -> None:
        """One line about something that went wrong."""
        self._line(("✗ ", "bold red"), *parts)

    @contextmanager
    def working(self, text: str) -> Iterator[Callable[[str], None]]:
        """A live line below all others while something takes its time; nothing off a terminal."""
        if not self._console.is_terminal:
            yield lambda _: None
            return
        with self._console.status(Text(text)) as live:
            yield lambda text: live.update(Text(text))

    def _line(self, *parts: Part) -> None:
        pieces = [(part, "") if isinstance(part, str) else part for part in parts]
        self._console.print(Text.assemble(*((clean(text), style) for text, style in pieces)))
