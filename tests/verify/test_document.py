"""docs/verify.md: its Python really runs, and what it lists is what there is."""

import importlib
import json
import re
import sys
from collections.abc import Iterator
from types import ModuleType

import httpx2 as httpx
import pytest

from receiver import signing
from receiver.signing import Mismatch

from .document import DOCUMENT, blocks, programs, table
from .messages import BODY, EVENT, PUBLIC_KEY, SECRET, genuine, spoiled

KEYS = {"with_standardwebhooks": SECRET, "with_svix": SECRET, "by_hand": SECRET, "by_public_key": PUBLIC_KEY}
"""Each program that verifies, and the key it takes."""

URL = "http://webhook.example/webhook"


@pytest.fixture(scope="module", autouse=True)
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The programs of the document as modules that can be imported."""
    folder = tmp_path_factory.mktemp("document")
    for name, text in programs("python").items():
        (folder / name).write_text(text, "utf-8")
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in programs("python"):
            sys.modules.pop(name.removesuffix(".py"), None)


def test_every_program_is_tested() -> None:
    assert programs("python").keys() == {*(f"{name}.py" for name in KEYS), "endpoint.py"}


@pytest.mark.parametrize("name", KEYS)
def test_genuine_messages_are_accepted(name: str) -> None:
    program = importlib.import_module(name)
    for message in genuine(KEYS[name]):
        assert program.verify(message.key, message.headers, message.body) == EVENT, message.label
        written_otherwise = {header.title(): value for header, value in message.headers.items()}
        assert program.verify(message.key, written_otherwise, message.body) == EVENT, message.label


@pytest.mark.parametrize("name", KEYS)
def test_spoiled_messages_are_refused(name: str) -> None:
    program = importlib.import_module(name)
    for message in spoiled(KEYS[name]):
        try:
            event = program.verify(message.key, message.headers, message.body)
        except ValueError:
            continue
        pytest.fail(f"{message.label}: accepted as {event}")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    monkeypatch.chdir(tmp_path_factory.mktemp("inbox"))
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    module = importlib.import_module("endpoint")
    yield module
    module.inbox.close()


@pytest.mark.anyio
async def test_the_endpoint(endpoint: ModuleType) -> None:
    transport = httpx.ASGITransport(app=endpoint.app)
    async with httpx.AsyncClient(transport=transport) as client:
        for message in genuine(SECRET):
            answer = await client.post(URL, headers=message.headers, content=message.body)
            assert answer.status_code == 204, message.label
        for message in spoiled(SECRET):
            if message.key == SECRET:
                answer = await client.post(URL, headers=message.headers, content=message.body)
                assert answer.status_code == 400, message.label
    assert endpoint.inbox.execute("SELECT * FROM events").fetchall() == [("ntf_1", BODY)]


def test_the_message_that_is_shown() -> None:
    (shown,) = (json.loads(block) for block in blocks("json"))
    body = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
    (request,) = blocks("http")
    headers = dict(re.findall(r"^([a-z-]+): (.+)$", request, re.MULTILINE))
    assert f"`{SECRET}`" in DOCUMENT
    assert signing.verify(SECRET, headers, body, int(headers["webhook-timestamp"])).ok
    assert table("header") == [name for name in headers if name != "content-type"]


def test_every_mismatch_is_explained() -> None:
    assert table("`mismatch`") == [str(mismatch) for mismatch in Mismatch]
