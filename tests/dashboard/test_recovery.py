"""`/deliveries/recover`: how much it is stands there first; then it is sent again, and how far that is is shown."""

import html
import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

import httpx2 as httpx
import pytest
from builders import NOW, execute
from sqlalchemy import update

from ledger import recovery
from ledger.clock import HOUR, rfc3339
from ledger.schema import subscribers
from postback.dashboard import recovery_form, recovery_runs
from tests.api.stage import Stage
from tests.api.test_deliveries import owe, tried
from tests.dashboard.conftest import browser_at

pytestmark = pytest.mark.anyio

RECOVER = "/deliveries/recover"
Fields = Sequence[tuple[str, str]]


async def shown(browser: httpx.AsyncClient, path: str, fields: Fields = (), status: int = 200) -> str:
    answer = await browser.get(path, params=list(fields) or None)
    assert answer.status_code == status, answer.text
    assert "<script>" not in answer.text
    return html.unescape(answer.text)


def confirmed(page: str) -> list[tuple[str, str]]:
    """What the form that confirms would send."""
    return re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)


async def missed(stage: Stage, count: int = 3, **changes: object) -> str:
    """The id of a subscriber that missed so many."""
    listener = await stage.listener(**changes)
    for n in range(count):
        await owe(stage, f"task-{n}")
    await tried(stage, "dead", status_code=500, error_class="status", error="no")
    stage.clock.advance(1_000)
    return listener


async def over(run_id: str) -> None:
    run = recovery_runs.get(run_id)
    assert run is not None
    assert run.task is not None
    await run.task


async def test_it_counts_asks_and_then_sends_again(both: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "PART", 2)
    async with browser_at(both) as browser:
        listener = await missed(both, url="https://a.example/<script>")
        page = await shown(browser, RECOVER, [("subscriber_id", listener)])
        assert f'name="subscriber_id" value="{listener}" checked' in page
        assert 'name="since" type="text" value="24h"' in page
        assert confirmed(page) == []

        asked = [("count", "1"), ("subscriber_id", listener), ("status", "dead"), ("since", "1h"), ("rate", "5")]
        page = await shown(browser, RECOVER, asked)
        assert "3 deliveries would be sent again" in page
        assert ">Send 3 again</button>" in page
        assert "600 ms" in page
        assert await both.ids("/v1/deliveries", status="dead"), "nothing was sent yet"
        sent = confirmed(page)
        assert sent == [
            ("subscriber_id", listener),
            ("status", "dead"),
            ("since", rfc3339(both.clock() - HOUR)),
            ("until", rfc3339(both.clock())),
            ("rate", "5"),
        ]

        both.clock.advance(1_000)
        answer = await browser.post(RECOVER, data=dict(sent))
        assert answer.status_code == 303
        where = answer.headers["location"]
        query = dict(parse_qsl(urlsplit(where).query))
        await over(query["run"])
        page = await shown(browser, where)
        assert "3 set going" in page
        assert '<progress max="3" value="0"' in page
        assert "every 1s" not in page
        due = [one["next_attempt_at"] for one in (await both.get("/v1/deliveries", status="pending"))["data"]]
        assert sorted(due) == [rfc3339(both.clock() + after) for after in (0, 200, 400)]
        both.clock.advance(1_000)
        await tried(both, "delivered", status_code=200)
        page = await shown(browser, where)
        assert '<progress max="3" value="3"' in page
        unknown = await shown(browser, where.replace(query["run"], "another"))
        assert "This process does not run it" in unknown
        assert '<progress max="3" value="3"' in unknown


async def test_it_is_shown_while_it_runs(stage: Stage, browser: httpx.AsyncClient) -> None:
    listener = await missed(stage, 1)
    plan = [("subscriber_id", listener), ("status", "dead"), ("since", "1h")]
    run = recovery_runs.Run([recovery_runs.Share(listener, done=7)])
    recovery_runs._runs["still-going"] = run
    try:
        page = await shown(browser, f"{RECOVER}/progress", [*plan, ("run", "still-going")])
        assert "7 so far" in page
        assert 'hx-trigger="changed, every 1s"' in page
        assert '<noscript><meta http-equiv="refresh"' in page
        run.shares[0].over, run.shares[0].stopped = True, "The database is full."
        page = await shown(browser, f"{RECOVER}/progress", [*plan, ("run", "still-going")])
        assert "Stopped: The database is full." in page
        assert "every 1s" not in page
    finally:
        del recovery_runs._runs["still-going"]


async def test_one_that_is_disabled_is_left_out(stage: Stage, browser: httpx.AsyncClient) -> None:
    good, bad = await missed(stage, 2), await stage.listener()
    await execute(stage.ledger, update(subscribers).where(subscribers.c.id == bad).values(enabled=False))
    asked = [("count", "1"), ("subscriber_id", bad), ("subscriber_id", good), ("status", "dead"), ("since", "1h")]
    page = await shown(browser, RECOVER, asked)
    assert "2 deliveries would be sent again" in page
    assert "left out: the subscriber is disabled; enable it first" in page
    answer = await browser.post(RECOVER, content=str(httpx.QueryParams(confirmed(page))), headers=FORM)
    where = answer.headers["location"]
    await over(dict(parse_qsl(urlsplit(where).query))["run"])
    page = await shown(browser, where)
    assert "Stopped: The subscriber is disabled; enable it first." in page
    assert "2 set going" in page


FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"subscriber_id": ""}, "Choose at least one subscriber."),
        ({"status": "pending"}, "Choose at least one state."),
        ({"since": "yesterday"}, "Write a time such as"),
        ({"since": ""}, "Write a time such as"),
        ({"until": "9" * 20 + "d"}, "Write a time such as"),
        ({"since": "1h", "until": "2h"}, "This is before the beginning."),
        ({"rate": "fast"}, "Write a number from 0.001 to 100000"),
        ({"rate": "nan"}, "Write a number from 0.001 to 100000"),
        ({"rate": "0"}, "Write a number from 0.001 to 100000"),
    ],
)
async def test_a_wrong_field_is_said_and_sends_nothing(
    stage: Stage, browser: httpx.AsyncClient, changes: dict[str, str], says: str
) -> None:
    listener = await missed(stage, 1)
    fields = {"subscriber_id": listener, "status": "dead", "since": "1h"} | changes
    page = await shown(browser, RECOVER, [("count", "1"), *fields.items()], 422)
    assert says in page
    assert confirmed(page) == []
    answer = await browser.post(RECOVER, data=fields)
    assert (answer.status_code, says in html.unescape(answer.text)) == (422, True)
    assert (await browser.get(f"{RECOVER}/progress", params=fields)).status_code == 422
    assert len(await stage.ids("/v1/deliveries", status="dead")) == 1


async def test_it_is_for_admins(stage: Stage) -> None:
    listener = await missed(stage, 1)
    for scope in ("read", "submit"):
        made = await stage.client.post("/v1/keys", json={"name": scope, "scope": scope})
        async with browser_at(stage, made.json()["key"]) as browser:
            fields = {"subscriber_id": listener, "status": "dead", "since": "1h"}
            assert (await browser.get(RECOVER)).status_code == 403
            assert (await browser.post(RECOVER, data=fields)).status_code == 403
            assert (await browser.get(f"{RECOVER}/progress", params=fields)).status_code == 403
    assert len(await stage.ids("/v1/deliveries", status="dead")) == 1


async def test_only_the_latest_runs_are_remembered(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery_runs, "REMEMBERED", 2)
    monkeypatch.setattr(recovery_runs, "_runs", {})
    listener = await missed(stage, 1)
    plan = recovery_runs.Plan([listener], ["dead"], recovery.Window(0))
    ids = []
    for _ in range(3):
        ids.append(recovery_runs.begin(stage.house, plan))
        await over(ids[-1])
    assert [recovery_runs.get(one) is None for one in ids] == [True, False, False]


def test_the_window_ends_where_it_was_counted() -> None:
    fields = httpx.QueryParams([("subscriber_id", "sub_1"), ("status", "dead"), ("since", "2023-11-14T20:00Z")])
    given = recovery_form.QueryParams(fields.multi_items())
    plan = recovery_form.read(given, NOW).plan
    assert plan is not None
    again = recovery_form.read(recovery_form.QueryParams(recovery_form.query(plan)), NOW + HOUR).plan
    assert again == plan
    assert plan.window.until == NOW
