"""A job's story drawn for a terminal: marks that are told apart without colour, and without UTF-8."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from postback.cli import story as stories
from postback.cli import times
from postback.cli.output import clean
from postback.cli.story import Document, Mark, Step, Story

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_SIGNS = {Mark.DONE: "✓", Mark.FAILED: "✗", Mark.DOUBT: "!", Mark.WAITS: "◌", Mark.STEP: "•"}
_PLAIN = {Mark.DONE: "+", Mark.FAILED: "x", Mark.DOUBT: "!", Mark.WAITS: ".", Mark.STEP: "*"}
_COLOURS = {Mark.DONE: "green", Mark.FAILED: "red", Mark.DOUBT: "yellow", Mark.WAITS: "cyan", Mark.STEP: "dim"}
_ARROWS = ("→", "->")


class Drawing:
    """Draws on one console. It uses nothing but ASCII for what it adds where the console has no UTF-8."""

    def __init__(self, console: "Console") -> None:
        utf = console.encoding.startswith("utf")
        self._signs = _SIGNS if utf else _PLAIN
        self._arrow = _ARROWS[0 if utf else 1]

    def title(self, job: Document) -> "RenderableType":
        """A job in one line."""
        spent = ""
        if job.get("finished_at"):
            taken = times.moment(job["finished_at"]) - times.moment(job["created_at"])
            spent = f" in {times.span(taken.total_seconds())}"
        return self.line(stories.mark_of(job["status"]), f"{job['id']}  {job['status']}{spent}", bold=True)

    def findings(self, story: Story, now: datetime) -> Iterator["RenderableType"]:
        """What a person should know first."""
        from rich.padding import Padding

        for finding in stories.findings(story, now):
            yield self.line(finding.mark, finding.text)
            for hint in finding.hints:
                yield Padding(_text(f"hint: {hint}"), (0, 0, 0, 2), expand=False)
            if finding.command is not None:
                yield _text(f"  $ {finding.command}", "bold")

    def timeline(self, story: Story, now: datetime) -> Iterator["RenderableType"]:
        """The job's own steps, then every delivery with its attempts."""
        day = times.moment(story.job["created_at"]).date()
        yield _heading(f"Timeline, {day} UTC")
        yield self._steps(story.steps, day)
        if story.deliveries:
            yield _heading("Deliveries")
        for delivery in story.deliveries:
            yield self.line(
                stories.mark_of(delivery["status"]),
                f"{delivery['id']}  {delivery['status']}  {delivery['type']} {self._arrow} {story.target(delivery)}",
            )
            coming = stories.waiting(delivery, now)
            yield self._steps([*stories.tries(delivery), *([coming] if coming else [])], day, indent=2)

    def line(self, mark: Mark, text: str, *, bold: bool = False) -> "RenderableType":
        """A line behind its mark."""
        from rich.table import Table

        line = Table.grid(padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(overflow="fold")
        line.add_row(_text(self._signs[mark], _COLOURS[mark]), _text(text, "bold" if bold else ""))
        return line

    def _steps(self, steps: Sequence[Step], day: date, indent: int = 0) -> "RenderableType":
        from rich.padding import Padding
        from rich.table import Table

        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, style="dim")
        table.add_column(no_wrap=True, style="dim", justify="right")
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for step in steps:
            after = "" if step.after is None else f"+{times.span(step.after)}"
            number = "" if step.number is None else f"{step.number}  "
            sign = _text(self._signs[step.mark], _COLOURS[step.mark])
            table.add_row(times.clock(step.at, day), after, sign, _text(number + step.text))
        return Padding(table, (0, 0, 0, indent), expand=False)


def _heading(text: str) -> "Text":
    return _text(f"\n{text}", "bold")


def _text(text: str, style: str = "") -> "Text":
    from rich.text import Text

    return Text(clean(text), style=style)
