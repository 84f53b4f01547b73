import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from .stock import expecting


def test_only_the_last_load_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "stock.sqlite3"
    for number in (1, 2):
        assert len(asyncio.run(expecting(f"sqlite:///{path}", 3, f"http://127.0.0.1:9/{number}"))) == 3
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (6,)
        listening = "SELECT url FROM subscribers WHERE events NOT LIKE '%ping%'"
        assert connection.execute(listening).fetchall() == [("http://127.0.0.1:9/2",)]
