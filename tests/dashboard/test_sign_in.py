"""Signing in: with a key, with a link that is good once; how long it lasts, for whom, and from where."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from ledger.clock import DAY, MINUTE, SECOND
from postback.dashboard.guesses import MAX_FAILURES
from postback.dashboard.origin import comes_from_us
from tests.api.stage import API_KEY, BASE, Stage, served, settings

pytestmark = pytest.mark.anyio

HERE = BASE.removeprefix("http://")


@pytest.fixture
def stage(both: Stage) -> Stage:
    return both


@asynccontextmanager
async def browser(stage: Stage, base: str = BASE) -> AsyncIterator[httpx.AsyncClient]:
    """It keeps cookies, and its forms come from our pages."""
    transport = httpx.ASGITransport(stage.app)
    headers = {"accept": "text/html", "origin": base}
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as client:
        yield client


async def sign_in(client: httpx.AsyncClient, key: str = API_KEY, **fields: str) -> httpx.Response:
    return await client.post("/sign-in", data={"key": key} | fields)


async def is_in(client: httpx.AsyncClient) -> bool:
    """Who is in has no need of the form."""
    answer = await client.get("/sign-in")
    assert answer.status_code in (200, 303), answer.text
    return answer.status_code == 303


async def make_key(stage: Stage, scope: str) -> Any:
    return (await stage.client.post("/v1/keys", json={"name": "Ann's", "scope": scope})).json()


async def make_link(stage: Stage, **body: str) -> str:
    answer = await stage.client.post("/v1/sign-in-links", json=body)
    assert answer.status_code == 201, answer.text
    path: str = answer.json()["path"]
    return path


async def test_with_the_configured_key(stage: Stage) -> None:
    async with browser(stage) as client:
        assert not await is_in(client)
        assert (await client.get("/live")).headers["location"] == "/sign-in?next=%2Flive"
        answer = await sign_in(client)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert await is_in(client)
        assert (await client.head("/live")).status_code == 200


async def test_the_cookie_is_kept_from_scripts_and_other_sites(stage: Stage) -> None:
    async with browser(stage) as client:
        cookie = (await sign_in(client)).headers["set-cookie"]
    name, *attributes = cookie.split("; ")
    assert name.startswith("postback_session=")
    assert {text.lower() for text in attributes} == {"httponly", "samesite=lax", "path=/", "max-age=2592000"}
    assert API_KEY not in cookie


async def test_the_cookie_wants_tls_where_the_browser_has_it(tmp_path: Path, migrated: None, sqlite_url: str) -> None:
    given = settings(tmp_path, sqlite_url, public_url="https://jobs.example")
    async with served(given) as stage:
        for base, secure in (
            ("https://postback.test", True),
            ("http://jobs.example", True),  # the proxy ended TLS
            ("http://127.0.0.1:8414", False),
        ):
            async with browser(stage, base) as client:
                assert ("secure" in (await sign_in(client)).headers["set-cookie"].lower()) == secure, base


@pytest.mark.parametrize("key", ["", "wrong", API_KEY[:-1], "pbk_wrong", "\u0000", "🐈"])
async def test_a_wrong_key_does_not(stage: Stage, key: str) -> None:
    async with browser(stage) as client:
        answer = await sign_in(client, key)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
        assert 'role="alert"' in answer.text
        assert not await is_in(client)


async def test_it_goes_on_to_where_one_wanted(stage: Stage) -> None:
    async with browser(stage) as client:
        form = (await client.get("/sign-in", params={"next": '/jobs?status="dead"'})).text
        assert 'name="next" value="/jobs?status=&#34;dead&#34;"' in form
        assert (await sign_in(client, next="/jobs?status=dead")).headers["location"] == "/jobs?status=dead"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "", "/\t/evil", "/\n/e", "/é"]
)
async def test_it_never_goes_on_to_another_site(stage: Stage, elsewhere: str) -> None:
    async with browser(stage) as client:
        assert (await sign_in(client, next=elsewhere)).headers["location"] == "/"
        assert (await client.get("/sign-in", params={"next": elsewhere})).headers["location"] == "/"


async def test_it_survives_a_restart_and_ends_with_the_configured_key(
    tmp_path: Path, migrated: None, sqlite_url: str
) -> None:
    async with served(settings(tmp_path, sqlite_url)) as stage, browser(stage) as client:
        await sign_in(client)
        cookies = dict(client.cookies)
    changes: list[tuple[dict[str, str], bool]] = [
        ({}, True),
        ({"secret_keys": "a-secret-key-for-tests,a-newer-one-for-tests"}, True),
        (
            {"api_key": "another-api-key-for-tests", "secret_keys": "a-secret-key-for-tests,a-newer-one-for-tests"},
            False,
        ),
    ]
    for change, stays in changes:
        async with served(settings(tmp_path, sqlite_url, **change)) as stage, browser(stage) as client:
            client.cookies.update(cookies)
            assert await is_in(client) == stays, change


async def test_it_ends_after_thirty_days(stage: Stage) -> None:
    async with browser(stage) as client:
        await sign_in(client)
        stage.clock.advance(30 * DAY - SECOND)
        assert await is_in(client)
        stage.clock.advance(SECOND)
        assert not await is_in(client)


async def test_a_cookie_from_the_future_is_none(stage: Stage) -> None:
    async with browser(stage) as client:
        stage.clock.advance(10 * MINUTE)
        await sign_in(client)
        stage.clock.advance(-5 * MINUTE)
        assert await is_in(client)
        stage.clock.advance(-SECOND)
        assert not await is_in(client)


async def test_a_changed_cookie_is_none(stage: Stage) -> None:
    async with browser(stage) as client:
        await sign_in(client)
        good = client.cookies["postback_session"]
        token = stage.house.tokens.mint("job_1", "dashscope")
        for bad in (good[:-1], good[1:], good.swapcase(), good + "x", "", "x", "..", token, good.replace(".", "..")):
            answer = await stage.anyone.get("/sign-in", headers={"cookie": f"postback_session={bad}"})
            assert answer.status_code == 200, bad
        answer = await stage.anyone.get("/sign-in", headers={"cookie": f"postback_session={good}"})
        assert answer.status_code == 303


async def test_it_ends_with_its_named_key(stage: Stage) -> None:
    made = await make_key(stage, "read")
    async with browser(stage) as client:
        await sign_in(client, made["key"])
        assert await is_in(client)
        await stage.client.delete(f"/v1/keys/{made['id']}")
        assert not await is_in(client)
        assert (await sign_in(client, made["key"])).status_code == 403


async def test_signing_out(stage: Stage) -> None:
    async with browser(stage) as client:
        await sign_in(client)
        answer = await client.post("/sign-out")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert "postback_session" not in client.cookies
        assert not await is_in(client)
        assert (await client.get("/sign-out")).status_code == 405


async def test_a_link_is_good_once(stage: Stage) -> None:
    path = await make_link(stage)
    async with browser(stage) as client, browser(stage) as other:
        answer = await client.post(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert await is_in(client)
        again = await other.post(path)
        assert again.status_code == 403
        assert "postback sign-in" in again.text
        assert not await is_in(other)


async def test_to_look_at_a_link_does_not_use_it_up(stage: Stage) -> None:
    path = await make_link(stage)
    async with browser(stage) as client:
        for _ in range(3):
            preview = await client.get(path)
            assert preview.status_code == 200
            assert "set-cookie" not in preview.headers
            assert preview.headers["cache-control"] == "no-store"
            assert (await client.head(path)).status_code == 200
        assert re.search(r'<form method="post"(?! action)', preview.text)
        assert not await is_in(client)
        assert (await client.post(path)).status_code == 303


async def test_a_link_expires(stage: Stage) -> None:
    path = await make_link(stage)
    stage.clock.advance(15 * MINUTE)
    async with browser(stage) as client:
        assert (await client.post(path)).status_code == 403
        assert not await is_in(client)


@pytest.mark.parametrize("token", ["x", "%00", "%F0%9F%90%88", "x" * 5_000, "key_none", ".key_none"])
async def test_a_link_that_is_none(stage: Stage, token: str) -> None:
    async with browser(stage) as client:
        assert (await client.post(f"/sign-in/{token}")).status_code in (403, 404)
        assert not await is_in(client)


async def test_a_link_is_kept_as_a_digest(stage: Stage) -> None:
    token = (await make_link(stage)).rpartition("/")[2]

    def everything(connection: Any) -> str:
        return str(connection.exec_driver_sql("SELECT * FROM sign_in_links").all())

    kept = await stage.ledger.read(everything)
    assert "admin" in kept
    assert token not in kept


async def test_a_link_may_be_for_somebody_who_may_do_less(stage: Stage) -> None:
    path = await make_link(stage, scope="read")
    async with browser(stage) as client:
        await client.post(path)
        page = (await client.get("/")).text
    assert "may look." in page
    assert "New job" not in page


async def test_a_link_that_a_named_key_made_stands_on_that_key(stage: Stage) -> None:
    made = await make_key(stage, "admin")
    headers = {"authorization": f"Bearer {made['key']}"}
    links = [(await stage.anyone.post("/v1/sign-in-links", headers=headers)).json()["path"] for _ in range(2)]
    async with browser(stage) as client, browser(stage) as late:
        await client.post(links[0])
        assert await is_in(client)
        assert "Ann&#39;s" in (await client.get("/")).text
        await stage.client.delete(f"/v1/keys/{made['id']}")
        assert not await is_in(client)
        await late.post(links[1])
        assert not await is_in(late)
        forged = f"{links[1].rpartition('.')[0]}"
        assert (await late.post(forged)).status_code == 403, "the key it stands on cannot be left out"


async def test_only_an_admin_makes_links(stage: Stage) -> None:
    for scope in ("read", "submit"):
        headers = {"authorization": f"Bearer {(await make_key(stage, scope))['key']}"}
        assert (await stage.anyone.post("/v1/sign-in-links", headers=headers)).status_code == 403


async def test_guessing_is_slow(stage: Stage) -> None:
    path = await make_link(stage)
    async with browser(stage) as client:
        for number in range(MAX_FAILURES):
            assert (await sign_in(client, f"guess {number}")).status_code == 403
        stage.clock.advance(20 * SECOND)
        answer = await sign_in(client)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "40")
        assert "set-cookie" not in answer.headers
        assert "Wait 40 s" in answer.text
        async with browser(stage) as other:
            assert (await other.post(path)).status_code == 303, "a link still works"
        stage.clock.advance(40 * SECOND)
        assert (await sign_in(client)).status_code == 303


async def test_a_few_wrong_keys_an_hour_hinder_nobody(stage: Stage) -> None:
    async with browser(stage) as client:
        for _ in range(3 * MAX_FAILURES):
            assert (await sign_in(client, "wrong")).status_code == 403
            stage.clock.advance(10 * SECOND)
        assert (await sign_in(client)).status_code == 303


OURS: list[dict[str, str]] = [
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"origin": BASE},
    {"origin": BASE.upper().replace("HTTP", "http")},
    {"origin": "https://postback.test"},
    {"origin": "https://jobs.example:8443"},
    {"sec-fetch-site": "same-origin", "origin": "null"},
]
THEIRS: list[dict[str, str]] = [
    {},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": BASE},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "https://evil.example"},
    {"origin": f"{BASE}.evil.example"},
    {"origin": f"https://evil.example/{HERE}"},
    {"origin": f"{BASE}:8080"},
    {"origin": "https://jobs.example"},
    {"origin": HERE},
    {"origin": f"app://{HERE}"},
    {"referer": BASE},
]


def test_what_comes_from_us() -> None:
    public = "https://user:password@Jobs.example:8443/postback"
    host = {"host": HERE}
    assert [headers for headers in OURS if not comes_from_us(host | headers, public)] == []
    assert [headers for headers in THEIRS if comes_from_us(host | headers, public)] == []


async def test_another_site_signs_nobody_in_or_out(stage: Stage) -> None:
    path = await make_link(stage)
    async with browser(stage) as client:
        client.headers["origin"] = "https://evil.example"
        for answer in (await sign_in(client), await client.post(path)):
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers
        client.headers["origin"] = BASE
        assert (await client.post(path)).status_code == 303, "it was not used up"
        client.headers["origin"] = "https://evil.example"
        assert (await client.post("/sign-out")).status_code == 403
        assert await is_in(client)


async def test_a_form_that_is_none(stage: Stage) -> None:
    async with browser(stage) as client:
        assert (await client.post("/sign-in", json={"key": API_KEY})).status_code == 415
        assert (await client.post("/sign-in", data={"key": "x" * 10_000})).status_code == 413
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert (await client.post("/sign-in", content=b"key=%ff", headers=kind)).status_code == 400
        assert not await is_in(client)


async def test_a_key_opens_the_api_and_a_cookie_does_not(stage: Stage) -> None:
    """Or any page could be made to call the API for whoever is signed in."""
    async with browser(stage) as client:
        await sign_in(client)
        assert (await client.get("/v1/jobs")).status_code == 401


async def test_a_link_that_may_be_no_good_any_more_says_so(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/sign-in/nobody-made-this")).text
    assert "if it was used already, or has expired" in page
