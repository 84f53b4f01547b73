"""The API against its own description: any request gets a described answer, and never a 5xx."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import schemathesis
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from postback.api.openapi import describe

from .door import guarded
from .stage import BASE, Hurrying, Stage, finished, served, settings
from .states import MAKE

# The key is always sent; that every call wants it is shown in `test_calls`.
SCHEMA = schemathesis.openapi.from_dict(describe() | {"security": []})
EXAMPLES = 15
NOT_ASKED = [positive_data_acceptance]  # a model or a URL can be well formed and still be refused


@dataclass(frozen=True)
class World:
    """A stage in a thread of its own, and ids of things that are there."""

    portal: BlockingPortal
    stage: Stage
    ids: dict[str, Iterator[str]]

    def send(self, case: Case) -> httpx.Response:
        request = case.as_transport_kwargs(base_url=BASE)
        del request["cookies"]  # there are none, and httpx wants them on the client
        if "data" in request:
            request["content"] = request.pop("data")
        request["headers"] = {name: value.encode() for name, value in request["headers"].items()}
        return self.portal.call(self._send, request)

    async def _send(self, request: dict[str, Any]) -> httpx.Response:
        return await self.stage.client.request(**request)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home: Path = tmp_path_factory.mktemp("home")
    stage = served(settings(home, f"sqlite:///{home}/postback.sqlite3"), clock=Hurrying())
    # The door is a stand-in: no test may reach the hosts that examples and guesses name.
    with guarded(), start_blocking_portal() as portal, portal.wrap_async_context_manager(stage) as stage:
        yield World(portal, stage, portal.call(_filled, stage))


async def _filled(stage: Stage) -> dict[str, Iterator[str]]:
    await stage.subscribe(events=["*"])
    for _ in range(3):
        for make in MAKE.values():
            job = await make(stage.ledger)
            await stage.calls_back(job, finished(job.task_id))
        await stage.subscribe()
        await stage.client.post("/v1/keys", json={"name": "a key", "scope": "read"})
    nouns = ("jobs", "subscribers", "callbacks", "notifications", "deliveries", "keys")
    return {noun: cycle(await stage.ids(f"/v1/{noun}", limit=250)) for noun in nouns}


@SCHEMA.exclude(path="/v1/stream").parametrize()  # it never ends: `tests/stream`
@hypothesis_settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_any_request_gets_a_described_answer(case: Case, world: World) -> None:
    path = case.operation.path
    if path.startswith("/v1/") and "{id}" in path and len(str(case.path_parameters["id"])) % 2:
        case.path_parameters["id"] = next(world.ids[path.split("/")[2]])
    answer = world.send(case)
    assert answer.status_code < 500
    case.validate_response(answer, excluded_checks=NOT_ASKED)
