"""Row 18: of a body without end, no more is taken in than the limit: what is refused costs no memory."""

from collections.abc import AsyncIterator

import pytest
from builders import count, pending

from ledger.schema import callbacks
from tests.api.conftest import stage
from tests.api.stage import Stage, problem

pytestmark = pytest.mark.anyio

__all__ = ["stage"]

LIMIT = 1024 * 1024
CHUNK = 16 * 1024


@pytest.mark.parametrize("declared", [{}, {"content-length": "10"}])
async def test_no_more_than_the_limit_is_taken_in(stage: Stage, declared: dict[str, str]) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 8 * LIMIT:  # so that a server without a limit is found out
            taken += CHUNK
            yield b" " * CHUNK

    job = await pending(stage.ledger)
    answer = await stage.anyone.post(stage.callback_path(job), content=endless(), headers=declared)
    problem(answer, 413, "too-large")
    assert LIMIT < taken <= LIMIT + 2 * CHUNK
    assert await count(stage.ledger, callbacks) == 0


async def test_of_one_that_declares_too_much_nothing_is_taken_in(stage: Stage) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    job = await pending(stage.ledger)
    headers = {"content-length": str(LIMIT + 1)}
    answer = await stage.anyone.post(stage.callback_path(job), content=never(), headers=headers)
    problem(answer, 413, "too-large")
