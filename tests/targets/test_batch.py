"""`POST /v1/jobs/batch`: each request may name whom it tells, and bring a URL along."""

from typing import Any

import pytest
from builders import count

from ledger import schema
from tests.api.stage import ORDER, SECRET, Stage, problem

pytestmark = pytest.mark.anyio

BATCH = "/v1/jobs/batch"
URL = "https://example.com/one-off"
NOBODY = "sub_01h455vb4pex5vsknk084sn02q"


async def post(stage: Stage, *requests: dict[str, Any]) -> Any:
    return await stage.client.post(BATCH, json={"jobs": [ORDER | request for request in requests]})


async def test_each_has_its_own(both: Stage) -> None:
    named = await both.subscribe()
    requests = [
        {"notify_url": URL + "/0"},
        {},
        {"notify_url": URL + "/2", "notify_secret": SECRET, "idempotency_key": "k", "subscribers": [named["id"]]},
        {"subscribers": []},
    ]
    made = (await post(both, *requests)).json()["data"]
    assert ["notify" in job for job in made] == [True, False, True, False]
    assert made[2]["notify"]["secret"] == SECRET != made[0]["notify"]["secret"]
    for place in (0, 2):
        shown = await both.get(f"/v1/subscribers/{made[place]['notify']['subscriber_id']}")
        assert shown["url"] == requests[place]["notify_url"]
    alone = {name: value for name, value in requests[2].items() if name != "idempotency_key"}
    assert await both.submit({"idempotency-key": "k"}, **alone) == made[2], "alone it is the same request"
    again = (await post(both, requests[2], requests[0])).json()["data"]
    assert (again[0], again[1] == made[0]) == (made[2], False)
    assert await count(both.ledger, schema.subscribers) == 1 + 3


async def test_each_bad_one_is_named_by_its_place_and_nothing_is_recorded(both: Stage) -> None:
    named = (await both.subscribe())["id"]
    bad = [
        {},
        {"notify_url": "http://10.0.0.1/"},
        {"notify_secret": SECRET},
        {"subscribers": [named, "sub_x"]},
    ]
    document = problem(await post(both, *bad), 422, "invalid")
    pointers = [error["pointer"] for error in document["errors"]]
    assert pointers == ["/jobs/1/notify_url", "/jobs/2/notify_secret", "/jobs/3/subscribers/1"]
    unknown = [{}, {"subscribers": [named, NOBODY]}, {"subscribers": [NOBODY], "notify_url": URL}]
    document = problem(await post(both, *unknown), 422, "invalid")
    assert [error["pointer"] for error in document["errors"]] == ["/jobs/1/subscribers/1", "/jobs/2/subscribers/0"]
    assert {error["detail"] for error in document["errors"]} == {f"there is no subscriber {NOBODY}"}
    assert await count(both.ledger, schema.jobs) == 0
    assert await count(both.ledger, schema.subscribers) == 1


async def test_a_thousand_urls_are_taken(both: Stage) -> None:
    requests = [{"notify_url": f"https://h{i % 9}.example/{i}"} for i in range(1_000)]
    made = (await post(both, *requests)).json()["data"]
    assert len({job["notify"]["secret"] for job in made}) == 1_000
    assert await count(both.ledger, schema.subscribers) == 1_000
