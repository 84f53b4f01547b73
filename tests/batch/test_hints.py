"""Hints: what can be done about a failure stands beside the provider's own words, never in their place."""

import json
from typing import Any

import pytest
from builders import pending, subscribed

from ledger.ledger import Ledger
from ledger.schema import notifications
from providers import PROVIDERS
from tests.api.stage import Stage
from tests.cli.conftest import Cli
from tests.cli.samples import FAILED, QUEUED
from tests.cli.stub import Stub
from tests.dispatcher.stage import Stage as Dispatcher
from tests.dispatcher.wire import says, task

pytestmark = pytest.mark.anyio

HINT = PROVIDERS["dashscope"].hint("Arrearage")
FAULT = {"code": "Arrearage", "message": "Access denied, 账户欠费."}


async def notified(ledger: Ledger) -> list[dict[str, Any]]:
    rows = await ledger.read(lambda connection: connection.execute(notifications.select()).all())
    return [json.loads(row.body)["data"] for row in rows]


async def test_a_refused_submission(dispatcher: Dispatcher) -> None:
    await subscribed(dispatcher.ledger)
    dispatcher.dashscope.submits = [says(400, FAULT)]
    job = await dispatcher.job()
    await dispatcher.submit()
    now = await dispatcher.now(job)
    assert HINT
    assert (now.status, now.error, now.warnings) == ("failed", FAULT, [f"hint: {HINT}"])
    (told,) = await notified(dispatcher.ledger)
    assert (told["error"], told["warnings"]) == (FAULT, now.warnings)


async def test_a_failed_result_found_by_asking(dispatcher: Dispatcher) -> None:
    dispatcher.dashscope.submits = [task("PENDING")]
    dispatcher.dashscope.fetches = [task("FAILED", **FAULT)]
    job = await dispatcher.job()
    await dispatcher.pass_time()
    now = await dispatcher.now(job)
    assert (now.status, now.error, now.warnings) == ("failed", FAULT, [f"hint: {HINT}"])


async def test_a_failure_that_nobody_can_mend_has_none(dispatcher: Dispatcher) -> None:
    dispatcher.dashscope.submits = [says(400, {"code": "Unheard.Of", "message": "no"}), task("PENDING")]
    dispatcher.dashscope.fetches = [task("FAILED", code="Unheard.Of", message="no")]
    made = [await dispatcher.job(), await dispatcher.job()]
    await dispatcher.pass_time()
    for job in made:
        now = await dispatcher.now(job)
        assert (now.status, now.warnings) == ("failed", [])


async def test_a_callback_that_comes_twice_hints_once(stage: Stage) -> None:
    job = await pending(stage.ledger)
    body = {"output": {"task_id": "task-1", "task_status": "FAILED", **FAULT}}
    for verdict in ("accepted", "duplicate"):
        assert (await stage.calls_back(job, body)).json() == {"verdict": verdict}
    now = await stage.get(f"/v1/jobs/{job.id}")
    assert (now["error"], now["warnings"]) == (FAULT, [f"hint: {HINT}"])


async def test_progress_has_none(stage: Stage) -> None:
    job = await pending(stage.ledger)
    output = {"task_id": "task-1", "task_status": "RUNNING", **FAULT}
    assert (await stage.calls_back(job, {"output": output})).json() == {"verdict": "progress"}
    assert (await stage.get(f"/v1/jobs/{job.id}"))["warnings"] == []


def test_the_command_line_prints_it(cli: Cli, stub: Stub) -> None:
    failed = {**FAILED, "warnings": ["n is unusual.", "hint: Top up."]}
    stub.answer("POST /v1/jobs", QUEUED, status=202)
    stub.answer("GET /v1/jobs/job_1", failed)
    stub.answer("GET /v1/jobs/job_1/timeline", {"data": []})
    stub.answer("GET /v1/deliveries", {"data": [], "next_cursor": None})
    waited = cli("submit", "flux-dev", "cat", "--wait")
    assert "warning: n is unusual.\nhint: Top up.\n" in waited.err
    assert "not this" in waited.out
    shown = cli("jobs", "show", "job_1").out
    assert all(said in shown for said in ("not this", "n is unusual.", "hint: Top up."))
