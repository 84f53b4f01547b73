"""Power cuts: one recording, cut at many places, and what SQLite finds after each."""

import random
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from tests.power.load import Acknowledged
from tests.power.recording import Disk, laid_out, read

DATABASE = "postback.sqlite3"
SEED = 20


def found(files: dict[str, bytes]) -> tuple[str, set[tuple[str, bool]]]:
    """What SQLite says of the files, and the jobs and callbacks that are in them."""
    folder = laid_out(files)
    try:
        with sqlite3.connect(folder / DATABASE) as database:
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
    """Cuts a recording that often; how often, what was lost or damaged where, and the disk at the last place."""
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
