"""Row 2: the power fails while callbacks are acknowledged. All that was written and not synced is gone, or any part of
it; what was acknowledged is there, and the file is whole.

A real server runs with every write of its SQLite recorded, and one recording is cut at many places. That losses are
found where SQLite does not wait for the disk is seen with the other breaks of `tests.torture`.
"""

import os
import subprocess
from pathlib import Path

import pytest

from ledger.apart import processors
from tests.power.cuts import losses
from tests.power.load import run
from tests.power.recording import compiled

JOBS = 240
CUTS = 120


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return compiled(tmp_path_factory.mktemp("recorder"))
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        reason = f"the recorder cannot be compiled: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


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


@pytest.mark.skipif(processors() < 2, reason="with one processor there is no second writer")
def test_nor_is_one_of_the_second_writer(library: Path, tmp_path: Path) -> None:
    acknowledged = run(tmp_path, library, JOBS // 2, apart=True)
    assert len(acknowledged) == JOBS + 2
    made, lost, disk = losses(tmp_path / "log", acknowledged, CUTS // 2)
    assert lost == []
    assert made >= CUTS // 2
    assert disk.synced > JOBS / 12, "commits reach the disk"
