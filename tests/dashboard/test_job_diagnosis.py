"""A job's page says first what did not arrive, which attempt failed, why, and what to do about it."""

import html

import httpx2 as httpx
import pytest
from builders import done, execute, rows
from sqlalchemy import update

from ledger.clock import MINUTE
from ledger.schema import deliveries
from postback.dashboard import job_diagnosis
from receiver.advice import advise
from tests.api.stage import Stage

from .conftest import browser_at
from .job_page import NO, YES, page_of, tried, words

pytestmark = pytest.mark.anyio

URL = "https://subscriber.example/hook"


def top(page: str) -> str:
    """What stands above the cards."""
    return page.partition("<main")[2].partition('class="grid of-job"')[0]


async def test_a_dead_delivery_is_the_first_thing_said(both: Stage) -> None:
    async with browser_at(both) as browser:
        await both.listener(url=URL)
        job = await done(both.ledger)
        delivery = await tried(both, NO, NO)
        page = await page_of(browser, job)
        assert f"job.succeeded to {URL} is dead: attempt 2, the last, failed with HTTP 500" in words(top(page))
        assert str(advise("status", 500, None)) in html.unescape(top(page))
        assert f'href="/deliveries/{delivery}"' in top(page)
        assert '<div class="note bad">' in top(page)
        assert '<p class="text-bad">0 of 1 deliveries made, 1 dead</p>' in page


async def test_one_that_fails_so_far_says_when_it_goes_on(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.listener(url=URL)
    job = await done(stage.ledger)
    await tried(stage, NO)
    open_again = {"status": "pending", "due_at": stage.clock() + 5 * MINUTE, "finished_at": None}
    await execute(stage.ledger, update(deliveries).values(**open_again))
    page = await page_of(browser, job)
    said = words(top(page))
    assert f"job.succeeded to {URL} has not arrived yet: attempt 1 failed with HTTP 500 ; attempt 2: in 5 min" in said
    assert '<div class="note warn">' in top(page)
    assert '<p class="text-warn">0 of 1 deliveries made</p>' in page
    await execute(stage.ledger, update(deliveries).values(status="delivering"))
    assert "; attempt 2 is under way" in words(top(await page_of(browser, job)))


async def test_what_was_not_sent_and_what_arrived(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.listener(url=URL)
    job = await done(stage.ledger)
    waits = await page_of(browser, job)
    assert '<div class="note' not in top(waits), "nothing failed yet"
    await tried(stage, NO, YES)
    page = await page_of(browser, job)
    assert '<div class="note' not in top(page)
    assert '<p class="muted">1 of 1 deliveries made</p>' in page
    why = {"status": "skipped", "last_error": "the subscriber is disabled"}
    await execute(stage.ledger, update(deliveries).values(**why))
    assert f"job.succeeded to {URL} was not sent: the subscriber is disabled" in words(top(await page_of(browser, job)))


async def test_several_to_one_place_are_told_once(stage: Stage, browser: httpx.AsyncClient) -> None:
    for _ in range(2):
        await stage.listener(url=URL)
    job = await done(stage.ledger)
    first, second = await rows(stage.ledger, deliveries)
    dead = {"status": "dead", "due_at": None, "last_error": "gone", "subscriber_id": first.subscriber_id}
    await execute(stage.ledger, update(deliveries).values(**dead))
    page = top(await page_of(browser, job))
    assert page.count('<div class="note') == 1
    assert f"job.succeeded (and 1 more) to {URL} is dead: gone" in words(page)
    assert second.id in page


async def test_time_between_attempts_is_counted_from_start_to_start(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.listener(url=URL)
    job = await done(stage.ledger)
    await tried(stage, NO | {"duration_ms": 20_000}, NO)
    assert "after +1 min Attempt 2:" in words(await page_of(browser, job))


async def test_only_some_places_are_told_before_all_else(stage: Stage, browser: httpx.AsyncClient) -> None:
    for _ in range(job_diagnosis.SHOWN + 2):
        await stage.listener()
    job = await done(stage.ledger)
    await execute(stage.ledger, update(deliveries).values(status="dead", due_at=None, last_error="gone"))
    page = top(await page_of(browser, job))
    assert page.count('<div class="note') == job_diagnosis.SHOWN
    assert "Nor did it arrive at 2 other places" in words(page)
