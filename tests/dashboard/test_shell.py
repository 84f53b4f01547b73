"""What all pages share: who gets in, the headers, errors, static files, and how a form ends."""

from pathlib import Path

import httpx2 as httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledger import api_keys
from ledger.api_keys import SCOPES
from ledger.callbacks import VERDICTS
from ledger.clock import DAY, HOUR, MINUTE, SECOND
from ledger.lifecycle import ARTIFACT, DELIVERY, JOB
from postback.dashboard import forms, shell, static_files, words
from postback.dashboard.page import Page
from postback.dashboard.routes import Door
from postback.house import House
from receiver.problems import Problem
from tests.api.stage import Stage, problem, served, settings

from .conftest import browser_at

pytestmark = pytest.mark.anyio

PERSON = {"accept": "text/html,application/xhtml+xml"}


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(stage: Stage) -> None:
    for path, where in (
        ("/", "/sign-in"),
        ("/?a=b%20c", "/sign-in?next=%2F%3Fa%3Db%2520c"),
        ("/live", "/sign-in?next=%2Flive"),
    ):
        answer = await stage.anyone.get(path, headers=PERSON)
        assert (answer.status_code, answer.headers["location"]) == (303, where)


async def test_a_script_of_the_page_is_told_to_sign_in_again(stage: Stage) -> None:
    answer = await stage.anyone.get("/", headers={"hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"], answer.text) == (200, "/sign-in", "")


async def test_every_answer_has_the_headers_that_keep_a_page_safe(stage: Stage, browser: httpx.AsyncClient) -> None:
    static = static_files.path_of("dashboard.css")
    answers = [await browser.get(path) for path in ("/", "/nothing", "/sign-in", static)]
    answers += [await stage.anyone.get("/", headers=PERSON), await browser.post("/", data={})]
    for answer in answers:
        for name, value in shell.HEADERS.items():
            assert answer.headers[name] == value, (answer.url, name)
    policy = shell.HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


async def test_no_page_holds_a_script_or_a_style_of_its_own(browser: httpx.AsyncClient) -> None:
    for path in ("/", "/sign-in", "/nothing"):
        html = (await browser.get(path)).text
        assert " style=" not in html
        assert "<style" not in html
        assert html.count("<script") == html.count('<script src="/static/')
        assert "//" not in html.replace("http://www.w3.org/2000/svg", ""), "nothing comes from elsewhere"


async def test_head_is_answered_as_get_is(browser: httpx.AsyncClient) -> None:
    answer = await browser.head("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_another_method_is_405_and_names_those_there_are(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/", data={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_what_is_not_there_is_a_page_for_people_and_a_document_for_programs(
    stage: Stage, browser: httpx.AsyncClient
) -> None:
    answer = await browser.get("/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>There is no such thing</h1>" in answer.text
    problem(await stage.client.get("/nothing"), 404, "not-found")
    for path in ("/v1/nothing", "/v1/jobs/job_1", "/callbacks/x/y"):
        problem(await stage.client.get(path, headers=PERSON), 404, "not-found")


async def test_a_form_of_another_site_changes_nothing(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/sign-out", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert (await browser.get("/")).status_code == 200
    assert (await browser.post("/sign-out")).status_code == 303
    assert (await browser.get("/")).status_code == 303


async def test_what_a_form_says_at_its_end_is_shown_once_and_as_text(browser: httpx.AsyncClient) -> None:
    response = shell.see_other("/", "Sent to <b>2</b> & more — 灯塔.")
    assert (response.status_code, response.headers["location"]) == (303, "/")
    value = response.headers["set-cookie"].partition("=")[2].partition(";")[0]
    browser.cookies.set("postback_said", value, domain="postback.test")
    first, second = await browser.get("/"), await browser.get("/")
    assert '<p class="said" role="status">Sent to &lt;b&gt;2&lt;/b&gt; &amp; more — 灯塔.</p>' in first.text
    assert 'class="said"' not in second.text


async def test_static_files_may_be_kept_for_ever_by_their_version(stage: Stage) -> None:
    for name, kind in (
        ("dashboard.css", "text/css"),
        ("dashboard.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ):
        answer = await stage.anyone.get(static_files.path_of(name))
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert "immutable" in answer.headers["cache-control"]
    stale = await stage.anyone.get("/static/000000000000/dashboard.css")
    assert (stale.status_code, stale.headers["cache-control"]) == (200, "no-store")
    for name in ("README.md", "nothing.js", "..%2fshell.py"):
        assert (await stage.anyone.get(f"/static/{'0' * 12}/{name}")).status_code == 404


async def test_a_process_without_the_api_has_no_pages(migrated: None, tmp_path: Path, sqlite_url: str) -> None:
    async with served(settings(tmp_path, sqlite_url), frozenset({"receiver"})) as stage:
        problem(await stage.anyone.get("/", headers=PERSON), 404, "not-found")
        problem(await stage.anyone.get(static_files.path_of("dashboard.css")), 404, "not-found")


async def test_a_form_is_read_as_browsers_send_it() -> None:
    fields = await forms.read(_form(b"a=1&b=%C3%A9+x&b=&c=one%0D%0Atwo"), 100)
    assert fields.multi_items() == [("a", "1"), ("b", "é x"), ("b", ""), ("c", "one\ntwo")]


@pytest.mark.parametrize(
    ("body", "kind", "problem"),
    [
        (b"a=%ff", forms.KIND, "bad-request"),
        (b"a=\xff", forms.KIND, "bad-request"),
        (b"&".join([b"a=1"] * (forms.MAX_FIELDS + 1)), forms.KIND, "bad-request"),
        (b"a=" + b"x" * 2_000, forms.KIND, "too-large"),
        (b"{}", "application/json", "unsupported-media-type"),
    ],
)
async def test_a_bad_form_is_refused(body: bytes, kind: str, problem: str) -> None:
    with pytest.raises(Problem) as refused:
        await forms.read(_form(body, kind), 1_900)
    assert refused.value.kind == problem


def _form(body: bytes, kind: str = forms.KIND) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}, receive)


def test_every_state_has_a_colour() -> None:
    toned = {state for states in words.TONES.values() for state in states}
    assert {*JOB, *DELIVERY, *ARTIFACT, *VERDICTS} <= toned


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_250, "1.2 s"),
        (10 * SECOND, "10 s"),
        (59_900, "1 min"),
        (4 * MINUTE + 5 * SECOND, "4 min 5 s"),
        (3 * HOUR + 20 * MINUTE + 59 * SECOND, "3 h 20 min"),
        (2 * DAY + 4 * HOUR, "2 d 4 h"),
    ],
)
def test_durations_read_as_people_say_them(milliseconds: int, text: str) -> None:
    assert words.duration(milliseconds) == text


def test_a_share_is_never_rounded_to_all_or_nothing() -> None:
    shares = [words.percent(part, 100_000) for part in (0, 1, 50_000, 99_999, 100_000)]
    assert shares == ["0 %", "0.1 %", "50.0 %", "99.9 %", "100 %"]


def test_distances_and_sizes() -> None:
    assert [words.distance(ms) for ms in (0, 12_345, -12_345, 5 * MINUTE, -3 * HOUR, 2 * DAY)] == [
        "just now", "12 s ago", "in 12 s", "5 min ago", "in 3 h", "2 d ago",
    ]  # fmt: skip
    assert [words.size(count) for count in (0, 512, 1_536, 20 * 1024**2, 3 * 1024**4)] == [
        "0 B", "512 B", "1.5 KiB", "20 MiB", "3072 GiB",
    ]  # fmt: skip
    assert [words.number(value) for value in (0, 1234567, 9.5, 0.05, 12.3, 3.0)] == [
        "0", "1,234,567", "9.5", "0.05", "12", "3",
    ]  # fmt: skip


async def test_a_scope_opens_what_it_allows_and_shows_nothing_else(stage: Stage) -> None:
    async def show(house: House, request: Request) -> Response:
        return Response(request.state.session.scope)

    for scope in SCOPES:
        door = Door(stage.house, {"GET": Page("GET", f"/{scope}s", show, scope=scope)})
        stage.app.router.routes.append(Route(f"/{scope}s", door))
    for number, scope in enumerate(SCOPES):
        key = api_keys.new_key()
        await stage.ledger.write(api_keys.create, scope, scope, api_keys.digest(key))
        async with browser_at(stage, key) as browser:
            answers = [await browser.get(f"/{needed}s") for needed in SCOPES]
            assert [answer.status_code for answer in answers] == [200] * (number + 1) + [403] * (2 - number)
            page = (await browser.get("/")).text
            assert ("/new-job" in page, "/keys" in page) == (scope != "read", scope == "admin")
