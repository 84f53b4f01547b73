"""`postback tail`: what it says of events that nobody wants recorded, and of a connection that breaks off."""

from typing import Any

import pytest
from starlette.responses import StreamingResponse

from postback.cli.client import Client
from postback.cli.errors import CommandFailed
from postback.cli.feed import Feed
from postback.settings import load

from .conftest import Cli
from .samples import SUBSCRIBER, page
from .stub import Stub


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is greeted, and then ends as Ctrl-C would end it."""

    def notifications(feed: Any) -> Any:
        feed._greet()
        raise KeyboardInterrupt

    monkeypatch.setattr(Feed, "notifications", notifications)


def listening(*events: str) -> dict[str, Any]:
    return {**SUBSCRIBER, "events": list(events)}


ADD = "  postback subscribers add URL "


@pytest.mark.usefixtures("streams")
def test_it_says_what_is_not_recorded_and_how_to_change_that(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/subscribers", page(listening("job.succeeded"), cursor="c"), page(listening("job.archived")))
    shown = cli("tail", "--type", "job.*")
    greeting, hint, command, _ = shown.err.splitlines()
    assert greeting.startswith("Following")
    assert "no subscriber listens to them: job.submitted, job.running." in hint
    assert command == f"{ADD}--event job.submitted --event job.running"
    assert [one.query.get("cursor") for one in stub.asked] == [None, "c"]


@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize(
    ("types", "events", "missing"),
    [
        ([], [], "job.submitted, job.running, job.archived, subscriber.failing, subscriber.disabled, delivery.dead"),
        ([], ["*"], None),
        (["--type", "job.failed,job.lost"], [], None),
        (["--type", "delivery.dead"], ["job.*"], "delivery.dead"),
        (["--type", "delivery.dead"], ["delivery.*"], None),
    ],
)
def test_only_of_what_is_followed(cli: Cli, stub: Stub, types: list[str], events: list[str], missing: str) -> None:
    stub.answer("GET /v1/subscribers", page(listening(*events)))
    said = cli("tail", *types).err
    assert (f"to them: {missing}." in said) if missing else ("Not recorded" not in said)


@pytest.mark.usefixtures("streams")
def test_it_follows_though_nobody_knows_the_subscribers(cli: Cli, stub: Stub) -> None:
    stub.refuse("GET /v1/subscribers", 503, "Not possible at the moment.")
    assert cli("tail").err == "Following what happens. Stop with Ctrl-C.\nStopped.\n"


def test_a_connection_that_breaks_off_is_told_in_plain_words(cli: Cli, stub: Stub) -> None:
    async def broken() -> Any:
        yield b"id: 1\n\n"
        raise OSError

    stub.answers["GET /v1/stream"] = [StreamingResponse(broken(), media_type="text/event-stream")]
    with Client(load()) as api, pytest.raises(CommandFailed) as failed:
        with api.follow("stream", query={}, headers={}) as chunks:
            list(chunks)
    assert failed.value.message.splitlines()[0] == f"the connection to {stub.url} broke off"
