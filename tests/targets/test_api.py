"""`POST /v1/jobs` with `subscribers`, `notify_url` and `notify_secret`."""

import asyncio
import json
from typing import Any

import pytest
from builders import calls_back, claimed, count, failed, pending, rows
from standardwebhooks import Webhook

from ledger import schema, settling
from ledger.deliveries import Attempt
from ledger.ids import is_id
from ledger.one_offs import Target
from ledger.settling import Settlement
from postback.settings import Settings
from tests.api.stage import ORDER, SECRET, Stage, problem, served, settings

pytestmark = pytest.mark.anyio

URL = "https://example.com/one-off?key=hush"
KEY = {"idempotency-key": "order-7"}
NOBODY = "sub_01h455vb4pex5vsknk084sn02q"

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("subscribers no list", {"subscribers": "sub_1"}, "/subscribers"),
    ("a subscriber of another type", {"subscribers": [NOBODY, 7]}, "/subscribers/1"),
    ("too many subscribers", {"subscribers": [NOBODY] * 101}, "/subscribers"),
    ("an unknown subscriber", {"subscribers": [NOBODY]}, "/subscribers/0"),
    ("an id of another thing", {"subscribers": ["job" + NOBODY[3:]]}, "/subscribers/0"),
    ("a subscriber with NUL", {"subscribers": ["sub_\x00"]}, "/subscribers/0"),
    ("an empty id", {"subscribers": [""]}, "/subscribers/0"),
    ("url of another type", {"notify_url": 7}, "/notify_url"),
    ("url empty", {"notify_url": ""}, "/notify_url"),
    ("url too long", {"notify_url": "https://example.com/" + "x" * 2029}, "/notify_url"),
    ("url of another scheme", {"notify_url": "ftp://example.com/"}, "/notify_url"),
    ("url with a password", {"notify_url": "https://me:hush@example.com/"}, "/notify_url"),
    ("loopback", {"notify_url": "http://127.0.0.1:9000/"}, "/notify_url"),
    ("metadata", {"notify_url": "http://169.254.169.254/latest"}, "/notify_url"),
    ("disguised", {"notify_url": "http://0x7f000001/"}, "/notify_url"),
    ("url with NUL", {"notify_url": "https://example.com/\x00"}, "/notify_url"),
    ("secret without a url", {"notify_secret": SECRET}, "/notify_secret"),
    ("secret for no url", {"notify_secret": SECRET, "notify_url": None}, "/notify_secret"),
    ("secret without its mark", {"notify_url": URL, "notify_secret": SECRET[6:]}, "/notify_secret"),
    ("secret too short", {"notify_url": URL, "notify_secret": "whsec_c2hvcnQ="}, "/notify_secret"),
    ("secret empty", {"notify_url": URL, "notify_secret": ""}, "/notify_secret"),
    ("secret of another type", {"notify_url": URL, "notify_secret": 7}, "/notify_secret"),
]


async def post(stage: Stage, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    return await stage.client.post("/v1/jobs", json=ORDER | changes, headers=headers)


async def test_the_answer_holds_the_one_off_and_nothing_else_does(both: Stage) -> None:
    await both.subscribe(events=["*"])
    made = await both.submit(notify_url=URL)
    notify = made.pop("notify")
    assert notify.keys() == {"subscriber_id", "secret"}
    assert is_id(notify["subscriber_id"], "sub")
    Webhook(notify["secret"])
    seen = [f"/v1/jobs/{made['id']}", "/v1/jobs", f"/v1/jobs/{made['id']}/timeline"]
    job = await both.get(seen[0])
    assert job == made
    await both.client.post(f"{seen[0]}/cancel")
    seen += ["/v1/notifications", "/v1/deliveries", "/v1/subscribers"]
    for text in [json.dumps(await both.get(path)) for path in seen]:
        assert "hush" not in text
        assert notify["secret"] not in text
    assert (await both.get("/v1/deliveries"))["data"][0]["subscriber_id"] == notify["subscriber_id"]


async def test_without_a_url_nothing_is_added(stage: Stage) -> None:
    standing = await stage.subscribe()
    for fields in ({}, {"subscribers": []}, {"subscribers": [standing["id"]]}, {"notify_url": None}):
        assert "notify" not in await stage.submit(**fields)
    assert await count(stage.ledger, schema.subscribers) == 1


async def test_the_one_off_is_a_subscriber_that_no_list_shows(both: Stage) -> None:
    standing = await both.subscribe()
    notify = (await both.submit(notify_url=URL))["notify"]
    path = f"/v1/subscribers/{notify['subscriber_id']}"
    shown = await both.get(path)
    assert (shown["url"], shown["enabled"], shown["health"]["state"]) == (URL, True, "healthy")
    assert await both.get(f"{path}/secret") == {"secret": notify["secret"]}
    assert await both.ids("/v1/subscribers") == [standing["id"]]
    document = problem(await post(both, subscribers=[standing["id"], notify["subscriber_id"]]), 422, "invalid")
    assert [error["pointer"] for error in document["errors"]] == ["/subscribers/1"]


async def test_it_can_be_changed_rotated_and_deleted(both: Stage) -> None:
    made = await both.submit(KEY, notify_url=URL)
    path = f"/v1/subscribers/{made['notify']['subscriber_id']}"
    changed = await both.client.patch(path, json={"payload": "thin", "url": "https://example.org/"})
    assert (changed.status_code, changed.json()["payload"], changed.json()["url"]) == (
        200,
        "thin",
        "https://example.org/",
    )
    rotated = (await both.client.post(f"{path}/rotate-secret")).json()["secret"]
    again = await both.submit(KEY, notify_url=URL)
    assert again == made | {"notify": {**made["notify"], "secret": rotated}}
    assert (await both.client.delete(path)).status_code == 204
    assert await both.submit(KEY, notify_url=URL) == made | {"notify": None}


async def test_a_secret_of_ones_own_signs(both: Stage) -> None:
    assert (await both.submit(notify_url=URL, notify_secret=SECRET))["notify"]["secret"] == SECRET
    secrets = [(await both.submit(notify_url=URL))["notify"]["secret"] for _ in range(2)]
    assert len({SECRET, *secrets}) == 3
    sealed = [row.sealed_secret for row in await rows(both.ledger, schema.subscribers)]
    assert not [secret for secret in (SECRET, *secrets) for one in sealed if secret[6:] in one]
    assert [both.house.keys.decrypt(one) for one in sealed] == [SECRET, *secrets]


@pytest.mark.parametrize(("body", "pointer"), [pytest.param(body, pointer, id=name) for name, body, pointer in BAD])
async def test_a_bad_field_is_named_and_nothing_is_recorded(both: Stage, body: dict[str, Any], pointer: str) -> None:
    answer = await post(both, **body)
    document = problem(answer, 422, "invalid")
    assert pointer in [error["pointer"] for error in document["errors"]]
    assert "hush" not in answer.text
    assert SECRET[6:] not in answer.text
    assert await count(both.ledger, schema.jobs) == await count(both.ledger, schema.subscribers) == 0


async def test_all_bad_fields_are_told_together(stage: Stage) -> None:
    bad = {"input": {}, "subscribers": ["sub_", "sub_"], "notify_url": "http://10.0.0.1/", "notify_secret": "hush"}
    document = problem(await post(stage, **bad), 422, "invalid")
    pointers = [error["pointer"] for error in document["errors"]]
    assert pointers == ["/input/prompt", "/subscribers/0", "/subscribers/1", "/notify_url", "/notify_secret"]


async def test_an_allowed_network_may_be_told(tmp_path: Any, sqlite_url: str) -> None:
    given: Settings = settings(tmp_path, sqlite_url, allow_networks="127.0.0.0/8")
    async with served(given) as stage:
        await stage.submit(notify_url="http://127.0.0.1:9000/hook")
        problem(await post(stage, notify_url="http://[::1]/"), 422, "invalid")


async def test_the_same_request_again_answers_the_same_with_its_secret(both: Stage) -> None:
    named = await both.subscribe()
    asked = {"subscribers": [named["id"]], "notify_url": URL}
    first = await both.submit(KEY, **asked)
    assert await both.submit(KEY, **asked) == first
    # Whoever was named may be gone by then: the job is there.
    assert (await both.client.delete(f"/v1/subscribers/{named['id']}")).status_code == 204
    assert await both.submit(KEY, **asked) == first
    problem(await post(both, **asked), 422, "invalid")
    others = [
        {},
        {**asked, "subscribers": []},
        {**asked, "subscribers": None},
        {**asked, "notify_url": None},
        {**asked, "notify_url": URL + "x"},
        {**asked, "notify_secret": first["notify"]["secret"]},
    ]
    for other in others:
        problem(await post(both, KEY, **other), 422, "idempotency-key-reused")
    assert await count(both.ledger, schema.jobs) == 1


async def test_50_at_once_get_one_secret(both: Stage) -> None:
    answers = await asyncio.gather(*(both.submit(KEY, notify_url=URL) for _ in range(50)))
    assert len({json.dumps(answer) for answer in answers}) == 1
    assert await count(both.ledger, schema.subscribers) == 1


async def test_submitting_again_takes_it_along(both: Stage) -> None:
    job = await pending(both.ledger, notify=Target(URL, both.house.keys.encrypt(SECRET)), subscribers=[])
    await calls_back(both.ledger, job, failed())
    answer = await both.client.post(f"/v1/jobs/{job.id}/resubmit")
    assert (answer.status_code, "notify" in answer.json()) == (202, False)
    (one_off,) = [row.id for row in await rows(both.ledger, schema.subscribers) if row.job_id == answer.json()["id"]]
    assert (await both.get(f"/v1/subscribers/{one_off}/secret")) == {"secret": SECRET}
    assert (await both.get(f"/v1/subscribers/{one_off}"))["url"] == URL


async def test_deleting_the_job_erases_it(both: Stage) -> None:
    made = await both.submit(notify_url=URL, subscribers=[])
    path = f"/v1/jobs/{made['id']}"
    assert (await both.client.post(f"{path}/cancel")).status_code == 200
    assert (await both.client.delete(path)).status_code == 204
    gone = f"/v1/subscribers/{made['notify']['subscriber_id']}"
    for address in (gone, f"{gone}/secret", f"{gone}/audit"):
        problem(await both.client.get(address), 404, "not-found")
    assert await count(both.ledger, schema.subscribers) == 0


async def test_one_that_is_gone_can_be_enabled_again(both: Stage) -> None:
    job = await pending(both.ledger, notify=Target(URL, both.house.keys.encrypt(SECRET)), subscribers=[])
    await calls_back(both.ledger, job, failed())
    (row,) = await rows(both.ledger, schema.deliveries)
    assert row.subscriber_id == job.notify_id
    gone = Attempt(both.clock.now, 5, 410, "status", "HTTP 410")
    (parcel,) = (await claimed(both.ledger)).rows
    await both.ledger.write(settling.settle, [Settlement(parcel.id, parcel.lease, gone, "dead", disable="410")])
    path = f"/v1/subscribers/{job.notify_id}"
    assert (await both.get(path))["enabled"] is False
    assert (await both.client.patch(path, json={"enabled": True})).json()["enabled"] is True
    assert (await both.client.post(f"/v1/deliveries/{row.id}/redeliver")).status_code == 202


async def test_what_is_described(stage: Stage) -> None:
    schemas = (await stage.client.get("/openapi.json")).json()["components"]["schemas"]
    assert "notify" in schemas["SubmittedJob"]["properties"]
    assert "notify" not in schemas["SubmittedJob"]["required"]
    assert [name for name in ("Job", "NotifiedJob") if "notify" in schemas[name]["properties"]] == []
    for name in ("NewJob", "BatchedJob"):
        assert schemas[name]["properties"].keys() >= {"subscribers", "notify_url", "notify_secret"}
