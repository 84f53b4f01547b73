"""`--help` in groups: commands and options under the heading of their `rich_help_panel`, without the cost of Rich."""

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

_WHOLE = 1_000
"""Short help is never cut off: what does not fit goes on in the next line."""

Row = tuple[str, str]


class Group(TyperGroup):
    """A group whose commands are listed by panel, in the order in which panels first appear."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the commands."""
        listed = [
            (getattr(command, "rich_help_panel", None), (name, command.get_short_help_str(_WHOLE)))
            for name, command in self.commands.items()
            if not command.hidden
        ]
        _write(formatter, listed, "Commands")


class Command(TyperCommand):
    """A command with so many options that they are listed by panel; those without one come last."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the arguments and the options."""
        for kind, heading in (("argument", "Arguments"), ("option", "Options")):
            those = [one for one in self.get_params(ctx) if one.param_type_name == kind]
            shown = [(getattr(one, "rich_help_panel", None), one.get_help_record(ctx)) for one in those]
            _write(formatter, [(panel, row) for panel, row in shown if row], heading)


def _write(formatter: Any, rows: Iterable[tuple[str | None, Row]], otherwise: str) -> None:
    panels: dict[str, list[Row]] = {}
    for panel, row in rows:
        panels.setdefault(panel or otherwise, []).append(row)
    if otherwise in panels:
        panels[otherwise] = panels.pop(otherwise)
    for title, those in panels.items():
        with formatter.section(title):
            formatter.write_dl(those)
