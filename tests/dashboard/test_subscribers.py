"""`/subscribers`: how each is doing, and what is done to one."""

import html
import re
from typing import Any

import httpx2 as httpx
import pytest
from builders import NOW, execute, owe
from sqlalchemy import update

from ledger import audit, subscribers
from ledger.clock import MINUTE
from ledger.errors import NotFound
from ledger.schema import lanes
from ledger.schema import subscribers as table
from receiver.advice import advise
from tests.api.stage import Stage
from tests.api.test_deliveries import owe as job_done
from tests.api.test_deliveries import tried
from tests.dashboard.conftest import browser_at

pytestmark = pytest.mark.anyio

BAD = "<script>alert('x')</script>"
URL = "https://example.com/hook"
TOKEN = "a-token-that-nobody-may-see"
FORM: dict[str, Any] = {
    "url": URL,
    "description": "The shop",
    "events": ["job.succeeded", "delivery.*"],
    "headers": f"Authorization: Bearer {TOKEN}\r\nX-Shop: 7",
    "metadata": '{"team": "a", "exact": 12345678901234567890}',
    "max_in_flight": "3",
    "rate_limit": "2.5",
    "filter": '{"model": ["flux-dev"]}',
    "payload": "thin",
    "schedule": "0s, 1m",
    "signature": "v1a",
}


async def shown(browser: httpx.AsyncClient, path: str, status: int = 200) -> str:
    answer = await browser.get(path)
    assert answer.status_code == status, answer.text
    assert "<script>alert" not in answer.text
    return html.unescape(answer.text)


async def only(stage: Stage) -> Any:
    """The one subscriber there is."""
    [one] = (await stage.get("/v1/subscribers"))["data"]
    return one


def secret_in(page: str) -> str:
    found = re.search(r'<code class="secret" id="secret">([^<]+)</code>', page)
    assert found is not None
    return found[1]


async def key_of(stage: Stage, scope: str) -> str:
    answer = await stage.client.post("/v1/keys", json={"name": scope, "scope": scope})
    return str(answer.json()["key"])


async def test_one_is_disabled_and_enabled(stage: Stage, browser: httpx.AsyncClient) -> None:
    listener = await stage.listener()
    await owe(stage.ledger, listener)
    path = f"/subscribers/{listener}"
    answer = await browser.post(f"{path}/disable")
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    page = await shown(browser, path)
    assert "It is disabled" in page
    assert "disabled by hand" in page
    assert f'href="/deliveries/recover?subscriber_id={listener}&since=2023-11-14T22:13:20.000Z"' in page
    assert (await only(stage))["enabled"] is False
    await browser.post(f"{path}/enable")
    assert (await only(stage))["enabled"] is True
    assert "It is disabled" not in await shown(browser, path)


async def test_its_secret_is_rotated_and_shown_once(stage: Stage, browser: httpx.AsyncClient) -> None:
    listener = await stage.listener()
    path = f"/subscribers/{listener}"
    before = (await stage.get(f"/v1{path}/secret"))["secret"]
    answer = await browser.post(f"{path}/rotate-secret", data={"grace": "2h"})
    assert answer.status_code == 200
    page = html.unescape(answer.text)
    secret = secret_in(page)
    assert secret == (await stage.get(f"/v1{path}/secret"))["secret"] != before
    assert "signs beside it for 2h" in page
    assert secret not in await shown(browser, path)
    assert (await browser.post(f"{path}/rotate-secret", data={"grace": "soon"})).status_code == 422
    assert (await stage.get(f"/v1{path}/secret"))["secret"] == secret


async def test_a_test_is_sent_and_its_result_shown(stage: Stage, browser: httpx.AsyncClient) -> None:
    listener = await stage.listener(url="http://127.0.0.1:9/refused-by-the-guard")
    answer = await browser.post(f"/subscribers/{listener}/test")
    assert answer.status_code == 303
    where = answer.headers["location"]
    [delivery] = await stage.ids("/v1/deliveries")
    assert where == f"/subscribers/{listener}?tested={delivery}#test-result"
    page = await shown(browser, where)
    assert "it does not work" in page
    assert str(advise("guard", None, None)) in page
    other = await stage.listener()
    assert "it does not work" not in await shown(browser, f"/subscribers/{other}?tested={delivery}")
    assert "it does not work" not in await shown(browser, f"/subscribers/{listener}?tested=dlv_none")


async def test_one_is_deleted_and_its_trail_stays(stage: Stage, browser: httpx.AsyncClient) -> None:
    listener = await stage.listener()
    answer = await browser.post(f"/subscribers/{listener}/delete")
    assert (answer.status_code, answer.headers["location"]) == (303, "/subscribers")
    assert "The subscriber was deleted." in await shown(browser, "/subscribers")
    page = await shown(browser, f"/subscribers/{listener}")
    assert "A subscriber that was deleted" in page
    assert "<strong>deleted</strong>" in page
    assert (await browser.get("/subscribers/sub_none")).status_code == 404
    assert (await browser.get(f"/subscribers/{listener}/edit")).status_code == 404
    with pytest.raises(NotFound):
        await stage.ledger.read(subscribers.get, listener)


async def test_how_one_is_doing_is_shown(both: Stage) -> None:
    async with browser_at(both) as browser:
        listener = await both.listener(description=BAD)
        for n, code in enumerate((200, 500, 500)):
            await job_done(both, f"task-{n}")
            if code == 200:
                await tried(both, "delivered", status_code=code)
            else:
                error = f"answered HTTP {code} {BAD}"
                await tried(both, "dead", status_code=code, error_class="status", error=error)
            both.clock.advance(MINUTE)
        await job_done(both, "task-9")
        failing = {"failures": 60, "probing": True, "failing_since": NOW, "paused_until": both.clock() + MINUTE}
        await execute(both.ledger, update(lanes).where(lanes.c.key == listener).values(**failing))
        page = await shown(browser, f"/subscribers/{listener}")
        assert "Its circuit is open" in page
        assert "data-countdown>in 1 min</time>" in page
        assert f'<a href="/deliveries?subscriber_id={listener}&status=pending">1</a>' in page
        assert f'<a href="/deliveries?subscriber_id={listener}&status=dead">2</a>' in page
        assert "data-relative>3 min ago</time>" in page, "the last success"
        reason = re.search(r"HTTP 500</span><br><small>answered HTTP 500.*?</tr>", page, re.S)
        assert reason is not None
        assert '<td class="number" data-label="Attempts">2</td>' in reason[0]
        assert str(advise("status", 500, None)) in reason[0]
        listed = await shown(browser, "/subscribers")
        assert "circuit open" in listed
        assert ">60</td>" in listed
        assert "data-relative>3 min ago</time>" in listed


async def test_who_may_only_look_sees_no_button_and_is_refused(stage: Stage) -> None:
    listener = await stage.listener()
    posts = ("edit", "enable", "disable", "rotate-secret", "test", "delete")
    for scope in ("read", "submit"):
        async with browser_at(stage, await key_of(stage, scope)) as browser:
            page = await shown(browser, f"/subscribers/{listener}")
            assert f'action="/subscribers/{listener}' not in page
            assert f"/subscribers/{listener}/edit" not in page
            assert "/subscribers/new" not in await shown(browser, "/subscribers")
            answers = [await browser.post(f"/subscribers/{listener}/{post}", data=FORM) for post in posts]
            answers.append(await browser.post("/subscribers", data=FORM))
            answers += [await browser.get(f"/subscribers/{listener}/edit"), await browser.get("/subscribers/new")]
            assert {answer.status_code for answer in answers} == {403}
    assert (await only(stage))["enabled"] is True
    assert await stage.ids("/v1/deliveries") == []


async def test_another_site_changes_nothing(stage: Stage, browser: httpx.AsyncClient) -> None:
    listener = await stage.listener()
    browser.headers["sec-fetch-site"] = "cross-site"
    for path in (f"/subscribers/{listener}/delete", f"/subscribers/{listener}/disable", "/subscribers"):
        assert (await browser.post(path, data=FORM)).status_code == 403
    assert (await only(stage))["enabled"] is True


async def test_a_damaged_row_hides_no_other(stage: Stage, browser: httpx.AsyncClient) -> None:
    good, bad = await stage.listener(url="https://good.example/"), await stage.listener(url="https://bad.example/")
    await execute(stage.ledger, update(table).where(table.c.id == bad).values(description=BAD))
    await stage.ledger.write(_damage, bad)
    page = await shown(browser, "/subscribers")
    assert f"<code>{bad}</code>" in page
    assert "Its row in the database is damaged." in page
    assert f'href="/subscribers/{good}"' in page
    assert f"{bad} <small>damaged</small>" in await shown(browser, "/deliveries/recover")
    assert "a row that is damaged" in await shown(browser, f"/subscribers/{bad}", 503)


async def test_damaged_changes_hide_nothing_else(stage: Stage, browser: httpx.AsyncClient) -> None:
    listener = await stage.listener()
    await stage.ledger.write(
        lambda connection, moment: connection.exec_driver_sql("UPDATE audit SET changes = '{'").close()
    )
    page = await shown(browser, f"/subscribers/{listener}")
    assert "The changes cannot be read" in page
    assert "Settings" in page


async def test_the_list_and_the_changes_are_paged(stage: Stage, browser: httpx.AsyncClient) -> None:
    for n in range(51):
        last = await stage.listener(url=f"https://example.com/number-{n}.")
    first = await shown(browser, "/subscribers")
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None
    second = await shown(browser, older[1])
    assert ("number-50." in first, "number-0." in first) == (True, False)
    assert ("number-50." in second, "number-0." in second) == (False, True)
    assert (await browser.get("/subscribers?cursor=x")).status_code == 400
    for n in range(21):
        await stage.ledger.write(_noted, last, f"change number {n}.")
    page = await shown(browser, f"/subscribers/{last}")
    older = re.search(r'<a href="([^"]+)#changes">Earlier changes</a>', page)
    assert older is not None
    assert "change number 20." in page
    earlier = await shown(browser, older[1])
    assert ("change number 20." in earlier, "change number 0." in earlier) == (False, True)


async def test_one_that_wants_much_is_listed_shortly(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.listener(events=["job.*", "delivery.*", "subscriber.*", "postback.*"])
    assert "job.*, delivery.*, subscriber.* <small>and 1 more" in await shown(browser, "/subscribers")


def _damage(connection: Any, moment: Any, subscriber_id: str) -> None:
    connection.exec_driver_sql("UPDATE subscribers SET events = '[' WHERE id = ?", (subscriber_id,)).close()


def _noted(connection: Any, moment: Any, subscriber_id: str, what: str) -> None:
    audit.record(connection, moment, subscriber_id, "somebody", "changed", {"description": {"from": None, "to": what}})
