"""Lists: newest first, whole in pages of any size, filtered, and clear about bad limits and cursors."""

import base64
from typing import Any

import pytest
from builders import NOW, calls_back, draft, failed, pending, succeeded

from ledger import jobs
from ledger.clock import rfc3339
from postback.api.calls import CALLS

from .stage import Stage, problem

pytestmark = pytest.mark.anyio

LISTS = ("/v1/jobs", "/v1/subscribers", "/v1/callbacks", "/v1/notifications", "/v1/deliveries")


async def test_300_jobs_come_whole_in_pages_of_any_size(both: Stage) -> None:
    made = await both.ledger.write(
        lambda connection, moment: [jobs.create(connection, moment, draft()).id for _ in range(300)]
    )
    newest_first = made[::-1]
    for limit in (250, 7, 100, 150):
        pages = await _pages(both, "/v1/jobs", limit=limit)
        assert [one for page in pages for one in page] == newest_first, limit
        assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
        assert pages[-1], "the last page must not be empty"
    assert len((await both.get("/v1/jobs"))["data"]) == 50


async def test_a_page_is_not_moved_by_what_comes_after_it(stage: Stage) -> None:
    old = [(await stage.submit())["id"] for _ in range(4)]
    first = await stage.get("/v1/jobs", limit=2)
    await stage.submit()
    gone = await stage.client.post(f"/v1/jobs/{old[2]}/cancel")
    assert gone.status_code == 200
    assert (await stage.client.delete(f"/v1/jobs/{old[2]}")).status_code == 204
    rest = await stage.ids("/v1/jobs", limit=2, cursor=first["next_cursor"])
    assert rest == [old[1], old[0]]


async def test_a_filter_goes_with_its_cursor(stage: Stage) -> None:
    flux = [(await stage.submit(model=model))["id"] for model in ("flux-schnell", "flux-dev") * 3][::2]
    pages = await _pages(stage, "/v1/jobs", limit=2, model="flux-schnell")
    assert pages == [flux[:0:-1], [flux[0]]]


async def test_empty_lists(stage: Stage) -> None:
    for path in LISTS:
        assert await stage.get(path) == {"data": [], "next_cursor": None}


async def test_a_parameter_that_there_is_not_is_422(stage: Stage) -> None:
    for call in CALLS:
        if call.method != "GET" or not call.path.startswith("/v1/"):
            continue
        path = call.path.replace("{id}", "job_1")
        query = {"statsu": "failed", "Limit": "1", "": "", "<b>": "x"}
        document = problem(await stage.client.get(path, params=query), 422, "invalid")
        assert [error["parameter"] for error in document["errors"]] == list(query), path
        assert document["detail"].startswith("statsu: this call has no such parameter; it takes ")
        assert (await stage.client.head(path, params=query)).status_code == 422, path
    document = problem(await stage.client.get("/v1/notifications?kind=x"), 422, "invalid")
    assert "it takes job_id, type, limit, cursor" in document["detail"]
    problem(await stage.client.get("/v1/jobs/job_1?x=1"), 422, "invalid")
    assert (await stage.client.get("/metrics?x=1")).status_code == 200


async def test_a_bad_limit_is_422(stage: Stage) -> None:
    for path in LISTS:
        for limit in ("0", "-1", "251", "1e2", "x", "", "²", "1.0", "9" * 5_000, " 5"):
            document = problem(await stage.client.get(path, params={"limit": limit}), 422, "invalid")
            assert [error["parameter"] for error in document["errors"]] == ["limit"]


async def test_a_bad_cursor_is_400(both: Stage) -> None:
    job = await both.submit()
    others = [_encoded(text) for text in ("job", "job_" + "0" * 25, "sub_" + "\x00" * 26, "job_8" + "z" * 25, "\xff")]
    for path in LISTS:
        own = _encoded(job["id"]) if path != "/v1/jobs" else _encoded("sub" + job["id"][3:])
        for cursor in [*others, own, "", "x", "=", "%", "é", "\x00", "a" * 5_000, job["id"]]:
            problem(await both.client.get(path, params={"cursor": cursor}), 400, "bad-cursor")


async def test_jobs_are_found_by_each_filter(both: Stage) -> None:
    queued = (await both.submit())["id"]
    both.clock.advance(1_000)
    running = await pending(both.ledger, "task-a", provider="acedata", model="flux-dev")
    both.clock.advance(1_000)
    done = await pending(both.ledger, "task-b", model="stable-diffusion-3.5-large")
    await calls_back(both.ledger, done, succeeded(task_id="task-b"))

    found: list[tuple[dict[str, Any], list[str]]] = [
        ({}, [done.id, running.id, queued]),
        ({"status": "queued"}, []),
        ({"status": "submitting"}, [queued]),
        ({"status": "pending"}, [running.id]),
        ({"status": "succeeded"}, [done.id]),
        ({"provider": "dashscope"}, [done.id, queued]),
        ({"provider": "acedata"}, [running.id]),
        ({"model": "flux-dev"}, [running.id]),
        ({"model": "flux"}, []),
        ({"task_id": "task-b"}, [done.id]),
        ({"task_id": ""}, []),
        ({"task_id": "task-b", "status": "pending"}, []),
        ({"created_after": rfc3339(NOW + 1_000)}, [done.id, running.id]),
        ({"created_before": rfc3339(NOW + 1_000)}, [queued]),
        ({"created_after": rfc3339(NOW), "created_before": rfc3339(NOW + 2_000)}, [running.id, queued]),
        ({"created_after": "2023-11-15T06:13:21+08:00"}, [done.id, running.id]),
    ]
    for query, right in found:
        assert await both.ids("/v1/jobs", **query) == right, query


async def test_the_other_lists_are_found_by_each_filter(both: Stage) -> None:
    one, other = await both.listener(), await both.listener(events=["job.failed"])
    good = await pending(both.ledger, "task-a")
    await calls_back(both.ledger, good, succeeded(task_id="task-a"), succeeded(task_id="task-a"), None)
    bad = await pending(both.ledger, "task-b")
    await calls_back(both.ledger, bad, failed(task_id="task-b"))

    failure = await both.ids("/v1/notifications", type="job.failed")
    assert len(failure) == 1
    counts: list[tuple[str, dict[str, Any], int]] = [
        ("/v1/callbacks", {}, 4),
        ("/v1/callbacks", {"job_id": good.id}, 3),
        ("/v1/callbacks", {"task_id": "task-b"}, 1),
        ("/v1/callbacks", {"verdict": "accepted"}, 2),
        ("/v1/callbacks", {"verdict": "duplicate", "job_id": good.id}, 1),
        ("/v1/callbacks", {"verdict": "invalid", "task_id": "task-b"}, 0),
        ("/v1/notifications", {}, 2),
        ("/v1/notifications", {"job_id": bad.id}, 1),
        ("/v1/notifications", {"type": "job.lost"}, 0),
        ("/v1/deliveries", {}, 3),
        ("/v1/deliveries", {"status": "pending"}, 3),
        ("/v1/deliveries", {"status": "dead"}, 0),
        ("/v1/deliveries", {"subscriber_id": one}, 2),
        ("/v1/deliveries", {"subscriber_id": other, "job_id": bad.id}, 1),
        ("/v1/deliveries", {"notification_id": failure[0]}, 2),
    ]
    for path, query, count in counts:
        assert len(await both.ids(path, **query)) == count, (path, query)


async def test_a_bad_filter_is_422_and_named(both: Stage) -> None:
    bad: list[tuple[str, str, list[str]]] = [
        ("/v1/jobs", "status", ["done", "Queued", "", "\x00"]),
        ("/v1/jobs", "provider", ["replicate", "\x00"]),
        ("/v1/jobs", "model", ["\x00"]),
        ("/v1/jobs", "task_id", ["a\x00"]),
        (
            "/v1/jobs",
            "created_after",
            ["yesterday", "2026-01-31", "2026-01-31T12:00:00", "1e9", "99999-01-01T00:00:00Z"],
        ),
        ("/v1/jobs", "created_before", ["2026-13-01T00:00:00Z", "", "\x00"]),
        ("/v1/callbacks", "verdict", ["good"]),
        ("/v1/callbacks", "job_id", ["\x00"]),
        ("/v1/callbacks", "task_id", ["\x00"]),
        ("/v1/notifications", "type", ["job.done"]),
        ("/v1/notifications", "job_id", ["\x00"]),
        ("/v1/deliveries", "status", ["failed"]),
        ("/v1/deliveries", "subscriber_id", ["\x00"]),
        ("/v1/deliveries", "job_id", ["\x00"]),
        ("/v1/deliveries", "notification_id", ["\x00"]),
    ]
    for path, name, values in bad:
        for value in values:
            document = problem(await both.client.get(path, params={name: value}), 422, "invalid")
            assert [set(error) for error in document["errors"]] == [{"parameter", "detail"}]
            assert document["errors"][0]["parameter"] == name


async def test_times_at_the_edges_of_the_calendar(both: Stage) -> None:
    for time in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1969-07-20T20:17:40Z"):
        await both.get("/v1/jobs", created_after=time, created_before=time)


async def _pages(stage: Stage, path: str, **query: Any) -> list[list[str]]:
    pages = []
    while True:
        page = await stage.get(path, **query)
        assert set(page) == {"data", "next_cursor"}
        pages.append([item["id"] for item in page["data"]])
        if page["next_cursor"] is None:
            return pages
        query["cursor"] = page["next_cursor"]


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("latin-1")).decode().rstrip("=")
