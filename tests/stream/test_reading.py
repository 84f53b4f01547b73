"""`ledger.stream`: read on from any place, and nothing is skipped or repeated."""

import pytest
from builders import FakeClock, done, subscribed

from ledger import jobs, stream
from ledger.erase import erase as erase_job
from ledger.ids import Ids
from ledger.ledger import Ledger
from ledger.stream import BadPlace, Cursor

from .happenings import ALL, Held, Reader, erase, open_ears, told

pytestmark = pytest.mark.anyio


async def test_an_empty_ledger_has_a_present_end(ledger: Ledger) -> None:
    reader = await Reader.begin(ledger)
    assert await reader.new() == []
    assert await ledger.read(stream.head) == 0
    await open_ears(ledger)
    assert await reader.new() == []
    assert await told(ledger) == await reader.new()


async def test_everything_comes_once_in_the_order_of_its_transactions(ledger: Ledger) -> None:
    await open_ears(ledger)
    before = await told(ledger, 3)
    reader = await Reader.begin(ledger)
    assert await reader.new() == []
    written = await told(ledger, 3) + await told(ledger) + await told(ledger, 2)
    assert await reader.new() == written
    assert await reader.new() == []
    later = await told(ledger)
    assert await reader.new() == later
    assert await Reader(ledger, "0").new() == before + written + later


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_of_any_size_show_the_same(ledger: Ledger, limit: int) -> None:
    await open_ears(ledger)
    written = await told(ledger, 3) + await told(ledger) + await told(ledger, 2)
    assert await Reader(ledger, "0", limit=limit).new() == written


async def test_reading_goes_on_right_behind_any_row(ledger: Ledger) -> None:
    await open_ears(ledger)
    written = await told(ledger, 3) + await told(ledger, 2)
    rows = (await ledger.read(stream.read, Cursor(0), ALL, 100)).rows
    for number, row in enumerate(rows, 1):
        assert await Reader(ledger, str(stream.place_of(row))).new() == written[number:]


async def test_only_the_wanted_types_come_and_the_place_moves_past_the_others(ledger: Ledger) -> None:
    await open_ears(ledger)
    pings, lost = await told(ledger, 2), await told(ledger, 2, "job.lost")
    dead = await told(ledger, 1, "delivery.dead")
    for events, wanted in [
        (("job.lost",), lost),
        (("job.*",), lost),
        (("job.lost", "delivery.*"), lost + dead),
        (("*",), pings + lost + dead),
        (("job.failed",), []),
    ]:
        reader = Reader(ledger, "0", events, limit=1)
        assert await reader.new() == wanted
        assert reader.place == str(await ledger.read(stream.now))


async def test_what_is_erased_does_not_hide_what_comes_after(ledger: Ledger) -> None:
    await open_ears(ledger)
    reader = await Reader.begin(ledger)
    for _ in range(3):
        read = await told(ledger, 2) + await told(ledger)
        assert await reader.new() == read
        await erase(ledger, *read)
        written = await told(ledger)
        assert await reader.new() == written


async def test_all_erased_and_begun_anew_with_the_clock_set_back(ledger: Ledger, clock: FakeClock) -> None:
    """Ids then sort before those that were read; a process that starts again has no memory of them."""
    await open_ears(ledger)
    reader = await Reader.begin(ledger)
    read = await told(ledger, 5)
    assert await reader.new() == read
    await erase(ledger, *read)
    clock.advance(-3_600_000)
    ledger._ids = Ids()
    written = await told(ledger) + await told(ledger)
    assert max(written) < min(read)
    assert await reader.new() == written


async def test_a_clock_set_back_changes_no_order(ledger: Ledger, clock: FakeClock) -> None:
    await open_ears(ledger)
    reader = await Reader.begin(ledger)
    written = []
    for _ in range(3):
        written += await told(ledger)
        clock.advance(-60_000)
        ledger._ids = Ids()
    assert written == sorted(written, reverse=True)
    assert await reader.new() == written


async def test_an_erased_job_is_not_told_any_more(ledger: Ledger) -> None:
    await subscribed(ledger, events=["*"])
    reader = await Reader.begin(ledger)
    job = await done(ledger)
    assert len(await Reader(ledger, reader.place).new()) == 2
    await ledger.write(erase_job, job.id)
    assert await reader.new() == []


async def test_what_is_rolled_back_leaves_nothing(ledger: Ledger) -> None:
    await open_ears(ledger)
    reader = await Reader.begin(ledger)
    held = Held(ledger)
    await held.written()
    await held.roll_back()
    assert await reader.new() == []
    written = await told(ledger)
    assert await reader.new() == written


async def test_a_job_tells_its_outcome_without_any_subscriber(ledger: Ledger) -> None:
    reader = await Reader.begin(ledger)
    job = await done(ledger)
    (outcome,) = await reader.new()
    assert (await ledger.read(jobs.get, job.id)).sequence == 1
    assert outcome.startswith("ntf_")


async def test_a_place_ahead_of_the_database_is_refused(ledger: Ledger) -> None:
    end = await ledger.read(stream.now)
    with pytest.raises(BadPlace, match="ahead of the database"):
        await ledger.read(stream.read, Cursor(end.serial + 1_000), ALL, 10)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "-1", "1.", "1 ", "1\n", "٣", "9" * 19, "1.ntf_1", "1.ntf_" + "0" * 27, ".ntf_" + "0" * 26),
        *("1.dlv_" + "0" * 26, "1.ntf_8" + "z" * 25, "1.ntf_" + "0" * 25 + "I"),
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(BadPlace, match="no place in the stream"):
        Cursor.read(text)


@pytest.mark.parametrize("text", ["0", "1", "9" * 18, "12.ntf_01h455vb4pex5vsknk084sn02q"])
def test_a_place_is_written_as_it_is_read(text: str) -> None:
    assert str(Cursor.read(text)) == text
