"""`/jobs`: what it shows, finds and filters; that it loads images from nowhere else; that nothing breaks it."""

import html
import re
from typing import Any

import httpx2 as httpx
import pytest
from builders import NOW, done, execute, pending, queued, rows
from sqlalchemy import text, update

from ledger import listing, search
from ledger.clock import HOUR
from ledger.schema import deliveries, jobs
from tests.api.stage import Stage, problem

from .conftest import browser_at

pytestmark = pytest.mark.anyio

BAD = "<script>alert('prompt')</script>"


async def page_of(browser: httpx.AsyncClient, path: str = "/jobs", status: int = 200) -> str:
    answer = await browser.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


def listed(page: str) -> list[str]:
    """The jobs that a page leads to, in their order."""
    return list(dict.fromkeys(re.findall(r'href="/jobs/(job_\w+)"', page)))


async def kept(stage: Stage, prompt: str = "a fox", media_type: str = "image/png") -> tuple[str, str]:
    """A job with one image that we kept, and the path of that."""
    job = await done(stage.ledger, input={"prompt": prompt})
    artifact = {"id": f"art_{'0' * 26}", "media_type": media_type, "size": 68, "sha256": "0" * 64}
    result = {"url": "https://images.example/1.png?sign=secret", "error": None, "artifact": artifact}
    await execute(stage.ledger, update(jobs).where(jobs.c.id == job.id).values(results=[result]))
    return job.id, stage.house.links.url(artifact["id"]).removeprefix(stage.house.settings.public_url)


async def test_jobs_are_listed_newest_first_with_what_matters(both: Stage) -> None:
    async with browser_at(both) as browser:
        old = await queued(both.ledger, input={"prompt": "an old one"}, provider="acedata", model="flux-pro")
        both.clock.advance(2 * HOUR)
        new = await done(both.ledger, input={"prompt": "奔跑小猫"})
        page = await page_of(browser)
        assert listed(page) == [new.id, old.id]
        for said in ("奔跑小猫", "an old one", "succeeded", "flux-pro", "acedata", "2 h ago", "just now", old.id):
            assert said in page, said


async def test_an_empty_list_says_what_to_do(stage: Stage, browser: httpx.AsyncClient) -> None:
    assert "No jobs yet." in await page_of(browser)
    assert "No such job." in await page_of(browser, "/jobs?q=fox")


async def test_filters_are_in_the_address_and_in_the_form(both: Stage) -> None:
    async with browser_at(both) as browser:
        old = await queued(both.ledger, provider="acedata", model="flux-pro", metadata={"customer": "8"})
        both.clock.advance(2 * HOUR)
        new = await queued(both.ledger)
        finds: dict[str, list[str]] = {
            "status=queued": [new.id, old.id],
            "status=lost": [],
            "provider=acedata": [old.id],
            "model=flux-pro&provider=": [old.id],
            "created_after=1h": [new.id],
            "created_before=1h": [old.id],
            "created_before=2023-11-14T23:13:20Z": [old.id],
            "created_after=2023-11-14": [new.id, old.id],
            "created_after=2023-11-15T01:00%2B01:00": [new.id],
            "q=customer%3D8": [old.id],
            "q=灯塔&status=queued": [new.id, old.id],
            f"q={old.id}": [old.id],
        }
        for query, right in finds.items():
            assert listed(await page_of(browser, f"/jobs?{query}")) == right, query
        page = await page_of(browser, "/jobs?status=queued&q=%22a+lighthouse%22&created_after=3h&model=flux-pro")
        assert '<option value="queued" selected>' in page
        assert 'value="&#34;a lighthouse&#34;"' in page
        assert 'value="3h"' in page
        assert 'value="flux-pro" list=' in page


async def test_what_cannot_be_looked_for_is_said_beside_its_field(stage: Stage, browser: httpx.AsyncClient) -> None:
    await queued(stage.ledger)
    for query, said in {
        "created_after=soon": "write 2026-01-31",
        "created_before=99999-01-01": "write 2026-01-31",
        "status=done": "must be one of queued",
        "provider=replicate": "must be one of dashscope, acedata",
        f"q={'x' * (search.MAX_TEXT + 1)}": "at most 200 characters",
    }.items():
        page = await page_of(browser, f"/jobs?{query}", 422)
        name = query.partition("=")[0]
        assert re.search(rf'<p class="error" id="e-{name}">{said}', page), query
        assert listed(page) == []
    await page_of(browser, "/jobs?q=%00", 422)
    await page_of(browser, "/jobs?cursor=none", 400)


async def test_pages_follow_each_other_and_keep_the_filter(stage: Stage, browser: httpx.AsyncClient) -> None:
    made = [(await queued(stage.ledger)).id for _ in range(5)]
    seen, path = list[str](), "/jobs?status=queued&limit=2"
    for _ in range(3):
        page = await page_of(browser, path)
        seen += listed(page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = html.unescape(older[1]) if older else ""
        assert not older or "status=queued" in path
    assert (seen, path) == (made[::-1], "")


async def test_a_search_that_looked_at_enough_offers_to_go_on(
    stage: Stage, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKED_AT", 3)
    old = await queued(stage.ledger, input={"prompt": "the needle"})
    for _ in range(3):
        await queued(stage.ledger)
    page = await page_of(browser, "/jobs?q=needle")
    assert "Nothing found among these 3 jobs." in page
    older = re.search(r'rel="next" href="([^"]+)">Search older<', page)
    assert older is not None
    assert listed(await page_of(browser, html.unescape(older[1]))) == [old.id]


async def test_the_gallery_draws_what_we_kept_and_nothing_else(both: Stage) -> None:
    async with browser_at(both) as browser:
        job, path = await kept(both, "a <b>fox</b>")
        await done(both.ledger, input={"prompt": "not kept"})
        page = await page_of(browser, "/jobs?view=gallery")
        assert f'<img src="{path}" alt="a &lt;b&gt;fox&lt;/b&gt;"' in page
        assert re.findall(r'<img src="([^"]+)"', page.partition("<main")[2]) == [path]
        assert path.startswith("/artifacts/")
        assert "images.example" not in page
        assert ">not kept</span>" in page
        assert job in page
        assert "images.example" not in await page_of(browser)


async def test_what_a_browser_must_not_draw_is_not_drawn(stage: Stage, browser: httpx.AsyncClient) -> None:
    await kept(stage, media_type="image/svg+xml")
    page = await page_of(browser, "/jobs?view=gallery")
    assert "<img" not in page.partition("<main")[2]


async def test_bad_data_is_text(stage: Stage, browser: httpx.AsyncClient) -> None:
    await queued(stage.ledger, input={"prompt": BAD * 2_000}, model='"><img src=x onerror=alert(1)>')
    for path in ("/jobs", "/jobs?view=gallery", f"/jobs?q={BAD}&model={BAD}&created_after={BAD}"):
        page = (await browser.get(path)).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert len(await page_of(browser)) < 40_000


@pytest.mark.parametrize(
    ("column", "damage"),
    [
        ("input", "[1"),
        ("input", "[]"),
        ("metadata", "{{"),
        ("results", '{"a": 1}'),
        ("results", '[{"artifact": {"id": 7}, "url": []}, 3]'),
        ("created_at", 10**17),
        ("status", "<b>?"),
    ],
)
async def test_a_damaged_row_is_listed_beside_whole_ones(both: Stage, column: str, damage: Any) -> None:
    job, whole = await done(both.ledger), await pending(both.ledger, "task-2")
    harm = text(f"UPDATE jobs SET {column} = :damage WHERE id = :id").bindparams(damage=damage, id=job.id)
    await execute(both.ledger, harm)
    async with browser_at(both) as browser:
        for path in ("/jobs", "/jobs?view=gallery", "/jobs?q=dashscope&provider=dashscope"):
            page = await page_of(browser, path)
            assert "<b>?" not in page
        assert listed(await page_of(browser)) == [whole.id, job.id]


async def test_who_may_only_look_is_offered_nothing_else(stage: Stage) -> None:
    key = (await stage.client.post("/v1/keys", json={"name": "Ann", "scope": "read"})).json()["key"]
    async with browser_at(stage, key) as browser:
        assert "/new-job" not in await page_of(browser)


async def test_the_api_searches_the_same_way(both: Stage) -> None:
    fox = (await both.submit(input={"prompt": "a red fox"}, metadata={"customer": 7}))["id"]
    both.clock.advance(1)
    cat = (await both.submit(input={"prompt": "a red cat"}))["id"]
    assert await both.ids("/v1/jobs", q="red") == [cat, fox]
    assert await both.ids("/v1/jobs", q="RED customer=7") == [fox]
    assert await both.ids("/v1/jobs", q="red", status="lost") == []
    assert await both.ids("/v1/jobs", q=cat) == [cat]
    first = await both.get("/v1/jobs", q="red", limit=1)
    assert [one["id"] for one in first["data"]] == [cat]
    assert await both.ids("/v1/jobs", q="red", cursor=first["next_cursor"]) == [fox]
    problem(await both.client.get("/v1/jobs", params={"q": "x" * 201}), 422, "invalid")
    assert (await both.get(f"/v1/jobs/{fox}")) == (await both.get("/v1/jobs", q=fox))["data"][0]
    assert both.clock() > NOW


async def test_what_did_not_arrive_is_said_beside_the_state(both: Stage) -> None:
    async with browser_at(both) as browser:
        for _ in range(3):
            await both.listener()
        job = await done(both.ledger)
        whole = await done(both.ledger)
        of_job = [row.id for row in await rows(both.ledger, deliveries) if row.job_id == job.id]
        changes: list[dict[str, Any]] = [{"status": "dead", "due_at": None}] * 2 + [{"last_error": "HTTP 500"}]
        for delivery_id, values in zip(of_job, changes, strict=True):
            await execute(both.ledger, update(deliveries).where(deliveries.c.id == delivery_id).values(**values))
        error = {"url": None, "error": {"code": "InternalError", "message": "no"}, "artifact": None}
        await execute(both.ledger, update(jobs).where(jobs.c.id == job.id).values(results=[error]))
        assert await both.ledger.read(listing.missing, [job.id, whole.id]) == {job.id: listing.Missing(2, 1)}
        for view, of_images in (("table", ">1 failed<"), ("gallery", ">1 failed image<")):
            page = await page_of(browser, f"/jobs?view={view}")
            for hint in (">2 dead<", ">1 failing<", of_images):
                assert page.count(hint) == 1, (view, hint)
