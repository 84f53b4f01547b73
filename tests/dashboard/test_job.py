"""`/jobs/{id}`: the whole story, bodies as they came, what can be done and by whom; and that no data breaks it."""

import html
import re
import shlex
from typing import Any

import httpx2 as httpx
import pytest
from builders import NOW, done, execute, pending, rows, succeeded
from builders import calls_back as told
from sqlalchemy import text, update

from ledger import dossier
from ledger.clock import MINUTE, SECOND
from ledger.job import Job
from ledger.schema import attempts, callbacks, deliveries, lanes, notifications
from ledger.schema import jobs as table
from postback.dashboard import curl, job_timeline
from receiver.advice import advise
from tests.api.stage import Stage, finished

from .conftest import browser_at
from .job_page import BAD, NO, YES, copies, page_of, tried, words

pytestmark = pytest.mark.anyio


async def test_the_timeline_tells_everything_in_order_with_the_time_between(both: Stage) -> None:
    async with browser_at(both) as browser:
        subscriber = await both.listener(url="https://subscriber.example/hook")
        job = await pending(both.ledger, "task-9")
        both.clock.advance(90 * SECOND)
        assert (await both.calls_back(job, finished("task-9"))).status_code == 200
        both.clock.advance(2 * SECOND)
        delivery = await tried(both, NO, YES | {"status_code": 202})
        page = await page_of(browser, job)
        said = words(page)
        order = [
            "recorded for dashscope flux-schnell",
            "the provider took it as task-9",
            "after +1 min 30 s callback received: accepted",
            "notification job.succeeded",
            "delivered https://subscriber.example/hook",
            "after +2.0 s Attempt 1: HTTP 500 in 120 ms",
            "after +1 min Attempt 2: HTTP 202",
        ]
        places = [said.index(sentence) for sentence in order]
        assert places == sorted(places)
        assert "1 of 1 deliveries made" in said
        for path in (f"/subscribers/{subscriber}", f"/deliveries/{delivery}"):
            assert f'href="{path}"' in page
        (callback,) = await rows(both.ledger, callbacks)
        assert f'href="/inbox/{callback.id}"' in page
        assert 'data-live="' in page


async def test_bodies_are_shown_as_they_came_digit_for_digit(stage: Stage, browser: httpx.AsyncClient) -> None:
    body = (
        b'{"request_id": "r",  "output": {"task_id": "t", "task_status": "SUCCEEDED", "results": [{"url": "https://i/1"}],'
        b' "note": "</pre><script>alert(1)</script>"}, "cost": 1.10, "big": 123456789012345678901234567890, "e": 1E+2}'
    )
    job = await pending(stage.ledger, "t")
    assert (await stage.calls_back(job, body, **{"x-evil": "<b>bold</b>"})).status_code == 200
    page = await page_of(browser, job)
    assert body.decode() in copies(page)
    for digits in ("1.10", "123456789012345678901234567890", "1E+2"):
        assert f": {digits}" in page
    assert "<script>alert" not in page
    assert "x-evil: &lt;b&gt;bold&lt;/b&gt;" in page
    (notification,) = await rows(stage.ledger, notifications)
    assert notification.body.decode() in copies(page)


async def test_a_large_body_is_shown_in_part_with_the_way_to_all_of_it(both: Stage) -> None:
    async with browser_at(both) as browser:
        job = await done(both.ledger, input={"prompt": "x" * 700_000}, metadata={"m": "y" * 200_000})
        (callback,) = await rows(both.ledger, callbacks)
        large = update(callbacks).where(callbacks.c.id == callback.id).values(body="é".encode() * 500_000)
        await execute(both.ledger, large)
        page = await page_of(browser, job)
        assert len(page) < 200_000
        assert "The first 16 KiB" in page
        assert f'<a href="/inbox/{callback.id}">See all of it</a>' in page
        assert "postback notifications show ntf_" in page
        assert "\N{REPLACEMENT CHARACTER}" not in page
        assert "(200,000 characters)" in page


def test_half_a_character_and_bytes_that_are_no_text() -> None:
    body = "aé".encode()
    assert job_timeline.body_of(body[:2], 3) == job_timeline.Body(3, 2, "a", None)
    binary = job_timeline.body_of(b"\xff\xfe", 2)
    assert (binary.text, binary.is_binary, binary.is_cut) == ("//4=", True, False)
    assert job_timeline.body_of(b"\xff" * 4, 9).is_binary
    assert job_timeline.body_of(b'{"a":1}', 7).laid_out == '{\n  "a": 1\n}'
    assert job_timeline.body_of(b"[1,", 9).laid_out is None


async def test_why_a_delivery_is_dead_and_what_to_do(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.listener()
    job = await done(stage.ledger)
    delivery = await tried(stage, NO, NO)
    page = await page_of(browser, job)
    assert "Dead: the subscriber answered HTTP 500" in page
    assert html.escape(advise("status", 500, None) or "?").replace("&#x27;", "&#39;") in page
    assert BAD not in page
    assert html.escape(BAD).replace("&#x27;", "&#39;") in page
    assert f'<input type="hidden" name="delivery" value="{delivery}">' in page


async def test_the_next_attempt_is_counted_down(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.listener()
    job = await done(stage.ledger)
    await execute(stage.ledger, update(deliveries).values(due_at=NOW + 5 * MINUTE, attempt_count=1))
    page = await page_of(browser, job)
    assert "data-countdown>in 5 min</time>" in page
    assert "Attempt 2 is next" in page


async def test_images_are_ours_and_theirs_are_links(both: Stage) -> None:
    job = await pending(both.ledger)
    urls = ["https://images.example/1.png?sign=a&b", "javascript:alert(1)", "https://images.example/3.png"]
    assert await told(both.ledger, job, succeeded(*urls)) == ["accepted"]
    artifact = {"id": f"art_{'0' * 26}", "media_type": "image/png", "size": 68, "sha256": "0" * 64}
    results: list[dict[str, Any]] = [{"url": url, "error": None, "artifact": None} for url in urls]
    results[2]["artifact"] = artifact
    results.append({"url": None, "error": {"code": "InternalError", "message": BAD}, "artifact": None})
    await execute(both.ledger, update(table).where(table.c.id == job.id).values(results=results))
    async with browser_at(both) as browser:
        page = await page_of(browser, job)
        path = both.house.links.url(artifact["id"]).removeprefix(both.house.settings.public_url)
        assert re.findall(r'<img src="([^"]+)" alt="([^"]+)"', page.partition("<main")[2]) == [
            (path, "a lighthouse — 灯塔 \u0000")
        ]
        assert '<a href="https://images.example/1.png?sign=a&amp;b" rel="noreferrer noopener"' in page
        assert 'href="javascript:' not in page
        assert "<span>javascript:alert(1)</span>" in page
        assert "InternalError: &lt;script&gt;" in page


def arguments(command: str) -> list[str]:
    return shlex.split(command.replace("\\\n", " "))


async def test_the_submission_is_copied_as_curl_without_a_key(stage: Stage, browser: httpx.AsyncClient) -> None:
    prompt = 'it\'s a $HOME `id` "cat"\n@'
    answer = await stage.submit(input={"prompt": prompt}, parameters={"seed": 2**60 + 1}, metadata={"a": 1.5})
    page = await page_of(browser, answer["id"])
    (command,) = [copied for copied in copies(page) if copied.startswith("curl")]
    words = arguments(command)
    assert words[:6] == ["curl", "-sS", "-X", "POST", "--url", f"{stage.house.settings.public_url}/v1/jobs"]
    assert '-H "Authorization: Bearer $POSTBACK_API_KEY"' in command
    assert words[-2] == "--data-raw"
    again = await stage.client.post("/v1/jobs", content=words[-1], headers={"content-type": "application/json"})
    fields = ("provider", "model", "input", "parameters", "metadata")
    assert {name: again.json()[name] for name in fields} == {name: answer[name] for name in fields}
    assert stage.house.api_key not in page


async def test_what_an_attempt_sent_is_copied_as_curl(stage: Stage, browser: httpx.AsyncClient) -> None:
    url = "https://subscriber.example/it's?a=$(id)&b"
    await stage.listener(url=url)
    job = await done(stage.ledger)
    sent = {"content-type": "application/json", "webhook-id": "ntf_1", "authorization": "…", "content-length": "9"}
    await tried(stage, NO | {"request_headers": sent})
    (command,) = [
        copied
        for copied in copies(await page_of(browser, job))
        if copied.startswith("curl") and "subscriber.example" in copied
    ]
    (notification,) = await rows(stage.ledger, notifications)
    assert arguments(command) == [
        *("curl", "-sS", "-X", "POST", "--url", url),
        *("-H", "content-type: application/json", "-H", "webhook-id: ntf_1"),
        *("--data-raw", notification.body.decode()),
    ]


def test_no_command_is_made_of_too_much() -> None:
    job = Job("job_1", "dashscope", "m", "queued", {"prompt": "x" * curl.MAX_SIZE}, {}, {}, NOW)
    assert curl.submit("http://x", job) is None


async def test_bad_data_is_text_wherever_it_comes_from(both: Stage) -> None:
    names = {BAD: BAD, "url": "javascript:alert(1)"}
    await both.listener(url=f"https://subscriber.example/{BAD}")
    job = await done(both.ledger, input={"prompt": BAD, **names}, parameters=names, metadata=names, model=BAD)
    await tried(both, NO | {"error": BAD, "error_class": "tls", "request_headers": names, "response_headers": names})
    await execute(both.ledger, update(table).values(warnings=[BAD, f"hint: {BAD}"], usage={"image_count": BAD}))
    async with browser_at(both) as browser:
        page = await page_of(browser, job)
        assert "<script>alert" not in page
        assert page.count("&lt;script&gt;alert") > 10
        assert " style=" not in page


@pytest.mark.parametrize("damage", ["{", "[]", '"text"', "7"])
@pytest.mark.parametrize("column", ["input", "parameters", "results", "error", "warnings", "usage", "callback_counts"])
async def test_a_damaged_job_says_so_and_leads_to_what_is_left(
    stage: Stage, browser: httpx.AsyncClient, column: str, damage: str
) -> None:
    job = await done(stage.ledger)
    harm = text(f"UPDATE jobs SET {column} = :damage WHERE id = :id").bindparams(damage=damage, id=job.id)
    await execute(stage.ledger, harm)
    answer = await browser.get(f"/jobs/{job.id}")
    assert answer.status_code in (200, 503)
    if answer.status_code == 503:
        assert "This job cannot be shown" in answer.text
        assert f'href="/inbox?job_id={job.id}"' in answer.text
    assert damage != "{" or answer.status_code == 503


@pytest.mark.parametrize(
    ("name", "column", "damage"),
    [
        ("callbacks", "headers", "{{"),
        ("callbacks", "body", b"\xff\x00\xfe"),
        ("notifications", "body", b"no JSON"),
        ("attempts", "request_headers", "[1]"),
        ("attempts", "timing", "{{"),
        ("deliveries", "due_at", 10**17),
    ],
)
async def test_what_belongs_to_a_job_may_be_damaged(both: Stage, name: str, column: str, damage: Any) -> None:
    await both.listener()
    job = await done(both.ledger)
    await tried(both, NO | {"request_headers": {}, "timing": {"dns": 1}})
    if name == "deliveries":
        await execute(both.ledger, update(deliveries).values(status="pending"))
    await execute(both.ledger, text(f"UPDATE {name} SET {column} = :damage").bindparams(damage=damage))
    async with browser_at(both) as browser:
        page = await page_of(browser, job)
        assert "Attempt 1" in page


async def test_a_page_of_many_deliveries_stays_small(both: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dossier, "MOST_DELIVERIES", 3)
    monkeypatch.setattr(dossier, "MOST_ATTEMPTS", 2)
    for _ in range(5):
        await both.listener()
    job = await done(both.ledger)
    newest = (await rows(both.ledger, deliveries))[-1].id
    for number in range(1, 5):
        values = {"id": f"att_{number:026}", "delivery_id": newest, "number": number, "trigger": "schedule"}
        times = {"started_at": NOW + number, "duration_ms": 1}
        await execute(both.ledger, attempts.insert().values(**values | times | NO))
    await execute(both.ledger, update(deliveries).where(deliveries.c.id == newest).values(attempt_count=4))
    async with browser_at(both) as browser:
        page = await page_of(browser, job)
        assert page.count('class="sending"') == 3
        assert f'<a href="/deliveries?job_id={job.id}">see all</a>' in page
        assert "2 older attempts are not shown here." in page
        assert "Attempt 4" in page
        assert "Attempt 2:" not in page


async def test_what_nobody_was_told_is_said(stage: Stage, browser: httpx.AsyncClient) -> None:
    job = await done(stage.ledger)
    page = await page_of(browser, job)
    assert "nobody was told, for no subscriber wanted it of this job" in page
    assert "billed</dt><dd>1 image</dd>" in page


async def test_why_nothing_is_sent_for_now_is_said(both: Stage) -> None:
    await both.listener()
    job = await done(both.ledger)
    later = {"paused_until": both.clock() + 5 * MINUTE}
    async with browser_at(both) as browser:
        assert "held back" not in await page_of(browser, job)
        await execute(both.ledger, update(lanes).values(**later))
        assert "held back: it was asked there to slow down; it goes on in 5 min" in words(await page_of(browser, job))
        await execute(both.ledger, update(lanes).values(**later, probing=True, failures=60))
        assert "held back: 60 attempts in a row failed there, so one at a time is tried" in await page_of(browser, job)
        both.clock.advance(6 * MINUTE)
        await execute(both.ledger, update(lanes).values(probing=False))
        assert "held back" not in await page_of(browser, job)
