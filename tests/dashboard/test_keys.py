"""The page of API keys: seeing, making and revoking them, by those who may."""

import html
import re

import httpx2 as httpx
import pytest

from tests.api.stage import API_KEY, Stage
from tests.dashboard.conftest import browser_at

pytestmark = pytest.mark.anyio

BAD = "<script>alert('name')</script>"


async def make(browser: httpx.AsyncClient, name: str = "shop", scope: str = "submit") -> str:
    """The text of a new key, read off the page."""
    answer = await browser.post("/keys", data={"name": name, "scope": scope})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found = re.search(r'<code id="new-key">([^<]+)</code>', answer.text)
    assert found is not None
    return html.unescape(found[1])


async def test_a_key_is_made_and_shown_once(stage: Stage, browser: httpx.AsyncClient) -> None:
    assert "No named keys yet." in (await browser.get("/keys")).text
    key = await make(browser)
    answer = await stage.anyone.get("/v1/jobs", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    page = (await browser.get("/keys")).text
    assert key not in page
    (listed,) = (await stage.get("/v1/keys"))["data"]
    assert (listed["name"], listed["scope"]) == ("shop", "submit")
    assert listed["id"] in page


async def test_the_last_use_is_shown(stage: Stage, browser: httpx.AsyncClient) -> None:
    key = await make(browser)
    await stage.anyone.get("/v1/jobs", headers={"authorization": f"Bearer {key}"})
    await stage.house.callers.run_once(stage.clock())
    stage.clock.advance(3 * 60_000)
    assert (await browser.get("/keys")).text.count("3 min ago") == 2  # made, and used


async def test_a_key_is_revoked_with_its_sessions(stage: Stage, browser: httpx.AsyncClient) -> None:
    key = await make(browser, "Ann")
    (key_id,) = await stage.ids("/v1/keys")
    async with browser_at(stage, key) as hers:
        assert (await hers.head("/live")).status_code == 200
        answer = await browser.post(f"/keys/{key_id}/revoke")
        assert (answer.status_code, answer.headers["location"]) == (303, "/keys")
        page = (await browser.get("/keys")).text
        assert f"{key_id} is revoked." in page
        assert f"/keys/{key_id}/revoke" not in page
        assert (await hers.head("/live")).status_code == 303
    assert (await browser.post("/keys/key_none/revoke")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "", "scope": "read"}, "Give it a name"),
        ({"name": "x" * 101, "scope": "read"}, "Give it a name"),
        ({"name": "two\nlines", "scope": "read"}, "Give it a name"),
        ({"name": "shop", "scope": "root"}, "Choose read, submit or admin."),
        ({"name": "shop"}, "Choose read, submit or admin."),
    ],
)
async def test_a_wrong_field_makes_no_key_and_what_was_typed_stays(
    stage: Stage, browser: httpx.AsyncClient, fields: dict[str, str], says: str
) -> None:
    answer = await browser.post("/keys", data=fields)
    assert answer.status_code == 422
    assert says in answer.text
    assert html.escape(fields["name"]) in answer.text
    assert await stage.ids("/v1/keys") == []


async def test_a_name_is_text(browser: httpx.AsyncClient) -> None:
    await make(browser, BAD)
    assert BAD not in (await browser.get("/keys")).text
    assert html.escape(BAD) in (await browser.get("/keys")).text.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")


async def test_it_is_for_admins(stage: Stage, browser: httpx.AsyncClient) -> None:
    for scope in ("read", "submit"):
        key = await make(browser, scope, scope)
        async with browser_at(stage, key) as theirs:
            for answer in (
                await theirs.get("/keys"),
                await theirs.post("/keys", data={"name": "x", "scope": "admin"}),
                await theirs.post(f"/keys/{(await stage.ids('/v1/keys'))[0]}/revoke"),
            ):
                assert answer.status_code == 403
    assert len(await stage.ids("/v1/keys")) == 2
    assert all(key["revoked_at"] is None for key in (await stage.get("/v1/keys"))["data"])


async def test_another_site_makes_none(stage: Stage) -> None:
    async with browser_at(stage, API_KEY) as browser:
        browser.headers["sec-fetch-site"] = "cross-site"
        assert (await browser.post("/keys", data={"name": "x", "scope": "admin"})).status_code == 403
    assert await stage.ids("/v1/keys") == []


async def test_the_list_is_paged(stage: Stage, browser: httpx.AsyncClient) -> None:
    for number in range(51):
        await stage.client.post("/v1/keys", json={"name": f"key number {number}", "scope": "read"})
    first = (await browser.get("/keys")).text
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None
    second = (await browser.get(html.unescape(older[1]))).text
    assert ("key number 50<" in first, "key number 0<" in first) == (True, False)
    assert ("key number 50<" in second, "key number 0<" in second) == (False, True)
    assert (await browser.get("/keys?cursor=x")).status_code == 400
