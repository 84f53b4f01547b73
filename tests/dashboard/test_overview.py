"""`/`: each number is right, and leads to the list behind it."""

import html
import re

import httpx2 as httpx
import pytest
from builders import NOW, calls_back, done, execute, failed, owe, pending, queued
from sqlalchemy import update

from ledger import trials
from ledger.clock import HOUR, MINUTE
from ledger.rates import SAMPLE, Step, Try
from ledger.schema import deliveries, jobs, lanes, paces
from postback.dashboard import activity
from tests.api.stage import Stage

from .conftest import browser_at

pytestmark = pytest.mark.anyio


async def shown(browser: httpx.AsyncClient) -> str:
    answer = await browser.get("/")
    assert answer.status_code == 200
    return html.unescape(answer.text)


def figure(page: str, href: str) -> str:
    """The number that leads there. The page may say it in several places, and must say the same in all."""
    (found,) = set(re.findall(rf'<a(?: class="text-bad")? href="{re.escape(href)}">([^<]*)</a>', page))
    return str(found)


async def test_an_empty_house_says_what_to_do_first(browser: httpx.AsyncClient) -> None:
    page = await shown(browser)
    assert "Nothing has happened yet." in page
    assert '<a href="/new-job">Submit a first job</a>' in page
    assert "Nothing is overdue." in page
    assert "All subscribers get what they should." in page
    assert figure(page, "/jobs?status=queued") == "0"


async def test_each_number_leads_to_its_list(both: Stage) -> None:
    async with browser_at(both) as browser:
        await done(both.ledger)
        assert await calls_back(both.ledger, await pending(both.ledger), failed()) == ["accepted"]
        await pending(both.ledger, provider="acedata")
        for _ in range(2):
            await queued(both.ledger)
        subscriber = await both.listener()
        await owe(both.ledger, subscriber, 3)
        page = await shown(browser)
        assert figure(page, "/jobs?status=queued") == "2"
        assert figure(page, "/jobs?status=pending") == "1"
        assert figure(page, "/jobs?provider=acedata&status=pending") == "1"
        assert figure(page, "/jobs?provider=dashscope&status=queued") == "2"
        assert figure(page, "/jobs?status=succeeded&created_after=2023-11-13T22:13:00.000Z") == "1"
        assert figure(page, "/jobs?status=failed&created_after=2023-11-13T22:13:00.000Z") == "1"
        assert figure(page, "/deliveries?status=pending") == "3"
        assert "Nothing has happened yet." not in page


async def test_the_most_overdue_work_is_named(stage: Stage, browser: httpx.AsyncClient) -> None:
    job = await queued(stage.ledger)
    stage.clock.advance(2 * HOUR)
    page = await shown(browser)
    assert f'<a href="/jobs/{job.id}"><code>{job.id}</code></a>' in page
    assert "data-relative>2 h ago</time>" in page


async def test_a_subscriber_in_trouble_is_named_with_the_reason(stage: Stage, browser: httpx.AsyncClient) -> None:
    subscriber = await stage.listener(url="https://a.example/<script>")
    failing = {"failures": 60, "failing_since": NOW - HOUR, "paused_until": NOW + MINUTE}
    await execute(stage.ledger, update(lanes).where(lanes.c.key == subscriber).values(**failing))
    answer = (await browser.get("/")).text
    assert f'<a href="/subscribers/{subscriber}">https://a.example/&lt;script&gt;</a>' in answer
    assert "60 failures in a row" in answer
    assert "data-countdown>in 1 min</time>" in answer
    assert "All subscribers get what they should." not in answer


async def test_a_lowered_pace_and_the_day_s_budget_are_shown(both: Stage) -> None:
    async with browser_at(both) as browser:
        both.house.settings = both.house.settings.model_copy(update={"acedata_daily_images": 10})
        order = {"provider": "acedata", "model": "flux-dev", "parameters": {"size": "1024x1024", "count": 3}}
        job = await queued(both.ledger, **order)
        await execute(both.ledger, update(jobs).where(jobs.c.id == job.id).values(status="pending", sent_at=NOW))
        slowed = {
            "submit:dashscope:flux-dev": (NOW + HOUR, 4.0),
            "query:acedata": (0, 2.0),
            "submit:acedata:*": (0, 1.0),
        }
        for name, (next_at, slowdown) in slowed.items():
            await execute(both.ledger, paces.insert().values(key=name, next_at=next_at, slowdown=slowdown))
        page = await shown(browser)
        assert "3 of 10" in page
        assert '<meter min="0" max="10" value="3"' in page
        assert "flux-dev: 4 × slower, held, goes on" in page
        assert "asking: 2 × slower</span>" in page
        assert "all models" not in page, "that one goes as fast as set"
        assert "no daily cap" in page


async def test_attempts_and_their_failures_are_told_in_words_too(stage: Stage, browser: httpx.AsyncClient) -> None:
    page = await shown(browser)
    assert 'aria-label="Last hour: nothing arrived."' in page
    assert page.count('role="img"') == page.count('role="img" aria-label="Last ') == 4


def step(*tries: Try, start: int = 0, length: int = MINUTE, more: bool = False) -> Step:
    return Step(start, start + length, tries, more)


def test_a_summary_counts_and_orders() -> None:
    tries = [Try(n, 10 * n, n % 10 != 0) for n in range(1, 101)]
    total = activity.summary([step(*tries[:50]), step(*tries[50:], start=MINUTE)], 2 * MINUTE)
    assert (total.count, total.good, total.p50, total.p95, total.estimated) == (100, 90, 500, 950, False)


def test_nothing_is_no_number() -> None:
    total = activity.summary([step(), step(start=MINUTE)], 2 * MINUTE)
    assert (total.count, total.good, total.p50, total.p95) == (0, 0, None, None)


def test_a_sample_stands_for_the_whole_step() -> None:
    """Half of the sample's time is a quarter of the step, so there were four times as many."""
    tries = [Try(n * 60, 5, n % 2 == 0) for n in range(SAMPLE)]
    total = activity.summary([step(*tries, more=True)], MINUTE)
    assert total.estimated
    assert total.count == pytest.approx(SAMPLE * MINUTE / tries[-1].at, rel=0.01)
    assert total.good == pytest.approx(total.count / 2)


def test_a_step_that_is_not_over_stands_for_what_there_was_of_it() -> None:
    tries = [Try(n, 5, True) for n in range(SAMPLE)]
    assert activity.summary([step(*tries, more=True)], SAMPLE).count == SAMPLE


def test_bars_stand_on_the_ground_and_reach_the_top() -> None:
    drawn = activity.bars([step(Try(0, 5, True), Try(1, 5, False)), step(start=MINUTE)], 2 * MINUTE, "attempts")
    full, empty = drawn.bars
    assert drawn.most == 2
    assert (full.bad, full.good) == ((0, activity.HEIGHT / 2), (activity.HEIGHT / 2, activity.HEIGHT / 2))
    assert full.says == "00:00–00:01 UTC: 2 attempts, 1 failed"
    assert (empty.good[1], empty.bad[1], empty.says) == (0, 0, "00:01–00:02 UTC: 0 attempts")
    assert 0 < full.x < full.x + full.width < empty.x


def test_a_line_is_broken_where_nothing_happened() -> None:
    steps = [step(Try(0, 50, True)), step(), step(Try(0, 100, True)), step(Try(0, 0, True))]
    drawn = activity.lines(steps, MINUTE)
    assert drawn.most == 100
    assert drawn.low == drawn.high == "M37.5 30.0h2M187.5 0.0L262.5 60.0"


async def test_a_test_that_failed_is_nothing_that_is_missing(both: Stage) -> None:
    async with browser_at(both) as browser:
        subscriber = await both.listener()
        await both.ledger.write(trials.begin, subscriber, "postback.ping", {}, MINUTE)
        await execute(both.ledger, update(deliveries).values(status="dead", due_at=None))
        page = await shown(browser)
        assert figure(page, "/deliveries?status=dead") == "0"
        assert "All subscribers get what they should." in page
        fields = {"subscriber_id": subscriber, "status": "dead", "since": "1h"}
        progress = (await browser.get("/deliveries/recover/progress", params=fields)).text
        assert "<progress" not in progress
        assert figure(html.unescape(progress), f"/deliveries?subscriber_id={subscriber}&status=dead") == "0"
