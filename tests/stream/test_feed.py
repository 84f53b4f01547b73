"""`Feed`: connects again, goes on where it was, and knows what is not worth another try."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest

from postback.cli.errors import CommandFailed, ExitCode
from postback.cli.feed import Feed

AWAY = CommandFailed("no server answers", ExitCode.UNREACHABLE)
BROKEN = CommandFailed("Not possible at the moment")


def event(number: int) -> str:
    document = {"id": f"ntf_{number}", "type": "job.lost", "timestamp": "", "data": {}}
    return f"id: {number}\nevent: job.lost\ndata: {json.dumps(document)}\n\n"


class Server:
    """Each turn is one connection: what it sends before it ends, or how it fails, at once or then."""

    def __init__(self, *turns: Any) -> None:
        self.turns = list(turns)
        self.asked: list[tuple[Mapping[str, str | None], Mapping[str, str]]] = []
        self.said: list[str] = []
        self.slept: list[float] = []

    @contextmanager
    def follow(
        self, *path: str, query: Mapping[str, str | None], headers: Mapping[str, str]
    ) -> Iterator[Iterator[bytes]]:
        assert path == ("stream",)
        self.asked.append((query, headers))
        turn = self.turns.pop(0)
        if isinstance(turn, CommandFailed):
            raise turn
        yield self._sent(turn)

    def _sent(self, turn: list[Any]) -> Iterator[bytes]:
        for part in turn:
            if isinstance(part, CommandFailed):
                raise part
            yield part.encode()

    def feed(self, *events: str) -> Iterator[dict[str, Any]]:
        def greet() -> None:
            self.said.append("hello")

        return Feed(self, events, greet=greet, report=self.said.append, sleep=self.slept.append).notifications()

    @property
    def places(self) -> list[str | None]:
        return [headers.get("last-event-id") for _, headers in self.asked]


def ids(feed: Iterator[dict[str, Any]], count: int) -> list[str]:
    return [one["id"] for one in islice(feed, count)]


def test_it_goes_on_behind_the_last_that_was_dealt_with() -> None:
    server = Server(["retry: 1\nid: 0\n\n", event(1), event(2), AWAY], [event(3)], [event(4)])
    assert ids(server.feed("job.*", "delivery.dead"), 4) == ["ntf_1", "ntf_2", "ntf_3", "ntf_4"]
    assert server.places == [None, "2", "3"]
    assert {query["events"] for query, _ in server.asked} == {"job.*,delivery.dead"}
    assert server.said[0] == "hello"
    assert [line.split()[0] for line in server.said[1:]] == ["Disconnected:", "Connected", "Disconnected:", "Connected"]


def test_cut_off_before_the_first_event_it_still_knows_its_place() -> None:
    server = Server(["id: 7\n\n"], [": still here\nid: 8\n\n", "id: 9\ndata: {"], [event(9)])
    assert ids(server.feed(), 1) == ["ntf_9"]
    assert server.places == [None, "7", "8"]
    assert server.asked[0][0] == {"events": None}


def test_it_waits_longer_each_time_and_shortly_again_after_an_event() -> None:
    server = Server(["id: 1\n\n"], *[AWAY] * 6, [event(2)], [event(3)])
    assert ids(server.feed(), 2) == ["ntf_2", "ntf_3"]
    assert server.slept == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 0.25]
    assert [line for line in server.said if line.startswith("Disconnected")] == [
        "Disconnected: the server ended the stream. Trying again; nothing is lost meanwhile."
    ] * 2, "once for each time that it goes away"


def test_a_server_that_was_never_there_is_an_error() -> None:
    server = Server(AWAY)
    with pytest.raises(CommandFailed, match="no server answers"):
        next(server.feed())
    assert (server.said, server.slept) == ([], [])


def test_a_server_in_trouble_is_waited_for() -> None:
    server = Server(BROKEN, AWAY, [event(1)])
    assert ids(server.feed(), 1) == ["ntf_1"]
    assert server.said == [
        "Disconnected: Not possible at the moment. Trying again; nothing is lost meanwhile.",
        "hello",
    ]


@pytest.mark.parametrize("code", [ExitCode.NOT_ALLOWED, ExitCode.NOT_FOUND])
@pytest.mark.parametrize("before", [[], [[event(1)]]])
def test_a_key_that_is_refused_ends_it(code: ExitCode, before: list[Any]) -> None:
    server = Server(*before, CommandFailed("no", code))
    feed = server.feed()
    assert ids(feed, len(before)) == ["ntf_1"] * len(before)
    with pytest.raises(CommandFailed) as failed:
        next(feed)
    assert failed.value.exit_code == code


def test_bad_event_types_are_an_error() -> None:
    with pytest.raises(CommandFailed, match="no such type"):
        next(Server(CommandFailed("no such type", ExitCode.USAGE)).feed("nothing"))


def test_a_place_that_the_server_does_not_know_any_more_is_told_and_left() -> None:
    gone = CommandFailed("Last-Event-ID: ahead of the database.", ExitCode.USAGE)
    server = Server([event(5)], gone, [event(1)])
    assert ids(server.feed(), 2) == ["ntf_5", "ntf_1"]
    assert server.places == [None, "5", None]
    assert any("ahead of the database" in line and "from now on" in line for line in server.said)


@pytest.mark.parametrize("data", ["nonsense", "[]", "{}", '{"id":"ntf_1"}'])
def test_what_is_no_notification_is_not_forwarded(data: str) -> None:
    server = Server([f"id: 3\ndata: {data}\n\n"], [event(4)])
    assert ids(server.feed(), 1) == ["ntf_4"]
    assert any("no notification" in line for line in server.said)
