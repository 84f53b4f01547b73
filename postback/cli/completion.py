"""What the shell completes after TAB: words that are known here, and ids that the server is asked for.

Whatever goes wrong, there is nothing to complete: nobody wants an error while typing.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from postback.cli.session import Session

if TYPE_CHECKING:
    from postback.cli.client import Client

Completer = Callable[[str], list[str]]
IdCompleter = Callable[[typer.Context, str], list[tuple[str, str]]]

ASKED = 50
"""How many of the newest ids are offered."""

SECONDS = 1.0
"""How long the server may take to tell them."""


def job_states(incomplete: str) -> list[str]:
    """The states of jobs."""
    from ledger.lifecycle import JOB

    return _begin(JOB, incomplete)


def delivery_states(incomplete: str) -> list[str]:
    """The states of deliveries."""
    from ledger.lifecycle import DELIVERY

    return _begin(DELIVERY, incomplete)


def verdicts(incomplete: str) -> list[str]:
    """The verdicts of callbacks."""
    return _begin(VERDICTS, incomplete)


VERDICTS = ("accepted", "progress", "duplicate", "conflicting", "invalid")
"""As the ledger has them, which takes long to import."""


def event_types(incomplete: str) -> list[str]:
    """Event types, the last of several with commas."""
    from ledger.events import EVENTS, KINDS

    before, comma, last = incomplete.rpartition(",")
    return [before + comma + event for event in _begin((*EVENTS, *KINDS), last)]


def providers(incomplete: str) -> list[str]:
    """The names of the providers."""
    from providers import PROVIDERS

    return _begin(PROVIDERS, incomplete)


def models(incomplete: str) -> list[str]:
    """The models that the providers' documents name."""
    from providers import PROVIDERS

    return _begin((model for provider in PROVIDERS.values() for model in provider.models), incomplete)


def ids(noun: str, *about: str) -> IdCompleter:
    """Completes the ids of a list of the API, each with those fields as its description."""

    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        return [
            (row["id"], " ".join(str(row[name]) for name in about))
            for row in _newest(ctx, noun)
            if row["id"].startswith(incomplete)
        ]

    return complete


job_ids = ids("jobs", "status", "model")
subscriber_ids = ids("subscribers", "url")
callback_ids = ids("callbacks", "verdict")
delivery_ids = ids("deliveries", "status", "type")
notification_ids = ids("notifications", "type")


def _newest(context: typer.Context, noun: str) -> Iterator[dict[str, Any]]:
    try:
        with _client(context) as api:
            yield from api.get(noun, query={"limit": ASKED})["data"]
    except Exception:
        return


def _client(context: typer.Context) -> "Client":
    from postback import settings
    from postback.cli.client import Client

    # While words are completed no command runs, so the flags before it have not been read into a session yet.
    given = context.find_root().params
    flags = Session(home=given.get("home"), url=given.get("url")).flags
    return Client(settings.load(**flags), seconds=SECONDS)


def _begin(words: Any, incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
