"""How something that changes is shown: live on a terminal, elsewhere a line for each change."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from postback.cli import output

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


class Subject(Protocol):
    """What is watched: it draws itself as it is now, and tells what is new since it was last asked."""

    def draw(self, out: "Console", now: datetime) -> "RenderableType": ...
    def tell(self, as_json: bool) -> None: ...


Show = Callable[[Sequence[str]], None]
"""Shows the subject as it is now, and what is to be said of the connection."""


@contextmanager
def view(subject: Subject, as_json: bool) -> Iterator[Show]:
    """Shows a subject until the end of the block."""
    out = output.console(sys.stdout)
    if as_json or not out.is_terminal or out.is_dumb_terminal:
        yield _lines(subject, as_json)
        return
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    notice = Text("")

    def now() -> "RenderableType":
        return Group(subject.draw(out, datetime.now(UTC)), notice)

    with Live(get_renderable=now, console=out, refresh_per_second=4) as live:

        def show(said: Sequence[str]) -> None:
            nonlocal notice
            if said:
                away = said[-1].startswith("Disconnected")
                notice = Text(output.clean(said[-1]) if away else "", style="yellow")
            live.refresh()

        yield show


def _lines(subject: Subject, as_json: bool) -> Show:
    def show(said: Sequence[str]) -> None:
        for sentence in said:
            output.say(sentence)
        subject.tell(as_json)

    return show
