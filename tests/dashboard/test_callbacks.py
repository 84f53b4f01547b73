"""`/inbox`: what came in, word for word, beside what it repeats or contradicts."""

import html
import re

import httpx2 as httpx
import pytest
from builders import done, execute, pending
from sqlalchemy import insert, update

from ledger import ids
from ledger.schema import callbacks
from postback.dashboard import reading
from receiver.callback import OTHER_TASK
from tests.api.stage import Stage, finished
from tests.dashboard.conftest import browser_at

pytestmark = pytest.mark.anyio

BAD = "</pre><script>alert('x')</script>"


async def shown(browser: httpx.AsyncClient, path: str) -> str:
    answer = await browser.get(path)
    assert answer.status_code == 200, answer.text
    assert "<script>alert" not in answer.text
    return html.unescape(answer.text)


async def received(stage: Stage, verdict: str) -> str:
    [one] = await stage.ids("/v1/callbacks", verdict=verdict)
    return one


async def test_the_inbox_is_listed_and_filtered(both: Stage) -> None:
    async with browser_at(both) as browser:
        assert "Nothing came in yet." in await shown(browser, "/inbox")
        job, other = await pending(both.ledger), await pending(both.ledger, "task-2")
        await both.calls_back(job, finished())
        await both.calls_back(job, finished())
        await both.calls_back(other, finished("task-2"))
        everything = await both.ids("/v1/callbacks")
        page = await shown(browser, "/inbox")
        assert re.findall(r'href="/inbox/(cb_[0-9a-z]+)"><code>', page) == everything
        assert f'href="/jobs/{job.id}"' in page
        [repeated] = await both.ids("/v1/callbacks", verdict="duplicate")
        for query, found in (
            (f"job_id={other.id}", [everything[0]]),
            ("task_id=task-1&verdict=", everything[1:]),
            ("verdict=duplicate", [repeated]),
            (f"verdict=accepted&job_id={job.id}&task_id=", [everything[2]]),
        ):
            page = await shown(browser, f"/inbox?{query}")
            assert re.findall(r'href="/inbox/(cb_[0-9a-z]+)"><code>', page) == found, query
        assert "No callback is like that." in await shown(browser, "/inbox?task_id=none")
        assert (await browser.get("/inbox?verdict=odd")).status_code == 422
        assert (await browser.get("/inbox?cursor=odd")).status_code == 400
        assert (await browser.get("/inbox/cb_none")).status_code == 404


async def test_the_list_is_paged_with_its_filter(stage: Stage, browser: httpx.AsyncClient) -> None:
    job = await done(stage.ledger)
    kept = {"job_id": job.id, "provider": "dashscope", "verdict": "progress", "headers": {}, "body": b"{}"}
    for n in range(51):
        at = stage.clock() + n
        row = {"id": ids.first("cb", at), "received_at": at, "task_id": f"task number {n}."}
        await execute(stage.ledger, insert(callbacks).values(**kept, **row))
    first = (await browser.get("/inbox?verdict=progress")).text
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None
    second = (await browser.get(html.unescape(older[1]))).text
    assert ("task number 50." in first, "task number 0." in first, "accepted</span>" in first) == (True, False, False)
    assert ("task number 50." in second, "task number 0." in second) == (False, True)


async def test_a_callback_is_shown_word_for_word(stage: Stage, browser: httpx.AsyncClient) -> None:
    job = await pending(stage.ledger)
    body = (
        '{"output": {"task_id": "task-1", "task_status": "SUCCEEDED", "results": [{"url": "https://i.example/1.png"}],'
        f' "exact": 1.50000000000000000001, "note": "{BAD}"}}}}'
    )
    answer = await stage.calls_back(job, body.encode(), **{"x-says": BAD})
    assert answer.status_code == 200, answer.text
    page = await shown(browser, f"/inbox/{await received(stage, 'accepted')}")
    assert body in page
    assert '\n    "exact": 1.50000000000000000001,\n' in page
    assert f"<dt>x-says</dt><dd>{BAD}</dd>" in page
    assert f'href="/jobs/{job.id}"' in page


async def test_a_conflicting_one_stands_beside_what_it_contradicts(both: Stage) -> None:
    async with browser_at(both) as browser:
        job = await pending(both.ledger)
        await both.calls_back(job, finished())
        await both.calls_back(job, finished(url="https://images.example/2.png"))
        page = await shown(browser, f"/inbox/{await received(both, 'conflicting')}")
        accepted = await received(both, "accepted")
        assert f'href="/inbox/{accepted}"' in page
        assert re.search(
            r'<del><span class="mark">− </span> +"url": "https://images.example/1.png\?sign=a"</del>', page
        )
        assert re.search(r'<ins><span class="mark">\+ </span> +"url": "https://images.example/2.png"</ins>', page)
        assert len(re.findall(r"<(?:del|ins)>", page)) == 2, "all else is the same"
        page = await shown(browser, f"/inbox/{accepted}")
        assert "What it contradicts" not in page
        assert f'href="/inbox/{await received(both, "conflicting")}"' in page


async def test_a_duplicate_that_says_the_same_is_said_to(stage: Stage, browser: httpx.AsyncClient) -> None:
    job = await pending(stage.ledger)
    for _ in range(13):
        await stage.calls_back(job, finished())
    newest = (await stage.ids("/v1/callbacks", verdict="duplicate"))[0]
    page = await shown(browser, f"/inbox/{newest}")
    assert "The two say exactly the same." in page
    assert "12 duplicate callbacks for this job, of which 10 are kept" in page


async def test_why_one_is_invalid_is_said(stage: Stage, browser: httpx.AsyncClient) -> None:
    job = await pending(stage.ledger)
    garbage, other = b'{"output": ' + BAD.encode(), finished("another-task")
    said = (await stage.calls_back(job, garbage)).json()["detail"]
    assert said in await shown(browser, f"/inbox/{await received(stage, 'invalid')}")
    assert (await stage.calls_back(job, other)).json()["detail"] == OTHER_TASK
    assert OTHER_TASK in await shown(browser, f"/inbox/{(await stage.ids('/v1/callbacks', verdict='invalid'))[0]}")


async def test_a_body_that_is_no_text_is_shown_in_base64(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.calls_back(await pending(stage.ledger), b"\xff\xfe\x00")
    assert "//4A" in await shown(browser, f"/inbox/{await received(stage, 'invalid')}")


async def test_half_a_surrogate_pair_breaks_nothing(stage: Stage, browser: httpx.AsyncClient) -> None:
    await stage.calls_back(await pending(stage.ledger), rb'{"output": "\ud800", "a": 1}')
    page = await shown(browser, f"/inbox/{await received(stage, 'invalid')}")
    assert '  "output": "\\ud800",\n' in page


async def test_a_damaged_row_hides_no_other(stage: Stage, browser: httpx.AsyncClient) -> None:
    job = await pending(stage.ledger)
    await stage.calls_back(job, finished())
    await stage.calls_back(job, finished())
    accepted, repeated = await received(stage, "accepted"), await received(stage, "duplicate")
    spoilt = update(callbacks).where(callbacks.c.id == accepted)
    await execute(stage.ledger, spoilt.values(received_at=10**17))
    page = await shown(browser, "/inbox")
    assert 'class="text-bad">damaged</span>' in page
    assert repeated in page
    await stage.ledger.write(_damage, accepted)
    assert "as it is, " in await shown(browser, f"/inbox/{repeated}")
    answer = await browser.get(f"/inbox/{accepted}")
    assert (answer.status_code, "a row that is damaged" in answer.text) == (503, True)


def _damage(connection, moment, callback_id: str) -> None:  # type: ignore[no-untyped-def]
    connection.exec_driver_sql("UPDATE callbacks SET headers = '{\"a' WHERE id = ?", (callback_id,)).close()


def test_numbers_and_keys_stay_as_they_came() -> None:
    text = '{"b":[1e400,-0,10.0,12345678901234567890123,NaN,true,null],"a":{},"a":[]}'
    assert reading.laid_out(text) == (
        '{\n  "b": [\n    1e400,\n    -0,\n    10.0,\n'
        "    12345678901234567890123,\n    NaN,\n    true,\n    null\n  ],\n"
        '  "a": {},\n  "a": []\n}'
    )
    assert str(reading.laid_out(text, sort=True)).startswith('{\n  "a": {},\n  "a": [],\n  "b": [')


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[" * 100_000, "[" * 102 + "]" * 102, "[" * 90 + "[]," * 2_000 + "[]" + "]" * 90, "1" * 300_000],
)
def test_what_cannot_be_laid_out_in_bearable_size_is_not(text: str) -> None:
    assert reading.laid_out(text) is None


def test_a_difference_leaves_out_what_is_far_from_it() -> None:
    many = ",".join(f'"key-{n:03}": {n}' for n in range(100))
    lines = reading.difference(f"{{{many}}}".encode(), f"{{{many.replace(': 50', ': 50.0')}}}".encode())
    assert lines is not None
    assert [line.text.strip() for line in lines if line.mark in "-+"] == ['"key-050": 50,', '"key-050": 50.0,']
    assert [line.text for line in lines if line.mark == "…"] == ["48 lines are the same", "47 lines are the same"]
    assert len(lines) == 2 + 2 * reading.AROUND + 2
    assert reading.difference(b'{"a": 1, "b": 2}', b'{"b":2,"a":1}') == []
    assert reading.difference(b"\xff", b"{}") is None
    assert reading.difference(b"{}", ("\n" * reading.MAX_LINES).encode()) is None


async def test_an_unknown_verdict_is_said_beside_its_field(stage: Stage, browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/inbox?verdict=bogus&task_id=t-1")
    assert answer.status_code == 422
    assert '<p class="error" id="e-verdict">must be one of accepted, ' in answer.text
    assert 'value="t-1"' in answer.text
