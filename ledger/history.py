"""A job's own diary: what no other table tells."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, insert

from ledger.schema import history

_ADD = insert(history)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline. `type` is a word such as `submitted` or `polled`; `summary` a sentence for a person."""

    job_id: str
    at: int
    type: str
    summary: str


def add(connection: Connection, entries: Sequence[Entry]) -> None:
    """Writes lines, in their order."""
    if entries:
        connection.execute(_ADD, [asdict(entry) for entry in entries])
