"""What one run of the command line knows: its global flags, and from them the settings and the server."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from postback.cli.errors import CommandFailed, ExitCode

if TYPE_CHECKING:
    from postback.cli.client import Client
    from postback.settings import Settings


@dataclass
class Session:
    """The flags that stand before the command."""

    home: Path | None = None
    url: str | None = None
    debug: bool = False

    @property
    def flags(self) -> dict[str, Any]:
        """Those that were given, named as settings."""
        given = {"home": self.home, "url": self.url}
        return {name: value for name, value in given.items() if value is not None}

    def settings(self, **flags: Any) -> "Settings":
        """The settings, with a word on stderr for every misspelt variable. Bad values end the command."""
        from postback import settings

        for sentence in settings.misspelt():
            typer.echo(f"warning: {sentence}", err=True)
        try:
            return settings.load(**self.flags, **flags)
        except settings.SettingsError as error:
            raise CommandFailed(str(error), ExitCode.USAGE) from None


def session_of(context: typer.Context) -> Session:
    """The session of a running command."""
    session = context.find_object(Session)
    assert session is not None
    return session


def connect(context: typer.Context) -> "Client":
    """A client of the configured server; use it as a context manager."""
    from postback.cli.client import Client

    return Client(session_of(context).settings())
