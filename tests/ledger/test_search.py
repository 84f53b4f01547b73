"""Searching jobs: what is found, by what, and that a look stays bounded on both databases."""

from itertools import pairwise
from typing import Any

import pytest
from builders import (
    NOW,
    FakeClock,
    calls_back,
    claimed,
    done,
    execute,
    failed,
    pending,
    queued,
    rows,
    subscribed,
    succeeded,
)
from sqlalchemy import Connection, event, update
from sqlalchemy import text as sql

from ledger import search
from ledger.accept import Arrival, accept
from ledger.clock import HOUR
from ledger.jobs import Filter
from ledger.ledger import Ledger
from ledger.listing import Artifact, listed, prompt_of
from ledger.pages import BadCursor
from ledger.schema import artifacts, attempts, callbacks, deliveries, jobs, notifications
from ledger.search import Hits

from .test_plans import plans

pytestmark = pytest.mark.anyio

EVERY = Filter()


async def prompted(ledger: Ledger, prompt: str, **changes: Any) -> str:
    return (await queued(ledger, input={"prompt": prompt}, **changes)).id


async def hits(ledger: Ledger, text: str | None = None, wanted: Filter = EVERY, **page: Any) -> Hits:
    return await ledger.read(search.find, text, wanted, **({"cursor": None, "limit": 50} | page))


async def found(ledger: Ledger, text: str | None = None, **wanted: Any) -> list[str]:
    return list((await hits(ledger, text, Filter(**wanted))).ids)


async def test_words_are_found_in_prompts_whatever_their_case_and_script(ledger: Ledger) -> None:
    fox = await prompted(ledger, 'A red FOX, "quick" \\ in the snow')
    cat = await prompted(ledger, "奔跑小猫 in the snow")
    straße = await prompted(ledger, "STRASSE bei Nacht")
    for text, right in {
        "fox": [fox],
        "SNOW": [cat, fox],
        "snow red": [fox],
        '"the snow"': [cat, fox],
        '"snow the"': [],
        "小猫": [cat],
        "straße": [straße],
        '\\ "quick"': [fox],
        "prompt": [],
        "%": [],
        "_": [],
        "   ": [straße, cat, fox],
        '"': [straße, cat, fox],
    }.items():
        assert await found(ledger, text) == right, text


async def test_metadata_is_found_by_key_and_value(ledger: Ledger) -> None:
    one = await prompted(ledger, "x", metadata={"customer": 7, "name": "ACME Corp", "paid": True, "tags": ["a", "b"]})
    other = await prompted(ledger, "x", metadata={"customer": "77", "rate": 1.5, "none": None})
    for text, right in {
        "customer=7": [one],
        "customer=77": [other],
        "name=ACME": [],
        'name="ACME Corp"': [one],
        "acme": [one],
        "paid=true": [one],
        "tags=b": [one],
        "tags=a customer=7": [one],
        "tags=a customer=77": [],
        "rate=1.5": [other],
        "none=null": [other],
        "missing=7": [],
        "=": [],
    }.items():
        assert await found(ledger, text) == right, text


async def test_any_whole_id_leads_to_its_job(ledger: Ledger) -> None:
    await subscribed(ledger)
    job = await pending(ledger, "task 1/a")
    arrived = Arrival(job.id, job.provider, {}, b"{}", succeeded(task_id="task 1/a"))
    assert await ledger.write(accept, [arrived], archive=True) == ["accepted"]
    await claimed(ledger)
    await execute(ledger, attempts.insert().values(**_ATTEMPT, delivery_id=(await rows(ledger, deliveries))[0].id))
    await prompted(ledger, f"not this one: {job.id} task")
    named = [job.id, "task 1/a", " task 1/a "]
    for table in (callbacks, notifications, deliveries, attempts, artifacts):
        named += [row.id for row in await rows(ledger, table)]
    assert len(named) == 3 + 5
    for text in named:
        assert await found(ledger, text) == [job.id], text
    assert await found(ledger, job.id, status="queued") == []


_ATTEMPT = {"id": f"att_{'0' * 26}", "number": 1, "trigger": "schedule", "started_at": NOW, "duration_ms": 1}


async def test_an_id_that_nothing_has_is_looked_for_as_a_word(ledger: Ledger) -> None:
    other = f"job_{'0' * 26}"
    mine = await prompted(ledger, "x", metadata={"theirs": other})
    assert await found(ledger, other) == [mine]


async def test_filters_hold_for_whatever_is_found(ledger: Ledger, clock: FakeClock) -> None:
    bad = (await pending(ledger, "task-x")).id
    old = await prompted(ledger, "fox", provider="acedata", model="flux-pro")
    clock.advance(HOUR)
    new = await prompted(ledger, "fox")
    for wanted, right in [
        ({"status": "queued"}, [new, old]),
        ({"provider": "acedata"}, [old]),
        ({"model": "flux-pro"}, [old]),
        ({"provider": "acedata", "model": "flux-pro"}, [old]),
        ({"provider": "acedata", "status": "pending"}, []),
        ({"task_id": "task-x"}, [bad]),
        ({"created_after": NOW + 1}, [new]),
        ({"created_after": NOW, "created_before": NOW + HOUR}, [old, bad]),
        ({"created_before": NOW}, []),
        ({"created_before": -(10**15)}, []),
        ({"created_after": 10**14}, []),
    ]:
        assert await found(ledger, **wanted) == right, wanted
    assert await found(ledger, "fox", created_before=NOW + 1) == [old]


async def test_a_look_ends_somewhere_and_its_cursor_goes_on(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LOOKED_AT", 4)
    ids = [await prompted(ledger, "needle" if number in (0, 6, 10) else "hay") for number in range(11)]
    first = await hits(ledger, "needle")
    assert (first.ids, first.looked_at, first.back_to) == ([ids[10]], 4, NOW)
    assert first.next_cursor is not None
    seen, cursor, looks = list(first.ids), first.next_cursor, 1
    while cursor is not None:
        more = await hits(ledger, "needle", cursor=cursor)
        assert more.looked_at <= 4
        seen, cursor, looks = [*seen, *more.ids], more.next_cursor, looks + 1
    assert (seen, looks) == ([ids[10], ids[6], ids[0]], 3)


async def test_the_database_is_asked_for_no_more_than_is_looked_at(ledger: Ledger) -> None:
    sent: list[tuple[str, Any]] = []

    def look(connection: Connection) -> None:
        def keep(connection: Connection, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            sent.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", keep)
        search.find(connection, "a fox", Filter(status="queued"), cursor=None, limit=50)
        search.find(connection, None, EVERY, cursor=None, limit=50)
        event.remove(connection, "before_cursor_execute", keep)

    await ledger.read(look)
    looks = [parameters for statement, parameters in sent if "task_id =" not in statement and "LIMIT" in statement]
    assert len(looks) == 2
    assert all(search.LOOKED_AT + 1 in tuple(parameters) for parameters in looks)


async def test_a_full_page_ends_a_look_at_once(ledger: Ledger) -> None:
    ids = [await prompted(ledger, "fox") for _ in range(5)]
    first = await hits(ledger, "fox", limit=2)
    assert (first.ids, first.looked_at) == ([ids[4], ids[3]], 2)
    second = await hits(ledger, limit=3, cursor=first.next_cursor)
    assert (second.ids, second.next_cursor) == ([ids[2], ids[1], ids[0]], None)
    with pytest.raises(BadCursor):
        await hits(ledger, cursor="not one")


async def test_only_the_start_of_a_long_text_is_read(ledger: Ledger) -> None:
    long = await prompted(ledger, "begins " + "x" * search.READ + " ends")
    assert await found(ledger, "begins") == [long]
    assert await found(ledger, "ends") == []


async def test_what_is_damaged_is_found_and_listed_all_the_same(ledger: Ledger) -> None:
    whole = await done(ledger, input={"prompt": "whole"})
    for column, damage in {
        "input": '{"prompt":"half a fox',
        "metadata": "",
        "results": "[{]",
        "created_at": 10**17,
    }.items():
        job = await queued(ledger, input={"prompt": "a fox"})
        harm = sql(f"UPDATE jobs SET {column} = :damage WHERE id = :id")
        harm = harm.bindparams(damage=damage, id=job.id)
        await execute(ledger, harm)
    ids = await found(ledger)
    shown = await ledger.read(listed, ids)
    assert [one.damaged for one in shown] == [True, True, False, True, False]
    assert [one.prompt for one in shown] == ["a fox"] * 3 + ["half a fox", "whole"]
    assert shown[0].created_at is None
    assert shown[-1].id == whole.id
    assert len(await found(ledger, "fox")) == 4


async def test_a_list_shows_prompt_and_images(ledger: Ledger) -> None:
    job = await done(ledger)
    kept = {"id": "art_1", "media_type": "image/png", "size": 1, "sha256": "0"}
    results = [
        {"url": "https://a/1.png", "error": None, "artifact": kept},
        {"url": "u", "error": None, "artifact": None},
    ]
    await execute(ledger, update(jobs).where(jobs.c.id == job.id).values(results=results))
    (shown,) = await ledger.read(listed, [job.id])
    assert (shown.prompt, shown.images, shown.artifacts) == (
        "a lighthouse — 灯塔 \u0000",
        2,
        [Artifact("art_1", "image/png")],
    )
    assert not shown.damaged


async def test_nothing_but_a_failure_is_no_image(ledger: Ledger) -> None:
    job = await pending(ledger)
    assert await calls_back(ledger, job, failed()) == ["accepted"]
    (shown,) = await ledger.read(listed, [job.id])
    assert (shown.images, shown.artifacts, shown.damaged) == (0, [], False)


@pytest.mark.parametrize(
    ("given", "prompt"),
    [
        ({"prompt": "a cat"}, "a cat"),
        ({"messages": [{"role": "user", "content": [{"image": "x"}, {"text": "a cat"}]}]}, "a cat"),
        ({"messages": [{"content": "a cat"}]}, "a cat"),
        ({"prompt": 7}, ""),
        ([], ""),
        ('{"n":1,"prompt":"a \\"big\\" cat \\u4f', 'a \\"big\\" cat \\u4f'),
        ('{"prompt":"a \\"big\\" cat","seed', 'a "big" cat'),
        ("garbage", "garbage"),
    ],
)
def test_a_prompt_is_told_from_what_there_is_of_it(given: Any, prompt: str) -> None:
    assert prompt_of(given) == prompt


async def test_a_look_uses_an_index_and_sorts_nothing(sqlite_url: str) -> None:
    def look(text: str | None, **wanted: Any) -> tuple[Any, tuple[()], dict[str, Any]]:
        def work(connection: Connection, _: Any) -> Hits:
            return search.find(connection, text, Filter(**wanted), cursor=None, limit=50)

        return work, (), {}

    plan = await plans(
        sqlite_url,
        look("a fox"),
        look("fox", status="queued"),
        look(f"job_{'0' * 26}"),
        look(f"dlv_{'0' * 26}"),
        look(None, provider="acedata", model="flux-dev"),
        look(None, provider="acedata", status="lost", created_after=NOW),
        look(None, model="flux-dev"),
    )
    assert "jobs_by_task" in plan
    assert "jobs_by_status" in plan
    assert "jobs_by_provider_model" in plan
    sorts = [before for before, step in pairwise(plan.splitlines()) if "TEMP B-TREE" in step]
    assert {step.partition(" (")[0] for step in sorts} == {"SEARCH jobs USING INDEX jobs_by_task"}, "which are few"
    scans = {step for step in plan.splitlines() if step.startswith("SCAN")}
    assert scans <= {"SCAN jobs USING INDEX sqlite_autoindex_jobs_1"}, "newest first, and so only as far as asked"
