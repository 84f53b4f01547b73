"""Each framework's endpoint, as a process: what a real server sends, what comes twice, and what somebody forges."""

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.api import Api
from verify.messages import SECRET, Message, spoiled

from receiver import signing

from .programs import EXAMPLES, RECEIVING, Endpoint

_numbers = itertools.count(1)


def signed_anew() -> Message:
    """A genuine message that was not sent before."""
    job = f"job_{next(_numbers)}"
    body = json.dumps({"type": "job.canceled", "data": {"id": job, "status": "canceled"}}).encode()
    return Message(job, SECRET, signing.headers([SECRET], f"ntf_{job}", int(time.time()), body), body)


def test_every_example_is_tested() -> None:
    programs = {path.relative_to(EXAMPLES / "receiving").as_posix() for path in EXAMPLES.glob("receiving/with_*.py")}
    assert programs | {"express/server.js"} == RECEIVING.keys()


def test_a_delivery_of_a_real_server(endpoint: Endpoint, api: Api) -> None:
    subscriber = api("POST", "/subscribers", {"url": endpoint.url, "secret": SECRET}, expect=201)["id"]
    delivery = api("POST", f"/subscribers/{subscriber}/test", {"type": "job.succeeded"})
    assert [attempt["status_code"] for attempt in delivery["attempts"]] == [204]
    first, image = endpoint.handled()
    assert first.split() == ["job.succeeded", "job_00000000000000000000000000", "succeeded"]
    assert image.strip() == "https://example.com/example.png"


def test_what_comes_again_is_handled_once(endpoint: Endpoint) -> None:
    message = signed_anew()
    assert [endpoint.post(message), endpoint.post(message)] == [204, 204]
    assert endpoint.handled() == [f"job.canceled {message.label} canceled"]
    assert endpoint.post(message) == 204
    assert endpoint.handled() == []


def test_what_is_not_genuine_is_refused(endpoint: Endpoint) -> None:
    forged = [message for message in spoiled(SECRET) if message.key == SECRET]
    assert len(forged) > 10
    assert {message.label: endpoint.post(message) for message in forged} == {message.label: 400 for message in forged}
    assert endpoint.handled() == []


def test_what_cannot_be_kept_is_not_acknowledged(endpoint: Endpoint) -> None:
    message = signed_anew()
    with unusable(endpoint.inbox):
        assert endpoint.post(message) == 500
    assert endpoint.post(message) == 204, "the next attempt"
    assert len(endpoint.handled()) == 1


@contextmanager
def unusable(inbox: Path) -> Iterator[None]:
    """Puts a folder in the place of a file, or a file in that of a folder."""
    aside = inbox.rename(inbox.with_name("aside"))
    if aside.is_dir():
        inbox.touch()
    else:
        inbox.mkdir()
    try:
        yield
    finally:
        inbox.unlink() if inbox.is_file() else inbox.rmdir()
        aside.rename(inbox)
