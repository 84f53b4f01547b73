"""What can be done with a job from its page, and by whom."""

import httpx2 as httpx
import pytest
from builders import calls_back as told
from builders import count, done, failed, pending, queued, unconfirmed

from ledger import deliveries as delivery_table
from ledger import jobs
from ledger.schema import jobs as table
from tests.api.stage import Stage

from .conftest import browser_at
from .job_page import BAD, NO, page_of, tried

pytestmark = pytest.mark.anyio


async def test_a_delivery_is_sent_again(both: Stage) -> None:
    await both.listener()
    job = await done(both.ledger)
    delivery = await tried(both, NO)
    async with browser_at(both) as browser:
        answer = await browser.post(f"/jobs/{job.id}/redeliver", data={"delivery": delivery})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job.id}")
        row = await both.ledger.read(delivery_table.get, delivery)
        assert (row.status, row.trigger) == ("pending", "manual")
        assert f"{delivery} is sent again." in await page_of(browser, job)
        assert (await browser.post(f"/jobs/{job.id}/redeliver", data={"delivery": "x"})).status_code == 400
        nobody = {"delivery": f"dlv_{'0' * 26}"}
        assert (await browser.post(f"/jobs/{job.id}/redeliver", data=nobody)).status_code == 404


async def test_what_can_be_done_depends_on_the_state(stage: Stage, browser: httpx.AsyncClient) -> None:
    offered = {
        (await unconfirmed(stage.ledger)).id: {"resubmit"},
        (await done(stage.ledger)).id: {"delete"},
        (bad := await pending(stage.ledger)).id: {"resubmit", "delete"},
        (await pending(stage.ledger, "task-2")).id: {"cancel"},
        (await queued(stage.ledger)).id: {"cancel"},
    }
    assert await told(stage.ledger, bad, failed()) == ["accepted"]
    for job_id, acts in offered.items():
        page = await page_of(browser, job_id)
        assert {act for act in ("cancel", "resubmit", "delete") if f'action="/jobs/{job_id}/{act}"' in page} == acts


async def test_a_queued_job_is_canceled(both: Stage) -> None:
    job = await queued(both.ledger)
    async with browser_at(both) as browser:
        answer = await browser.post(f"/jobs/{job.id}/cancel")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job.id}")
        assert (await both.ledger.read(jobs.get, job.id)).status == "canceled"
        page = await page_of(browser, job)
        assert "The job is canceled." in page
        assert "canceled before it was sent" in page


async def test_what_cannot_be_done_any_more_is_said(stage: Stage, browser: httpx.AsyncClient) -> None:
    job = await done(stage.ledger)
    for act in ("cancel", "resubmit"):
        answer = await browser.post(f"/jobs/{job.id}/{act}")
        assert answer.status_code == 409
        assert "he job is succeeded" in answer.text
    assert (await browser.post(f"/jobs/job_{'0' * 26}/cancel")).status_code == 404
    await page_of(browser, f"job_{'0' * 26}", 404)


async def test_a_failed_job_is_resubmitted_as_a_new_one(both: Stage) -> None:
    job = await pending(both.ledger)
    assert await told(both.ledger, job, failed("DataInspectionFailed", BAD)) == ["accepted"]
    async with browser_at(both) as browser:
        page = await page_of(browser, job)
        assert "DataInspectionFailed: &lt;script&gt;" in page
        assert '<div class="note bad"><p><strong>DataInspectionFailed' in page
        answer = await browser.post(f"/jobs/{job.id}/resubmit")
        new = answer.headers["location"].removeprefix("/jobs/")
        assert (await both.ledger.read(jobs.get, new)).resubmit_of == job.id
        assert f'<a href="/jobs/{job.id}"><code>{job.id}</code></a>' in await page_of(browser, new)


async def test_a_finished_job_is_erased(both: Stage) -> None:
    job = await done(both.ledger)
    async with browser_at(both) as browser:
        answer = await browser.post(f"/jobs/{job.id}/delete")
        assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
        assert await count(both.ledger, table) == 0
        await page_of(browser, job, 404)


@pytest.mark.parametrize(("scope", "may"), [("read", set()), ("submit", {"cancel", "resubmit"})])
async def test_a_key_of_less_scope_sees_and_may_do_less(stage: Stage, scope: str, may: set[str]) -> None:
    key = (await stage.client.post("/v1/keys", json={"name": "Ann", "scope": scope})).json()["key"]
    await stage.listener()
    bad, good = await pending(stage.ledger), await queued(stage.ledger)
    assert await told(stage.ledger, bad, failed()) == ["accepted"]
    await tried(stage, NO)
    async with browser_at(stage, key) as browser:
        pages = await page_of(browser, bad) + await page_of(browser, good)
        acts = {act for act in ("cancel", "resubmit", "delete", "redeliver") if f"/{act}" in pages}
        assert acts == may
        for act in {"cancel", "resubmit", "delete", "redeliver"} - may:
            assert (await browser.post(f"/jobs/{bad.id}/{act}", data={})).status_code == 403
    assert (await stage.ledger.read(jobs.get, good.id)).status == "queued"
    assert await count(stage.ledger, table) == 2
