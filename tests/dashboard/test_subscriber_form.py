"""The form of a subscriber: checked as the API checks, its secrets never shown back."""

import html
import re
from typing import Any

import httpx2 as httpx
import pytest

from postback.dashboard import subscriber_form
from tests.api.stage import Stage
from tests.dashboard.conftest import browser_at

from .test_subscribers import BAD, FORM, TOKEN, URL, only, secret_in, shown

pytestmark = pytest.mark.anyio


async def test_one_is_added_and_its_secret_shown_once(both: Stage) -> None:
    async with browser_at(both) as browser:
        assert "Nobody is told of anything yet." in await shown(browser, "/subscribers")
        form = await shown(browser, "/subscribers/new")
        assert 'name="events" value="job.succeeded" checked' in form
        answer = await browser.post("/subscribers", data=FORM)
        assert answer.status_code == 201
        assert answer.headers["cache-control"] == "no-store"
        one = await only(both)
        secret = secret_in(html.unescape(answer.text))
        assert (await both.get(f"/v1/subscribers/{one['id']}/secret"))["secret"] == secret
        assert f'action="/subscribers/{one["id"]}/test"' in answer.text
        assert one == one | {
            "url": URL,
            "description": "The shop",
            "events": ["job.succeeded", "delivery.*"],
            "headers": ["Authorization", "X-Shop"],
            "metadata": {"team": "a", "exact": 12345678901234567890},
            "max_in_flight": 3,
            "rate_limit": 2.5,
            "filter": {"model": ["flux-dev"]},
            "payload": "thin",
            "schedule": ["0s", "1m"],
            "signature": "v1a",
        }
        page = await shown(browser, f"/subscribers/{one['id']}")
        assert secret not in page
        assert TOKEN not in page
        assert "Authorization, X-Shop" in page
        assert '"exact":12345678901234567890' in page
        assert "api key from" in page


async def test_a_url_is_enough(stage: Stage, browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/subscribers", data={"url": URL, "events": ["job.succeeded"]})
    assert answer.status_code == 201, answer.text
    given = await stage.subscribe(url=URL, events=["job.succeeded"])
    first = (await stage.get("/v1/subscribers"))["data"][1]
    for name in ("events", "filter", "headers", "max_in_flight", "metadata", "payload", "rate_limit", "schedule"):
        assert first[name] == given[name], name


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"url": "http://127.0.0.1/"}, "url", "loopback"),
        ({"url": ""}, "url", "at least 1 character"),
        ({"url": f"https://example.com/{BAD} x"}, "url", "whitespace"),
        ({"events": []}, "events", "Name at least one event type"),
        ({"events": [BAD]}, "events", "There is no event type"),
        ({"max_in_flight": "many"}, "max_in_flight", "valid integer"),
        ({"max_in_flight": "0"}, "max_in_flight", "greater than or equal to 1"),
        ({"rate_limit": "fast"}, "rate_limit", "valid number"),
        ({"rate_limit": "nan"}, "rate_limit", "less than or equal to 100000"),
        ({"schedule": "0s, soon"}, "schedule", "'soon' is not a duration"),
        ({"filter": "{"}, "filter", "Write a JSON object: the text is not JSON"),
        ({"filter": '{"odd": 1}'}, "filter", "Odd: Extra inputs are not permitted"),
        ({"metadata": "[1]"}, "metadata", "Write a JSON object: the JSON is not an object"),
        ({"headers": f"{TOKEN}"}, "headers", "Line 1 has no colon"),
        ({"headers": f"A: {TOKEN}\nA: {TOKEN}"}, "headers", "Line 2 has a name that was there before"),
        ({"headers": f"webhook-id: {TOKEN}"}, "headers", "Webhook-id: the name is reserved"),
        ({"secret": "short"}, "secret", "whsec_"),
        ({"payload": "odd"}, "payload", "'full' or 'thin'"),
        ({"signature": "odd"}, "signature", "'v1' or 'v1a'"),
        ({"description": "x" * 501}, "description", "at most 500 characters"),
    ],
)
async def test_what_is_wrong_stands_beside_its_field(
    stage: Stage, browser: httpx.AsyncClient, changes: dict[str, Any], field: str, says: str
) -> None:
    answer = await browser.post("/subscribers", data=FORM | changes)
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    page = html.unescape(answer.text)
    said = re.findall(r'<p class="error" id="e-(\w+)">([^<]*(?:<script>[^<]*</script>[^<]*)?)</p>', page)
    assert [name for name, _ in said] == [field]
    assert says in said[0][1]
    assert TOKEN not in page
    assert f'value="{FORM["description"]}"' in page or field == "description"
    assert await stage.ids("/v1/subscribers") == []


async def test_all_that_is_wrong_is_said_at_once(browser: httpx.AsyncClient) -> None:
    wrong = {"url": "http://127.0.0.1/", "max_in_flight": "many", "filter": "{", "headers": "none"}
    page = (await browser.post("/subscribers", data=FORM | wrong)).text
    assert set(re.findall(r'id="e-(\w+)"', page)) == set(wrong)


async def test_one_is_changed(stage: Stage, browser: httpx.AsyncClient) -> None:
    one = await stage.subscribe(headers={"Authorization": f"Bearer {TOKEN}"}, metadata={"n": 1})
    path = f"/subscribers/{one['id']}"
    form = await shown(browser, f"{path}/edit")
    assert TOKEN not in form
    assert "Sent now: Authorization." in form
    changed = {"url": f"{URL}?{'x' * 3}", "events": ["*"], "metadata": "", "description": BAD, "payload": "full"}
    answer = await browser.post(f"{path}/edit", data=changed | {"signature": "v1"})
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    after = await only(stage)
    assert (after["url"], after["events"], after["metadata"]) == (f"{URL}?xxx", ["*"], {})
    assert after["headers"] == ["Authorization"], "what was left empty stays"
    page = await shown(browser, path)
    assert "The subscriber was changed." in page
    assert BAD in page
    assert '<dt>events</dt><dd><code>["job.succeeded",' in page
    await browser.post(f"{path}/edit", data=changed | {"headers": "X-Other: 1"})
    assert (await only(stage))["headers"] == ["X-Other"]
    await browser.post(f"{path}/edit", data=changed | {"no_headers": "1"})
    assert (await only(stage))["headers"] == []
    answer = await browser.post(f"{path}/edit", data=changed | {"url": "ftp://a.example"})
    assert answer.status_code == 422
    assert 'id="e-url"' in answer.text


async def test_nothing_changes_by_saving_the_form_as_it_is(stage: Stage) -> None:
    given: dict[str, Any] = {
        "filter": {"metadata": {"tenant": ["a", "b"]}},
        "schedule": ["0s", "90s"],
        "rate_limit": 0.1,
    }
    one = await stage.subscribe(metadata={"é": [1.5]}, headers={"X-A": "1"}, events=["job.*"], signature="v1a", **given)
    values = subscriber_form.values_of(one)
    async with browser_at(stage) as browser:
        assert (await browser.post(f"/subscribers/{one['id']}/edit", data=values)).status_code == 303
    changes = (await stage.get(f"/v1/subscribers/{one['id']}/audit"))["data"]
    assert [change["action"] for change in changes] == ["created"]


def test_complaints_are_put_beside_their_fields() -> None:
    said = subscriber_form.said(
        [
            {"pointer": "/events/0", "detail": "there is no such event"},
            {"pointer": "/events/1", "detail": "there is no such event"},
            {"pointer": "/headers/X~1A", "detail": "the name is not an HTTP token"},
            {"pointer": "/odd", "detail": "unknown"},
            {"parameter": "limit", "detail": "too much"},
        ]
    )
    assert said == {
        "events": "There is no such event.",
        "headers": "X/A: the name is not an HTTP token.",
        "": "Unknown. Too much.",
    }
