"""Who may call back: whoever holds the token, for that job and provider, and nobody learns why he may not."""

import string
from urllib.parse import quote

import pytest
from builders import DEADLINE, FakeClock, count, done, pending

from ledger.clock import MINUTE
from ledger.schema import callbacks
from ledger.tokens import BadToken, CallbackTokens

from .stage import BASE, Stage, finished, other_keys, problem

pytestmark = pytest.mark.anyio

BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


async def test_every_bad_token_gets_the_very_same_404(both: Stage) -> None:
    job, other = await pending(both.ledger, "task-a"), await done(both.ledger)
    good = _token(both, job.id)
    deleted = _token(both, other.id)
    assert (await both.client.delete(f"/v1/jobs/{other.id}")).status_code == 204
    clock = FakeClock(both.clock() + 5 * MINUTE + 1_000)
    payload, stamp, signature = good.split(".")
    bad = {
        "garbage": "garbage",
        "dots": "...",  # two would be the folder above
        "not ASCII": "é🐈",
        "NUL": "\x00",
        "long": "x" * 60_000,
        "cut short": good[:-1],
        "one more": good + "A",
        "without signature": f"{payload}.{stamp}",
        "signature of another": f"{payload}.{stamp}.{deleted.split('.')[2]}",
        "payload of another": f"{deleted.split('.')[0]}.{stamp}.{signature}",
        "other provider": _token(both, job.id, "acedata"),
        "unknown provider": _token(both, job.id, "replicate"),
        "unknown job": _token(both, "job_00000000000000000000000000"),
        "no job": _token(both, ""),
        "deleted job": deleted,
        "future": CallbackTokens(both.house.keys, clock).mint(job.id, "dashscope"),
        "other key": CallbackTokens(other_keys(), both.clock).mint(job.id, "dashscope"),
    }
    first = None
    for name, token in bad.items():
        answer = await both.anyone.post(f"{BASE}/callbacks/{quote(token, safe='')}", json=finished("task-a"))
        problem(answer, 404, "not-found")
        told = (answer.content, answer.headers.multi_items())
        first = first or told
        assert told == first, name
    nowhere = await both.anyone.post("/nowhere", json=finished("task-a"))
    assert (nowhere.content, nowhere.headers.multi_items()) == first
    assert (await both.get(f"/v1/jobs/{job.id}"))["status"] == "pending"
    assert await count(both.ledger, callbacks) == 0


async def test_a_flipped_bit_is_refused(stage: Stage) -> None:
    job = await pending(stage.ledger, "task-a")
    token = _token(stage, job.id)
    tokens, refused = stage.house.tokens, 0
    for position in range(len(token)):
        for bit in range(8):
            flipped = token[:position] + chr(ord(token[position]) ^ (1 << bit)) + token[position + 1 :]
            if _same_signature(flipped, token):
                assert tokens.read(flipped) == (job.id, "dashscope")
                continue
            with pytest.raises(BadToken):
                tokens.read(flipped)
            refused += 1
    assert refused > 8 * len(token) - 10
    for position in range(0, len(token), 7):
        flipped = token[:position] + chr(ord(token[position]) ^ 4) + token[position + 1 :]
        answer = await stage.anyone.post(f"{BASE}/callbacks/{quote(flipped, safe='')}", json=finished("task-a"))
        problem(answer, 404, "not-found")
    assert await count(stage.ledger, callbacks) == 0


async def test_other_spellings_of_a_good_token_have_no_second_effect(stage: Stage) -> None:
    await stage.listener()
    job = await pending(stage.ledger, "task-a")
    token = _token(stage, job.id)
    tail = BASE64.index(token[-1])
    spellings = [token[:-1] + BASE64[tail & ~3 | low] for low in range(4)]
    spellings += [token + "=", token[:-5] + "!" + token[-5:], "".join(f"%{ord(letter):02X}" for letter in token)]
    spellings += [_token(stage, job.id)]
    for spelling in [token, *spellings]:
        answer = await stage.anyone.post(f"{BASE}/callbacks/{spelling}", json=finished("task-a"))
        assert answer.status_code in (200, 404)
    assert len(await stage.ids("/v1/notifications")) == 1
    assert len(await stage.ids("/v1/callbacks", verdict="accepted")) == 1


async def test_a_token_is_good_as_long_as_its_job_is_kept(stage: Stage) -> None:
    job = await pending(stage.ledger, "task-a")
    path = stage.callback_path(job)
    stage.clock.advance(1_000 * DEADLINE)
    assert (await stage.anyone.post(path, json=finished("task-a"))).json() == {"verdict": "accepted"}


async def test_a_clock_that_is_a_little_ahead_is_tolerated(stage: Stage) -> None:
    job = await pending(stage.ledger, "task-a")
    ahead = CallbackTokens(stage.house.keys, FakeClock(stage.clock() + 5 * MINUTE)).mint(job.id, "dashscope")
    assert (await stage.anyone.post(f"/callbacks/{ahead}", json=finished("task-a"))).status_code == 200


async def test_the_api_key_is_no_token_and_a_token_is_no_key(stage: Stage) -> None:
    job = await pending(stage.ledger, "task-a")
    token = _token(stage, job.id)
    key = stage.client.headers["authorization"].split()[1]
    problem(await stage.client.post(f"/callbacks/{key}", json=finished("task-a")), 404, "not-found")
    problem(await stage.anyone.get("/v1/jobs", headers={"authorization": f"Bearer {token}"}), 401, "unauthorized")


async def test_another_method_is_405_whatever_the_token(stage: Stage) -> None:
    job = await pending(stage.ledger, "task-a")
    told = set()
    for path in (stage.callback_path(job), "/callbacks/garbage"):
        for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answer = await stage.anyone.request(method, path, json=finished("task-a"))
            problem(answer, 405, "method-not-allowed")
            assert answer.headers["allow"] == "POST"
            told.add(answer.content)
    assert len(told) == 1


def _token(stage: Stage, job_id: str, provider: str = "dashscope") -> str:
    return stage.callback_path(job_id, provider).removeprefix("/callbacks/")


def _same_signature(flipped: str, token: str) -> bool:
    """Base64 of 32 bytes leaves two bits of its last character unused, and Python skips characters of no alphabet."""
    *_, last = flipped
    return flipped[:-1] == token[:-1] and last in BASE64 and BASE64.index(last) // 4 == BASE64.index(token[-1]) // 4
