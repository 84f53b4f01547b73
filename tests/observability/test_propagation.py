"""A trace from the request for a job to the subscriber, with nothing of OpenTelemetry."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from ledger.clock import system_now
from ledger.schema import jobs, notifications
from postback.settings import load
from postback.tracing import Off, open_tracing
from tests.api.door import Door, guarded
from tests.api.stage import ORDER, SECRET, Stage, finished, served, settings

from .test_traceparent import GOOD, TRACE
from .waiting import until

pytestmark = pytest.mark.anyio

SENDING = frozenset({"api", "receiver", "forwarder"})


@pytest.fixture
async def sending(anyio_backend: str, migrated: None, tmp_path: Path, database_url: str) -> AsyncIterator[Stage]:
    """A stage that delivers through the door, once on each kind of database."""
    with guarded():
        async with served(settings(tmp_path, database_url, archive=False), SENDING, system_now) as stage:
            yield stage


def door_of(stage: Stage) -> Door:
    door: Any = stage.house.courier()._egress
    return door  # type: ignore[no-any-return]


async def traced(stage: Stage, **headers: str) -> dict[str, Any]:
    """What the subscriber got of a new job's success."""
    job = await stage.submit(headers)
    await stage.calls_back(job["id"], finished())
    door = door_of(stage)
    await until(lambda: any(job["id"].encode() in body for _, _, body in door.sent))
    (sent,) = [dict(headers) for _, headers, body in door.sent if job["id"].encode() in body]
    return sent


async def test_a_trace_is_kept_and_handed_on(sending: Stage) -> None:
    await sending.subscribe(secret=SECRET)
    assert (await traced(sending, traceparent=GOOD))["traceparent"] == GOOD
    kept = await sending.ledger.read(lambda connection: connection.scalars(select(jobs.c.traceparent)).all())
    told = await sending.ledger.read(lambda connection: connection.scalars(select(notifications.c.traceparent)).all())
    assert (kept, told) == ([GOOD], [GOOD])


@pytest.mark.parametrize("headers", [{}, {"traceparent": f"00-{TRACE}-zz-01"}], ids=["none", "bad"])
async def test_without_one_nothing_is_sent(sending: Stage, headers: dict[str, str]) -> None:
    await sending.subscribe(secret=SECRET)
    assert "traceparent" not in await traced(sending, **headers)


async def test_a_batch_belongs_to_one_trace_and_a_resubmission_to_the_old_one(stage: Stage) -> None:
    answer = await stage.client.post("/v1/jobs/batch", json={"jobs": [ORDER] * 2}, headers={"traceparent": GOOD})
    first = answer.json()["data"][0]["id"]
    refused = json.dumps({"output": {"task_id": "t", "task_status": "FAILED", "code": "x", "message": "y"}})
    await stage.calls_back(first, refused.encode())
    assert (await stage.client.post(f"/v1/jobs/{first}/resubmit")).status_code == 202
    kept = await stage.ledger.read(lambda connection: connection.scalars(select(jobs.c.traceparent)).all())
    assert list(kept) == [GOOD] * 3


async def test_a_subscribers_own_header_cannot_stand_in_for_it(stage: Stage) -> None:
    given = {"url": "https://example.com/hook", "headers": {"TraceParent": GOOD}}
    answer = await stage.client.post("/v1/subscribers", json=given)
    assert answer.status_code == 422
    assert "reserved" in answer.text


@pytest.mark.parametrize(
    ("variable", "value"), [("otlp_endpoint", "collector:4317"), ("otlp_traces_endpoint", "unix:///run/collector")]
)
def test_a_collector_that_is_no_url_turns_nothing_on(variable: str, value: str) -> None:
    assert isinstance(open_tracing(load(**{variable: value})), Off)
    assert isinstance(open_tracing(load()), Off)


def test_without_the_extra_nothing_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    assert isinstance(open_tracing(load(otlp_endpoint="http://127.0.0.1:9")), Off)


def test_nothing_of_it_is_loaded_where_it_is_off() -> None:
    """The start would take longer."""
    asks = "import postback.serve, sys; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
