"""A job's own diary: what no other table tells."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from ledger import bulk
from ledger.schema import history


class Entry(NamedTuple):
    """One line of a timeline. `type` is a word such as `submitted` or `polled`; `summary` a sentence for a person."""

    job_id: str
    at: int
    type: str
    summary: str


def add(connection: Connection, entries: Sequence[Entry]) -> None:
    """Writes lines, in their order."""
    bulk.add(connection, history, [entry._asdict() for entry in entries])
