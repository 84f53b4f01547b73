"""SQLite's second writer, which counts its statements: `python -m tests.bench.counted_worker PATH`."""

import json
import sys
from collections import Counter
from pathlib import Path

from ledger import worker

from .counting import counting


def counted(database: Path) -> Counter[str]:
    """What it counted, once it has ended; nothing where there was none."""
    try:
        return Counter(json.loads(_counts_of(database).read_text()))
    except FileNotFoundError:
        return Counter()


def _counts_of(database: Path) -> Path:
    return database.with_suffix(".statements")


if __name__ == "__main__":
    with counting() as counts:
        worker.run()
    _counts_of(Path(sys.argv[1])).write_text(json.dumps(counts))
