import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from builders import FakeClock
from elsewhere import note, note_and_die, note_and_fail, note_and_say_what_cannot_travel, noted, now_and_id

from ledger import apart, onward, polls, submissions
from ledger.batch import Batch
from ledger.call import Call
from ledger.company import PART, WORTH
from ledger.ids import Ids
from ledger.ledger import Ledger, open_database
from ledger.moment import Moment
from ledger.observer import Unobserved
from ledger.sqlite import SqliteDatabase

pytestmark = pytest.mark.anyio

HERE = os.getpid()
MANY = [f"n{number}" for number in range(4 * WORTH)]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """They differ in what happens to a pipe whose other end has died."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def ledger(
    anyio_backend: Any, migrated: None, sqlite_url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Ledger]:
    """One whose second writer is there, and finds the works of these tests."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(apart, "processors", lambda: 2)
    monkeypatch.setattr(apart, "OFTEN", 1)
    monkeypatch.setattr(apart, "BUSY", 600)
    opened = Ledger(await open_database(sqlite_url), clock=clock, first_delay=7)
    await opened.write_apart(WORTH, now_and_id)
    await ready(opened)
    yield opened
    await opened.close()


async def ready(ledger: Ledger) -> None:
    """Waits until the second writer takes work."""
    for _ in range(2_000):
        if ledger.database.at_once > 1:
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("there is no second writer")


class Counting(Unobserved):
    """Told of commits, it notes how many pieces of work were in each."""

    def __init__(self, counts: list[int]) -> None:
        self._counts = counts

    def committed(self, seconds: float, count: int) -> None:
        self._counts.append(count)


def second(ledger: Ledger) -> apart.Apart:
    assert isinstance(ledger.database, SqliteDatabase)
    return ledger.database._apart


def pid(ledger: Ledger) -> int:
    transport: Any = second(ledger)._transport
    return int(transport.get_pid())


async def test_a_call_is_done_by_the_second_writer_at_our_time(ledger: Ledger, clock: FakeClock) -> None:
    assert await ledger.write_apart(WORTH, note, ["n"]) == [pid(ledger)] != [HERE]
    assert (await ledger.read(noted)).keys() == {"n"}
    now, first_delay, identifier = await ledger.write_apart(WORTH, now_and_id)
    assert (now, first_delay) == (clock(), 7)
    assert identifier.startswith("cb_")


async def test_only_while_many_come_often_it_is_worth_it(
    migrated: None, sqlite_url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(apart, "processors", lambda: 2)
    monkeypatch.setattr(apart, "BUSY", 600)
    opened = Ledger(await open_database(sqlite_url), clock=clock)
    loop = asyncio.get_running_loop()
    assert await opened.write_apart(WORTH - 1, note, ["n"]) == [HERE]
    assert second(opened)._transport is None, "nothing large has come"
    assert await opened.write_apart(WORTH, note, ["n-large"]) == [HERE]
    while not second(opened)._ready:
        await asyncio.sleep(0.01)
    for number in range(apart.OFTEN):
        second(opened)._large.append(loop.time())
        by = await opened.write_apart(1, note, [f"n{number}"])
        assert by == [HERE if number < apart.OFTEN - 2 else pid(opened)]
    second(opened)._large[0] -= apart.BUSY
    assert await opened.write_apart(1, note, ["n-later"]) == [HERE]
    await opened.close()


async def test_one_writes_at_a_time(ledger: Ledger) -> None:
    """What is done here waits for what is under way there, and the other way round, in whatever order they come."""
    there = [ledger.write_apart(WORTH, note, [f"n-there-{number}"], 0.05) for number in range(4)]
    here = [ledger.write(note, [f"n-here-{number}"], 0.05) for number in range(4)]
    mixed = [write for pair in zip(there, here, strict=True) for write in pair]
    tasks = []
    for write in mixed:
        tasks.append(asyncio.create_task(write))
        await asyncio.sleep(0.02)
    done_by = [answer[0] for answer in await asyncio.gather(*tasks)]
    assert set(done_by) == {HERE, pid(ledger)}
    spans = sorted((await ledger.read(noted)).values())
    assert len(spans) == 8
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))


async def test_what_waits_there_is_committed_together(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    committed: list[int] = []
    monkeypatch.setattr(ledger.database, "observer", Counting(committed))
    seconds = [0.2, *[0.0] * 8]
    writes = [ledger.write_apart(WORTH, note, [f"n{place}"], wait) for place, wait in enumerate(seconds)]
    assert await asyncio.gather(*writes) == [[pid(ledger)]] * len(seconds)
    assert sum(committed) == len(seconds)
    assert len(committed) < len(seconds)


async def test_what_fails_there_takes_nothing_with_it(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    committed: list[int] = []
    monkeypatch.setattr(ledger.database, "observer", Counting(committed))
    slow = ledger.write_apart(WORTH, note, ["n-slow"], 0.2)
    works = [note, note_and_fail, note, note_and_fail, note]
    writes = [ledger.write_apart(WORTH, work, [f"n{place}"]) for place, work in enumerate(works)]
    answers = await asyncio.gather(slow, *writes, return_exceptions=True)
    assert [str(answer) for answer in answers if isinstance(answer, Exception)] == ["n1 cannot be", "n3 cannot be"]
    assert (await ledger.read(noted)).keys() == {"n-slow", "n0", "n2", "n4"}
    assert sum(committed) == len(answers), "each is counted once, where it was done"


async def test_what_fails_there_is_done_here_and_says_why(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="n9 cannot be"):
        await ledger.write_apart(WORTH, note_and_fail, ["n9"])
    assert await ledger.read(noted) == {}
    assert await ledger.write_apart(WORTH, note, ["n9"]) == [pid(ledger)]


async def test_an_answer_that_cannot_travel_is_made_here(ledger: Ledger) -> None:
    (say,) = await ledger.write_apart(WORTH, note_and_say_what_cannot_travel, ["n"])
    assert say() == HERE
    assert len(await ledger.read(noted)) == 1


async def test_what_cannot_be_sent_is_done_here(ledger: Ledger) -> None:
    assert await ledger.write_apart(WORTH, lambda connection, moment: os.getpid()) == HERE


async def test_what_was_under_way_when_it_died_is_done_here(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = [ledger.write_apart(WORTH, note_and_die, [name], HERE) for name in MANY]
    assert await asyncio.gather(*writes) == [[HERE]] * len(MANY)
    assert (await ledger.read(noted)).keys() == set(MANY)
    assert ledger.database.at_once == 1
    assert await ledger.write_apart(WORTH, note, ["nx"]) == [HERE], "it rests before another is started"
    monkeypatch.setattr(second(ledger), "_not_before", 0.0)
    assert await ledger.write_apart(WORTH, note, ["ny"]) == [HERE]
    await ready(ledger)
    assert await ledger.write_apart(WORTH, note, ["nz"]) == [pid(ledger)]


async def test_one_that_hangs_is_ended_and_its_work_done_here(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "HANGS", 0.2)
    os.kill(pid(ledger), signal.SIGSTOP)
    writes = [ledger.write_apart(WORTH, note, [name]) for name in MANY]
    assert await asyncio.gather(*writes) == [[HERE]] * len(MANY)


async def test_what_comes_when_it_has_just_died_is_done_here(ledger: Ledger) -> None:
    os.kill(pid(ledger), signal.SIGKILL)
    writes = [ledger.write_apart(WORTH, note, [name]) for name in MANY]
    assert await asyncio.gather(*writes) == [[HERE]] * len(MANY)


async def test_what_comes_while_it_is_dying_is_done_here(ledger: Ledger) -> None:
    """Some turns of the loop pass between the end of its pipe and its own."""
    os.kill(pid(ledger), signal.SIGKILL)
    writes = []
    for number in range(60):
        writes.append(asyncio.create_task(ledger.write_apart(WORTH, note, [f"n{number}"])))
        await asyncio.sleep(0.0005)
    assert await asyncio.gather(*writes) == [[HERE]] * 60


async def test_it_ends_with_the_database_and_not_by_signals_to_the_group(ledger: Ledger) -> None:
    process = pid(ledger)
    writing = asyncio.create_task(ledger.write_apart(WORTH, note, ["n"], 0.2))
    await asyncio.sleep(0.05)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process, number)
    await ledger.close()
    assert await writing == [process], "what was accepted is finished"
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def test_with_one_processor_there_is_none(
    migrated: None, sqlite_url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "processors", lambda: 1)
    alone = Ledger(await open_database(sqlite_url), clock=clock)
    assert await alone.write_apart(WORTH, note, ["n"]) == [HERE]
    assert second(alone)._transport is None
    await alone.close()


async def test_where_no_process_can_be_started_all_goes_on_here(
    migrated: None, sqlite_url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "processors", lambda: 2)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    alone = Ledger(await open_database(sqlite_url), clock=clock)
    assert [await alone.write_apart(WORTH, note, [name]) for name in ("n1", "n2")] == [[HERE], [HERE]]
    await alone.close()


async def test_a_batch_of_many_is_done_there_and_the_next_is_on_its_way(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    batch = Batch(ledger, note, given=lambda count: sent.append(count) or (0.02,), apart=True)  # type: ignore[func-returns-value]
    for start in range(3):
        adding = [batch.add(f"n{start}-{name}") for name in MANY]
        assert set(await asyncio.gather(*adding)) == {pid(ledger)}
    assert sent == [len(MANY) // 2] * 6, "one half is under way while the other is read and answered"
    sent.clear()
    assert set(await asyncio.gather(*(batch.add(f"n-{name}") for name in MANY[:PART]))) == {pid(ledger)}
    assert sent == [PART], "so few are better written together"
    assert await batch.add("n-1") == pid(ledger), "for a while even one is sent"
    second(ledger)._large.clear()
    assert await batch.add("n-2") == HERE, "one by itself is not worth a message"
    assert batch.wait() == 0


async def test_one_bad_item_of_many_fails_alone(ledger: Ledger) -> None:
    batch = Batch(ledger, note, apart=True)
    answers = await asyncio.gather(*map(batch.add, [*MANY, MANY[3]]), return_exceptions=True)
    failed = [place for place, answer in enumerate(answers) if isinstance(answer, Exception)]
    assert failed == [len(MANY)], "a name that was there"
    assert (await ledger.read(noted)).keys() == set(MANY)


async def test_a_killed_owner_leaves_the_file_to_the_next(
    migrated: None, sqlite_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    """Also while the second writer is at work: its transaction is undone, and so is its lock."""
    program = f"""
import asyncio
from ledger import apart
from ledger.ledger import Ledger, open_database
import elsewhere
async def main():
    apart.processors = lambda: 2
    apart.OFTEN, apart.BUSY = 1, 600
    ledger = Ledger(await open_database({sqlite_url!r}))
    await ledger.write_apart(16, elsewhere.note, ["n-before"])
    while ledger.database.at_once == 1:
        await asyncio.sleep(0.01)
    print((await ledger.write_apart(16, elsewhere.note, ["n-there"]))[0], flush=True)
    writing = asyncio.create_task(ledger.write_apart(16, elsewhere.note, ["n-late"], 0.7))
    await asyncio.sleep(0.3)
    print("at work", flush=True)
    await writing
asyncio.run(main())
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        process = int(owner.stdout.readline())
        assert owner.stdout.readline() == "at work\n"
        owner.kill()
    database = await open_database(sqlite_url)
    found = await database.read(noted)
    assert found.keys() >= {"n-before", "n-there"}
    assert found.keys() <= {"n-before", "n-there", "n-late"}
    deadline = time.monotonic() + 10
    while _lives(process) and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    assert not _lives(process)
    await database.close()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_works_of_the_program_can_be_sent() -> None:
    """All that batches send away are functions of a module, which the second writer finds."""
    works: Sequence[Any] = (onward.store, onward.settle, submissions.start, submissions.settle, polls.settle)
    for work in works:
        assert getattr(sys.modules[work.__module__], work.__qualname__) is work


def test_a_moment_of_ours_is_no_part_of_a_message() -> None:
    """Its ids hold random bytes that are to come."""
    handed = Call(1, now_and_id, (), {}, lambda: Moment(5, Ids(lambda count: b"\x07" * count)))
    assert b"\x07" * 10 not in handed.message()
