import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from ledger.clock import system_now

from .heap import COPIED, heap, make_due


def asked(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute(query)]


def test_a_heap_has_as_many_of_each_and_none_twice(tmp_path: Path) -> None:
    path = tmp_path / "heap.sqlite3"
    assert heap(path, 5, "http://127.0.0.1:9/hangs") == f"sqlite:///{path}"
    assert [asked(path, f"SELECT count(DISTINCT id) FROM {table.name}")[0] for table in COPIED] == [5, 5, 5, 5]
    joined = (
        "SELECT count(*) FROM deliveries JOIN notifications ON notifications.id = notification_id"
        " JOIN jobs ON jobs.id = deliveries.job_id JOIN callbacks ON callbacks.job_id = jobs.id"
    )
    assert asked(path, joined) == [5]
    assert asked(path, "SELECT DISTINCT status FROM deliveries") == ["pending"]
    assert min(asked(path, "SELECT due_at FROM deliveries")) > system_now()
    make_due(path)
    assert max(asked(path, "SELECT due_at FROM deliveries")) <= system_now()


def test_a_heap_of_one(tmp_path: Path) -> None:
    path = tmp_path / "heap.sqlite3"
    heap(path, 1, "http://127.0.0.1:9/hangs")
    assert asked(path, "SELECT count(*) FROM deliveries") == [1]
