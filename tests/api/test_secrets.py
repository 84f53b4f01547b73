"""A subscriber's secret: shown where the design says, rotated with a grace period, and never stored in the clear."""

from pathlib import Path

import pytest

from ledger import subscribers
from ledger.clock import HOUR, SECOND

from .stage import SECRET, Stage, problem

pytestmark = pytest.mark.anyio


async def test_the_secret_can_be_read_again(stage: Stage) -> None:
    made = await stage.subscribe()
    answer = await stage.client.get(f"/v1/subscribers/{made['id']}/secret")
    assert answer.json() == {"secret": made["secret"]}
    assert answer.headers["cache-control"] == "no-store"


async def test_rotation_signs_with_both_through_the_grace_period(both: Stage) -> None:
    made = await both.subscribe()
    path = f"/v1/subscribers/{made['id']}"
    answer = await both.client.post(f"{path}/rotate-secret")
    assert answer.status_code == 200
    fresh = answer.json().pop("secret")
    assert answer.json() == await both.get(path) | {"secret": fresh}
    assert fresh != made["secret"]
    assert (await both.get(f"{path}/secret"))["secret"] == fresh
    assert await _live(both, made["id"]) == [fresh, made["secret"]]
    both.clock.advance(24 * HOUR - 1)
    assert await _live(both, made["id"]) == [fresh, made["secret"]]
    both.clock.advance(1)
    assert await _live(both, made["id"]) == [fresh]


async def test_the_grace_period_can_be_chosen(stage: Stage) -> None:
    made = await stage.subscribe()
    path = f"/v1/subscribers/{made['id']}/rotate-secret"
    second = (await stage.client.post(path, json={"grace": "10s"})).json()["secret"]
    third = (await stage.client.post(path, json={"grace": "1h"})).json()["secret"]
    assert set(await _live(stage, made["id"])) == {made["secret"], second, third}
    stage.clock.advance(10 * SECOND)
    assert await _live(stage, made["id"]) == [third, second]
    fourth = (await stage.client.post(path, json={"grace": "0"})).json()["secret"]
    assert fourth == (await _live(stage, made["id"]))[0]
    assert third not in await _live(stage, made["id"])


async def test_a_grace_period_that_is_no_duration_is_422_and_rotates_nothing(stage: Stage) -> None:
    made = await stage.subscribe()
    for grace in ("", "soon", "-1s", "1 week", 5, [], "\x00"):
        answer = await stage.client.post(f"/v1/subscribers/{made['id']}/rotate-secret", json={"grace": grace})
        assert problem(answer, 422, "invalid")["errors"][0]["pointer"] == "/grace", grace
    assert await _live(stage, made["id"]) == [made["secret"]]


async def test_neither_secrets_nor_headers_are_on_the_disk(stage: Stage, tmp_path: Path) -> None:
    made = await stage.subscribe(secret=SECRET, signature="v1a", headers={"authorization": "Bearer hush-hush"})
    private = (await _live(stage, made["id"]))[1]
    rotated = await stage.client.post(f"/v1/subscribers/{made['id']}/rotate-secret")
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert made["id"].encode() in files
    for secret in (SECRET, rotated.json()["secret"], private, "_hush-hush"):
        assert secret.partition("_")[2].encode() not in files


async def _live(stage: Stage, subscriber_id: str) -> list[str]:
    row = await stage.ledger.read(subscribers.get, subscriber_id)
    return subscribers.live_secrets(row, stage.house.keys, stage.clock())
