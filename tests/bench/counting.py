"""Counts the statements that this process sends to a database."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """How many of each kind there were, so far."""
    counts: Counter[str] = Counter()

    def statement(connection: Connection, cursor: Any, text: str, *_: Any) -> None:
        counts[shape(text)] += 1

    def commit(connection: Connection) -> None:
        counts["COMMIT"] += 1

    def rollback(connection: Connection) -> None:
        counts["ROLLBACK"] += 1

    heard = [("before_cursor_execute", statement), ("commit", commit), ("rollback", rollback)]
    for name, hear in heard:
        event.listen(Engine, name, hear)
    try:
        yield counts
    finally:
        for name, hear in heard:
            event.remove(Engine, name, hear)


def shape(statement: str) -> str:
    """What kind of statement it is: `INSERT jobs`."""
    words = " ".join(statement.split())
    verb = words.partition(" ")[0]
    table = re.search(r"\b(?:FROM|INTO|UPDATE) (\w+)", words)
    return f"{verb} {table[1]}" if table else verb
