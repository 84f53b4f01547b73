"""The server's stream as one that never breaks off: it connects again and goes on where it was."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from postback.cli import serverevents
from postback.cli.errors import CommandFailed, ExitCode

FIRST_DELAY, GROWTH, LONGEST_DELAY = 0.25, 2.0, 5.0
"""Seconds between two tries to connect."""

_FINAL = (ExitCode.NOT_ALLOWED, ExitCode.NOT_FOUND)


class Api(Protocol):
    """The part of the client that following needs."""

    def follow(
        self, *path: str, query: Mapping[str, str | None], headers: Mapping[str, str]
    ) -> AbstractContextManager[Iterator[bytes]]: ...


class Feed:
    """Gives each notification once. `events` are the types that are wanted, none named is all.

    `greet` is called when it is first connected, and `report` with a sentence whenever the connection comes or goes.
    """

    def __init__(
        self,
        api: Api,
        events: Sequence[str],
        *,
        greet: Callable[[], None],
        report: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._query = {"events": ",".join(events) or None}
        self._greet = greet
        self._report = report
        self._sleep = sleep
        self._place = ""
        self._reached = False
        self._greeted = False
        self._away = False
        self._delay = FIRST_DELAY

    def notifications(self) -> Iterator[dict[str, Any]]:
        """Notifications without end. One counts as done when the next is asked for.

        Raises `CommandFailed` when the server does not let us, or was never there.
        """
        while True:
            try:
                yield from self._connected()
                self._lost("the server ended the stream")
            except CommandFailed as failure:
                self._judge(failure)
            self._sleep(self._delay)
            self._delay = min(self._delay * GROWTH, LONGEST_DELAY)

    def _connected(self) -> Iterator[dict[str, Any]]:
        headers = {"last-event-id": self._place} if self._place else {}
        with self._api.follow("stream", query=self._query, headers=headers) as chunks:
            self._arrived()
            for event in serverevents.read(chunks):
                self._delay = FIRST_DELAY
                if event.data:
                    yield _notification(event.data)
                self._place = event.id or self._place

    def _arrived(self) -> None:
        self._reached = True
        if not self._greeted:
            self._greeted = True
            self._greet()
        elif self._away:
            self._report("Connected again.")
        self._away = False

    def _judge(self, failure: CommandFailed) -> None:
        """Raises the failure unless it is worth trying again."""
        self._reached = self._reached or failure.exit_code != ExitCode.UNREACHABLE
        if failure.exit_code in _FINAL or not self._reached:
            raise failure
        if failure.exit_code == ExitCode.USAGE:
            if not self._place:
                raise failure
            self._report(f"{failure.message}\nGoing on with what happens from now on.")
            self._place = ""
            return
        self._lost(failure.message)

    def _lost(self, why: str) -> None:
        if not self._away:
            self._away = True
            self._report(f"Disconnected: {why.splitlines()[0]}. Trying again; nothing is lost meanwhile.")


def _notification(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not {"id", "type", "timestamp", "data"} <= document.keys():
        raise CommandFailed("what came over the stream is no notification; is POSTBACK_URL right?", ExitCode.FAILED)
    return document
