"""`/deliveries`: each attempt with its request and answer, and sending one again."""

import html
import re
from typing import Any

import httpx2 as httpx
import pytest
from builders import calls_back, execute, pending, succeeded
from sqlalchemy import update

from ledger.clock import HOUR, SECOND
from ledger.schema import attempts, deliveries, lanes
from postback.dashboard import phases
from tests.api.stage import Stage
from tests.api.test_deliveries import owe, tried
from tests.dashboard.conftest import browser_at

pytestmark = pytest.mark.anyio

BAD = "</pre><script>alert('x')</script>"
TIMING = {"dns": 3, "connect": 5, "tls": None, "response": 1_400}


async def shown(browser: httpx.AsyncClient, path: str) -> str:
    answer = await browser.get(path)
    assert answer.status_code == 200, answer.text
    assert "<script>alert" not in answer.text
    return html.unescape(answer.text)


async def refused(stage: Stage, status: str = "dead", **changes: Any) -> None:
    failed = {"status_code": 503, "error_class": "status", "error": "the subscriber answered HTTP 503"}
    failed |= {"response_excerpt": BAD, "request_headers": {"webhook-id": "ntf_1"}, "response_headers": {"x-says": BAD}}
    due_at = stage.clock() + HOUR if status == "pending" else None
    await tried(stage, status, due_at, **(failed | {"timing": TIMING} | changes))


def listed(page: str) -> list[str]:
    return re.findall(r'href="/deliveries/(dlv_[0-9a-z]+)" title', page)


async def key_of(stage: Stage, scope: str) -> str:
    answer = await stage.client.post("/v1/keys", json={"name": scope, "scope": scope})
    return str(answer.json()["key"])


async def test_deliveries_are_listed_and_filtered(both: Stage) -> None:
    async with browser_at(both) as browser:
        assert "Nothing was sent yet." in await shown(browser, "/deliveries")
        first = await both.listener(url=f"https://a.example/{BAD}")
        second = await both.listener(url="https://b.example/hook")
        await _two(both)
        everything = await both.ids("/v1/deliveries")
        page = await shown(browser, "/deliveries")
        assert listed(page) == everything
        assert len(everything) == 4
        assert page.count("https://b.example/hook</a>") == 2
        one = await both.get(f"/v1/deliveries/{everything[0]}")
        for name, value in (
            ("subscriber_id", first),
            ("job_id", one["job_id"]),
            ("notification_id", one["notification_id"]),
            ("status", "dead"),
        ):
            its = await both.ids("/v1/deliveries", **{name: value})
            assert len(its) == 2, name
            assert listed(await shown(browser, f"/deliveries?{name}={value}")) == its, name
        both_of_them = f"/deliveries?status=dead&subscriber_id={first}&job_id="
        assert len(listed(await shown(browser, both_of_them))) == 1
        assert second in page
        assert "No delivery is like that." in await shown(browser, "/deliveries?job_id=none")
        answer = await browser.get("/deliveries?status=odd&job_id=job_7")
        assert answer.status_code == 422
        assert '<p class="error" id="e-status">must be one of pending, ' in answer.text
        assert 'name="job_id" type="text" value="job_7"' in answer.text
        assert listed(answer.text) == []
        assert (await browser.get("/deliveries/dlv_none")).status_code == 404


async def test_an_attempt_is_shown_with_all_that_is_known_of_it(both: Stage) -> None:
    async with browser_at(both) as browser:
        await both.listener(url=f"https://a.example/{BAD}")
        delivery = await owe(both)
        await refused(both, "pending")
        page = await shown(browser, f"/deliveries/{delivery}")
        assert "data-countdown>in 1 h</time>" in page
        assert "HTTP 503, failed" in page
        assert "<strong>What to do:</strong> The endpoint is overloaded or down" in page
        assert 'aria-label="name lookup 3 ms, connecting 5 ms, waiting for the answer 1.4 s"' in page
        assert "<dt>webhook-id</dt><dd>ntf_1</dd>" in page
        assert f"<dt>x-says</dt><dd>{BAD}</dd>" in page
        assert f"<code>{BAD}</code>" in page
        body = (await both.get(f"/v1/notifications/{(await both.ids('/v1/notifications'))[0]}"))["data"]["id"]
        assert f'    "id": "{body}",\n' in page
        assert f'href="/jobs/{body}"' in page


async def test_one_is_redelivered(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.listener()
    delivery = await owe(stage)
    await refused(stage)
    assert ">Redeliver</summary>" in await shown(browser, f"/deliveries/{delivery}")
    answer = await browser.post(f"/deliveries/{delivery}/redeliver", data={"at_once": ""})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/deliveries/{delivery}")
    again = await stage.get(f"/v1/deliveries/{delivery}")
    assert (again["status"], len(again["attempts"])) == ("pending", 1)
    assert "It is due now, and is being sent." in await shown(browser, f"/deliveries/{delivery}")


async def test_one_that_waits_is_sent_now(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.listener()
    delivery = await owe(stage)
    await refused(stage, "pending")
    assert (await browser.post(f"/deliveries/{delivery}/redeliver", data={"at_once": ""})).status_code == 409
    page = await shown(browser, f"/deliveries/{delivery}")
    assert ">Send now</summary>" in page
    assert '<input type="hidden" name="at_once" value="1">' in page
    answer = await browser.post(f"/deliveries/{delivery}/redeliver", data={"at_once": "1"})
    assert answer.status_code == 303
    await tried(stage, "delivered", status_code=204)


async def test_one_that_is_held_back_says_so(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.listener()
    delivery_id = await owe(stage)
    held = {"paused_until": stage.clock() + HOUR}
    await stage.ledger.write(lambda connection, _: connection.execute(update(lanes).values(held)).close())
    for path in ("/deliveries", f"/deliveries/{delivery_id}"):
        page = await shown(browser, path)
        assert "held back: it was asked there to slow down" in page
        assert "due now" not in page


async def test_who_may_only_look_changes_nothing(stage: Stage) -> None:
    await stage.listener()
    delivery = await owe(stage)
    await refused(stage)
    for scope in ("read", "submit"):
        async with browser_at(stage, await key_of(stage, scope)) as browser:
            page = await shown(browser, f"/deliveries/{delivery}")
            assert "redeliver" not in page.lower().replace("a person who redelivers", "")
            assert "Recover…" not in await shown(browser, "/deliveries")
            assert (await browser.post(f"/deliveries/{delivery}/redeliver", data={"at_once": ""})).status_code == 403
    assert (await stage.get(f"/v1/deliveries/{delivery}"))["status"] == "dead"


async def test_another_site_redelivers_nothing(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.listener()
    delivery = await owe(stage)
    await refused(stage)
    browser.headers["sec-fetch-site"] = "cross-site"
    assert (await browser.post(f"/deliveries/{delivery}/redeliver", data={"at_once": ""})).status_code == 403
    assert (await stage.get(f"/v1/deliveries/{delivery}"))["status"] == "dead"


async def test_a_damaged_attempt_hides_no_other(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.listener()
    delivery = await owe(stage)
    for status in ("pending", "dead"):
        await refused(stage, status)
        stage.clock.advance(HOUR)
    first, second = (one["id"] for one in (await stage.get(f"/v1/deliveries/{delivery}"))["attempts"])
    await stage.ledger.write(_damage, first)
    page = await shown(browser, f"/deliveries/{delivery}")
    assert f"Attempt {first} cannot be read: its row is damaged." in page
    assert f'id="{second}"' in page
    await execute(stage.ledger, update(deliveries).where(deliveries.c.id == delivery).values(created_at=10**17))
    assert 'class="text-bad">damaged</span>' in await shown(browser, "/deliveries")
    assert 'class="text-bad">damaged</span>' in await shown(browser, f"/deliveries/{delivery}")


async def test_of_many_attempts_the_latest_are_shown(
    stage: Stage, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postback.dashboard.deliveries.SHOWN_ATTEMPTS", 2)
    await stage.listener()
    delivery = await owe(stage)
    for status in ("pending", "pending", "dead"):
        await refused(stage, status)
        stage.clock.advance(HOUR)
    page = await shown(browser, f"/deliveries/{delivery}")
    assert re.findall(r"<strong>Attempt (\d)</strong>", page) == ["3", "2"]
    assert "1 earlier ones are in the answer of" in page


def test_the_bar_is_as_long_as_it_may_be() -> None:
    drawn = phases.bar({"dns": 0, "connect": 1, "tls": None, "response": 999_999})
    assert drawn is not None
    assert [one.key for one in drawn.phases] == ["dns", "connect", "response"]
    assert all(one.width >= phases.THINNEST for one in drawn.phases)
    assert drawn.phases[-1].x + drawn.phases[-1].width == pytest.approx(phases.WIDTH)
    assert drawn.says == "name lookup 0 ms, connecting 1 ms, waiting for the answer 16 min 40 s"
    assert phases.bar(None) is None
    assert phases.bar({"dns": None, "odd": 4, "tls": "text"}) is None


def _damage(connection: Any, moment: Any, attempt_id: str) -> None:
    spoilt = f"UPDATE {attempts.name} SET request_headers = '{{\"a' WHERE id = ?"
    connection.exec_driver_sql(spoilt, (attempt_id,)).close()


async def _two(stage: Stage) -> None:
    """Two jobs that two are told of: the first two deliveries are dead, the others are owed."""
    for task_id in ("task-1", "task-2"):
        job = await pending(stage.ledger, task_id)
        await calls_back(stage.ledger, job, succeeded(task_id=task_id))
        if task_id == "task-1":
            await refused(stage)
        stage.clock.advance(SECOND)
