"""Row 2: the power fails while callbacks are acknowledged. All that was written and not synced is gone, or any part of
it; what was acknowledged is there, and the file is whole.

A real server runs with every write of its SQLite recorded, and one recording is cut at many places.
"""

import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.power.load import Acknowledged, run
from tests.power.recording import Disk, compiled, laid_out, read

JOBS = 240
CUTS = 120
SEED = 20


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return compiled(tmp_path_factory.mktemp("recorder"))
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        reason = f"the recorder cannot be compiled: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def found(files: dict[str, bytes]) -> tuple[str, set[tuple[str, bool]]]:
    """What SQLite says of the files, and the jobs and callbacks that are in them."""
    folder = laid_out(files)
    try:
        with sqlite3.connect(folder / "postback.sqlite3") as database:
            integrity = str(database.execute("PRAGMA integrity_check").fetchone()[0])
            kept = {(row[0], False) for row in database.execute("SELECT id FROM jobs")}
            kept |= {(row[0], True) for row in database.execute("SELECT job_id FROM callbacks")}
        database.close()
        return integrity, kept
    except sqlite3.Error as error:
        return str(error), set()
    finally:
        shutil.rmtree(folder)


def losses(log: Path, acknowledged: Sequence[Acknowledged], cuts: int) -> tuple[int, list[str], Disk]:
    """Cuts a recording that often; how often, and what was lost or damaged where."""
    chance = random.Random(SEED)
    records = list(read(log))
    first = acknowledged[0].at
    places = sorted(chance.sample([one.end for one in records if one.end >= first], min(cuts, len(records))))
    # The moments right after an acknowledgement are the worst, so half of the cuts are made there.
    places = sorted(
        [*places[::2], *(one.at for one in chance.sample(list(acknowledged), min(cuts // 2, len(acknowledged))))]
    )
    disk = Disk()
    lost: list[str] = []
    made = 0
    coming = iter(records)
    record = next(coming, None)
    for place in places:
        while record is not None and record.end <= place:
            disk.happens(record)
            record = next(coming, None)
        wanted = {(one.job_id, one.callback) for one in acknowledged if one.at <= place}
        for luck in (None, chance):
            integrity, kept = found(disk.left(luck))
            made += 1
            if integrity != "ok" or wanted - kept:
                lost.append(f"cut at {place}: {integrity}, {len(wanted - kept)} of {len(wanted)} lost")
    return made, lost, disk


def test_no_acknowledged_write_is_lost_in_a_power_cut(library: Path, tmp_path: Path) -> None:
    acknowledged = run(tmp_path, library, JOBS)
    assert len(acknowledged) == 2 * JOBS
    made, lost, disk = losses(tmp_path / "log", acknowledged, CUTS)
    assert lost == []
    assert made >= CUTS
    assert disk.synced > JOBS / 6, "commits reach the disk"
    names = {path.name for path in disk.paths.values()}
    assert {"postback.sqlite3", "postback.sqlite3-wal"} <= names, "all that SQLite writes is recorded"
    assert sum(len(content) for content in disk.left(None).values()) > 1_000_000


@pytest.mark.parametrize("sabotage", ["synchronous-off", "synchronous-normal"])
def test_a_database_that_does_not_wait_for_the_disk_is_found_out(library: Path, tmp_path: Path, sabotage: str) -> None:
    acknowledged = run(tmp_path, library, 60, sabotage)
    _, lost, _ = losses(tmp_path / "log", acknowledged, 40)
    assert len(lost) > 10
