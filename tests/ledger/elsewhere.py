"""Works for the second writer, which finds them by this module's name."""

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from ledger.moment import Moment
from ledger.schema import facts


def note(connection: Connection, moment: Moment, names: Sequence[str], seconds: float = 0.0) -> list[int]:
    """Writes a fact of each name, taking its time; says in which process, for each."""
    began = time.monotonic()
    time.sleep(seconds)
    value = f"{began} {time.monotonic()}"
    connection.execute(insert(facts), [{"name": name, "value": value} for name in names])
    return [os.getpid()] * len(names)


def note_and_fail(connection: Connection, moment: Moment, names: Sequence[str]) -> list[int]:
    """Fails after it has written."""
    note(connection, moment, names)
    raise ValueError(f"{names[0]} cannot be")


def note_and_die(connection: Connection, moment: Moment, names: Sequence[str], owner: int) -> list[int]:
    """Ends any process but the owner after it has written."""
    answer = note(connection, moment, names)
    if os.getpid() != owner:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer


def note_and_say_what_cannot_travel(connection: Connection, moment: Moment, names: Sequence[str]) -> list[Any]:
    """Answers with what cannot be pickled."""
    (process,) = note(connection, moment, names)
    return [lambda: process]


def now_and_id(connection: Connection, moment: Moment) -> tuple[int, int, str]:
    """What the transaction knows of the world."""
    return moment.now, moment.first_delay, moment.id("cb")


def noted(connection: Connection) -> dict[str, tuple[float, float]]:
    """From when to when each fact was written."""
    rows = connection.execute(select(facts.c.name, facts.c.value).where(facts.c.name.like("n%")))
    return {name: tuple(map(float, value.split())) for name, value in rows}  # type: ignore[misc]
