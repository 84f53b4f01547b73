"""`POST /v1/rekey`: after a change of the secret keys everything is sealed under the newest, and none is lost."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from builders import rows, subscribed

from ledger import resealing, schema, subscribers
from ledger.clock import HOUR
from ledger.errors import CannotOpen
from ledger.keys import SecretKeys

from .stage import SECRET, Stage, other_keys, served, settings

pytestmark = pytest.mark.anyio

A, B = "the-older-secret-key", "the-newer-secret-key"


def at(home: Path, database_url: str, *keys: str) -> Any:
    return served(settings(home, database_url, secret_keys=",".join(keys)))


async def rekeyed(stage: Stage) -> dict[str, int]:
    answer = await stage.client.post("/v1/rekey")
    assert answer.status_code == 200, answer.text
    found: dict[str, int] = answer.json()
    return found


async def opened(stage: Stage) -> dict[str, tuple[list[str], str | None]]:
    """All secrets and headers of every subscriber, in the clear."""
    keys = stage.house.keys
    return {
        row.id: (
            subscribers.live_secrets(row, keys, stage.clock()),
            row.sealed_headers and keys.decrypt(row.sealed_headers),
        )
        for row in await rows(stage.ledger, schema.subscribers)
        if row.deleted_at is None
    }


async def test_the_newest_key_alone_opens_everything_after(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "PART", 2)
    async with at(tmp_path, database_url, A) as stage:
        full = await stage.subscribe(signature="v1a", headers={"authorization": "Bearer hush"})
        await stage.client.post(f"/v1/subscribers/{full['id']}/rotate-secret")
        plain = await stage.subscribe(secret=SECRET)
        await stage.client.patch(f"/v1/subscribers/{plain['id']}", json={"enabled": False})
        await stage.listener(job_id="job_of_a_one_off")
        gone = await stage.subscribe()
        await stage.client.delete(f"/v1/subscribers/{gone['id']}")
        before = await opened(stage)
        assert [len(secrets) for secrets, _ in before.values()] == [4, 1, 1]
        assert json.loads(before[full["id"]][1] or "") == {"authorization": "Bearer hush"}
        assert await rekeyed(stage) == {"resealed": 0, "unreadable": 0}
    async with at(tmp_path, database_url, A, B) as stage:
        fresh = await stage.subscribe()
        assert await rekeyed(stage) == {"resealed": 3, "unreadable": 0}
        assert await rekeyed(stage) == {"resealed": 0, "unreadable": 0}
        assert await opened(stage) == before | {fresh["id"]: ([fresh["secret"]], None)}
    async with at(tmp_path, database_url, B) as stage:
        assert await opened(stage) == before | {fresh["id"]: ([fresh["secret"]], None)}
        assert (await stage.get(f"/v1/subscribers/{plain['id']}/secret"))["secret"] == SECRET
    with pytest.raises(CannotOpen, match="POSTBACK_SECRET_KEYS"):
        async with at(tmp_path, database_url, A):
            pass


async def test_what_is_rotated_meanwhile_is_lost_neither_way(tmp_path: Path, database_url: str) -> None:
    async with at(tmp_path, database_url, A) as stage:
        made = await stage.subscribe()
        path = f"/v1/subscribers/{made['id']}"
    async with at(tmp_path, database_url, A, B) as stage:
        rotations = [stage.client.post(f"{path}/rotate-secret") for _ in range(8)]
        answers = await asyncio.gather(*rotations[:4], stage.client.post("/v1/rekey"), *rotations[4:])
        assert {answer.status_code for answer in answers} == {200}
        given = {answer.json()["secret"] for answer in answers if "secret" in answer.json()}
        assert len(given) == 8
    async with at(tmp_path, database_url, B) as stage:
        secrets, _ = (await opened(stage))[made["id"]]
        assert set(secrets) == given | {made["secret"]}


async def test_what_no_key_opens_is_counted_and_left(stage: Stage) -> None:
    lost = await subscribed(stage.ledger, sealed_secret=other_keys().encrypt(SECRET))
    kept = await stage.listener()
    assert await rekeyed(stage) == {"resealed": 0, "unreadable": 1}
    found = {row.id: row for row in await rows(stage.ledger, schema.subscribers)}
    assert found[lost.id].sealed_secret == lost.sealed_secret
    assert stage.house.keys.decrypt(found[kept].sealed_secret) == SECRET


async def test_nothing_newer_is_overwritten_and_nobody_is_said_to_have_changed_it(both: Stage) -> None:
    listener = await both.listener()
    newer = SecretKeys([*["a-secret-key-for-tests"], B])
    await both.ledger.write(subscribers.rotate, listener, {"sealed_secret": newer.encrypt("whsec_new")}, HOUR)
    changes = await both.get(f"/v1/subscribers/{listener}/audit")
    part = await both.ledger.write(resealing.reseal, newer)
    assert part == resealing.Part(1, 0, None)
    row = await both.ledger.read(subscribers.get, listener)
    only = SecretKeys([B])
    assert subscribers.live_secrets(row, only, both.clock()) == ["whsec_new", SECRET]
    assert await both.get(f"/v1/subscribers/{listener}/audit") == changes
