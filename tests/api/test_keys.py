"""Named API keys and their scopes, through the API: what each may do, when it ends, and that it is kept nowhere."""

import asyncio
from typing import Any

import httpx2 as httpx
import pytest
from builders import FakeClock

from ledger import api_keys
from ledger.api_keys import SCOPES, allows
from ledger.clock import MINUTE, SECOND
from ledger.errors import Unavailable
from ledger.ledger import Ledger, open_database
from postback.api.calls import CALLS, Call
from postback.api.stream import while_good
from postback.auth import BELIEVED, Callers
from receiver.problems import Problem

from .stage import API_KEY, ORDER, Stage, problem

pytestmark = pytest.mark.anyio

CLOSED = [call for call in CALLS if not call.open]
ADMIN_TO_LOOK = {("GET", "/v1/keys"), ("GET", "/v1/subscribers/{id}/secret"), ("GET", "/v1/backup")}
SUBMIT = {
    ("POST", "/v1/jobs"),
    ("POST", "/v1/jobs/batch"),
    ("POST", "/v1/jobs/{id}/cancel"),
    ("POST", "/v1/jobs/{id}/resubmit"),
}


async def make(stage: Stage, scope: str = "submit", name: str = "the shop") -> Any:
    """A new key, with its text."""
    answer = await stage.client.post("/v1/keys", json={"name": name, "scope": scope})
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def asked(stage: Stage, call: Call, key: str) -> httpx.Response:
    """The answer to a call on a thing that is not there."""
    return await stage.anyone.request(call.method, call.path.replace("{id}", "x_1"), headers=bearer(key))


async def may_look(stage: Stage, key: str) -> bool:
    answer = await stage.anyone.get("/v1/jobs", headers=bearer(key))
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def test_what_each_call_needs() -> None:
    for call in CLOSED:
        at = (call.method, call.path)
        looks = call.method == "GET" and at not in ADMIN_TO_LOOK
        assert call.scope == ("submit" if at in SUBMIT else "read" if looks else "admin"), at


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_scope_opens_what_it_covers_and_nothing_else(stage: Stage, scope: api_keys.Scope) -> None:
    key = (await make(stage, scope))["key"]
    refused = 0
    for call in CLOSED:
        if call.path == "/v1/stream":  # it does not end: see below
            continue
        answer = await asked(stage, call, key)
        if allows(scope, call.scope):
            assert answer.status_code not in (401, 403), (call.method, call.path)
        else:
            refused += 1
            told = problem(answer, 403, "forbidden")["detail"]
            assert f"the scope {call.scope}; yours has {scope}" in told
            assert f"postback keys create NAME --scope {call.scope}" in told
    assert bool(refused) == (scope != "admin")


async def test_a_key_of_scope_submit_submits(both: Stage) -> None:
    key = (await make(both))["key"]
    answer = await both.anyone.post("/v1/jobs", json=ORDER, headers=bearer(key))
    assert answer.status_code == 202
    path = f"/v1/jobs/{answer.json()['id']}"
    assert (await both.anyone.post(f"{path}/cancel", headers=bearer(key))).json()["status"] == "canceled"
    problem(await both.anyone.delete(path, headers=bearer(key)), 403, "forbidden")


async def test_a_key_is_shown_once_and_kept_nowhere(both: Stage) -> None:
    answer = await both.client.post("/v1/keys", json={"name": "das Geschäft 店", "scope": "read"})
    made = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert made["key"].startswith("pbk_")
    listed = await both.get("/v1/keys")
    assert listed == {"data": [{name: made[name] for name in made if name != "key"}], "next_cursor": None}
    assert (listed["data"][0]["name"], listed["data"][0]["last_used_at"]) == ("das Geschäft 店", None)
    row = await both.ledger.read(api_keys.get, made["id"])
    assert made["key"] not in str(row)
    assert made["key"].removeprefix("pbk_") not in str(row)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "x"}, "/scope"),
        ({"scope": "read"}, "/name"),
        ({"name": "x", "scope": "root"}, "/scope"),
        ({"name": "", "scope": "read"}, "/name"),
        ({"name": "x" * 101, "scope": "read"}, "/name"),
        ({"name": "two\nlines", "scope": "read"}, "/name"),
        ({"name": "\u0000", "scope": "read"}, "/name"),
        ({"name": "x", "scope": "read", "key": "mine"}, "/key"),
    ],
)
async def test_a_bad_request_makes_no_key(stage: Stage, body: Any, pointer: str) -> None:
    told = problem(await stage.client.post("/v1/keys", json=body), 422, "invalid")
    assert [error["pointer"] for error in told["errors"]] == [pointer]
    assert await stage.ids("/v1/keys") == []


async def test_the_list_is_paged(both: Stage) -> None:
    made = [(await make(both, name=str(number)))["id"] for number in range(3)]
    first = await both.get("/v1/keys", limit=2)
    assert [key["id"] for key in first["data"]] == made[:0:-1]
    assert await both.ids("/v1/keys", limit=2, cursor=first["next_cursor"]) == made[:1]
    problem(await both.client.get("/v1/keys", params={"cursor": "x"}), 400, "bad-cursor")


async def test_a_revoked_key_ends_at_once(both: Stage) -> None:
    made, other = await make(both), await make(both)
    assert await may_look(both, made["key"])
    assert (await both.client.delete(f"/v1/keys/{made['id']}")).status_code == 204
    assert not await may_look(both, made["key"])
    assert await may_look(both, other["key"])
    assert (await both.client.delete(f"/v1/keys/{made['id']}")).status_code == 204
    listed = {key["id"]: key["revoked_at"] for key in (await both.get("/v1/keys"))["data"]}
    assert (listed[made["id"]] is None, listed[other["id"]] is None) == (False, True)
    problem(await both.client.delete("/v1/keys/key_none"), 404, "not-found")


async def test_a_key_that_was_revoked_while_it_was_looked_up_is_not_believed(stage: Stage) -> None:
    made = await make(stage)
    read = stage.ledger.read

    async def overtaken(*arguments: Any, **named: Any) -> Any:
        found = await read(*arguments, **named)
        await stage.client.delete(f"/v1/keys/{made['id']}")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.ledger, "read", overtaken)
        assert await stage.house.callers.of_key(made["key"]) is not None, "it was good when it was read"
    assert await stage.house.callers.of_key(made["key"]) is None


async def test_another_process_believes_a_key_for_some_seconds(both: Stage, database_url: str) -> None:
    """On SQLite there is no other process; a second connection that only reads stands in for it."""
    made = await make(both)
    clock = FakeClock(both.clock.now)
    there = Ledger(both.ledger.database, clock=clock)
    if database_url.startswith("postgres"):
        there = Ledger(await open_database(database_url), clock=clock)
    try:
        callers = Callers(there, API_KEY)
        assert await callers.of_key(made["key"]) is not None
        await both.client.delete(f"/v1/keys/{made['id']}")
        clock.advance(BELIEVED - 1)
        assert await callers.of_key(made["key"]) is not None
        clock.advance(1)
        assert await callers.of_key(made["key"]) is None
    finally:
        if there.database is not both.ledger.database:
            await there.close()


async def test_a_key_that_is_used_all_the_time_is_not_looked_up_all_the_time(stage: Stage) -> None:
    made = await make(stage)
    reads = 0
    read = stage.ledger.read

    async def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.ledger, "read", counted)
        for _ in range(50):
            await stage.house.callers.of_key(made["key"])
        assert reads == 1
        assert await stage.house.callers.of_key("wrong") is None
        assert await stage.house.callers.of_key(API_KEY) is not None
        assert reads == 1, "what cannot be a named key is not looked up"


async def test_the_last_use_is_shown_to_a_minute(both: Stage) -> None:
    made = await make(both)

    async def last_used() -> Any:
        # What the loop does by itself within a second.
        await both.house.callers.run_once(both.clock())
        return (await both.get("/v1/keys"))["data"][0]["last_used_at"]

    assert await last_used() is None
    assert await may_look(both, made["key"])
    assert await last_used() == "2023-11-14T22:13:20.000Z"
    both.clock.advance(MINUTE - SECOND)
    assert await may_look(both, made["key"])
    assert await last_used() == "2023-11-14T22:13:20.000Z"
    both.clock.advance(SECOND)
    assert await may_look(both, made["key"])
    assert await last_used() == "2023-11-14T22:14:20.000Z"
    both.clock.advance(MINUTE)
    assert await last_used() == "2023-11-14T22:14:20.000Z", "nobody used it"


async def test_a_key_that_is_used_all_the_time_is_noted_once_a_minute(stage: Stage) -> None:
    made = await make(stage)
    callers = Callers(stage.ledger, API_KEY)
    written: list[Any] = []

    async def counted(work: Any, due: Any) -> None:
        written.append(due)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.ledger, "write", counted)
        for _ in range(2 * 60 + 1):
            await callers.of_key(made["key"])
            await callers.run_once(stage.clock())
            stage.clock.advance(SECOND)
    assert written == [{made["id"]}] * 3


async def test_the_loop_notes_it_by_itself(stage: Stage) -> None:
    made = await make(stage)
    assert await may_look(stage, made["key"])
    async with asyncio.timeout(20):
        while (await stage.get("/v1/keys"))["data"][0]["last_used_at"] is None:
            await asyncio.sleep(0.05)


async def test_a_use_that_could_not_be_noted_is_noted_later(stage: Stage) -> None:
    made = await make(stage)
    callers = Callers(stage.ledger, API_KEY)  # whose loop nobody runs
    assert await callers.of_key(made["key"]) is not None

    async def away(*_: Any) -> None:
        raise Unavailable("away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.ledger, "write", away)
        with pytest.raises(Unavailable):
            await callers.run_once(stage.clock())
    await callers.run_once(stage.clock())
    assert (await stage.get("/v1/keys"))["data"][0]["last_used_at"] is not None


async def test_what_is_changed_with_a_named_key_is_written_down_under_it(stage: Stage) -> None:
    made = await make(stage, "admin", "Ann's")
    new = {"url": "https://example.com/hook"}
    hook = (await stage.anyone.post("/v1/subscribers", json=new, headers=bearer(made["key"]))).json()
    (change,) = (await stage.get(f"/v1/subscribers/{hook['id']}/audit"))["data"]
    assert change["actor"] == f"api key Ann's ({made['id']}) from 127.0.0.1"


async def test_a_stream_ends_with_the_key_that_asked_for_it(stage: Stage) -> None:
    made = await make(stage, "read")
    caller = await stage.house.callers.of_key(made["key"])
    assert caller is not None

    async def endless() -> Any:
        while True:
            yield "event"

    text = while_good(stage.house.callers, caller, endless())
    assert [await anext(text), await anext(text)] == ["event", "event"]
    await stage.client.delete(f"/v1/keys/{made['id']}")
    assert [part async for part in text] == []


async def test_the_stream_wants_a_key_that_may_look(stage: Stage) -> None:
    assert next(call for call in CALLS if call.path == "/v1/stream").scope == "read"
    for headers in ({}, bearer("pbk_wrong")):
        problem(await stage.anyone.get("/v1/stream", headers=headers), 401, "unauthorized")
    assert (await stage.client.head("/v1/stream")).status_code == 200


async def test_a_wrong_named_key_teaches_nothing(stage: Stage) -> None:
    made = await make(stage)
    tries = ["pbk_", f"{made['key']}x", made["key"][:-1], made["key"].upper(), made["id"], "pbk_\x00", "pbk_ü"]
    for key in tries:
        with pytest.raises(Problem, match="not known here, or it was revoked"):
            await stage.house.callers.of_header(f"Bearer {key}")
