"""Whoever wants to know what came in and how attempts end, as metrics do."""

from typing import Protocol

from ledger.parcels import Parcel
from ledger.settling import Settlement

FOUND_BY = "postback-found-by"
"""The header by which our own dispatcher says that it is the one who found a result."""

FINDERS = ("callback", "poll", "answer")
"""Who may have brought a result: its provider's callback, a poll, or the answer to the submission."""


def finder(said: str | None) -> str:
    """Who found a result, by that header: nobody else may invent a word for it."""
    return said if said in FINDERS else "callback"


class Observer(Protocol):
    """Is told on the event loop, and must be quick."""

    def callback(self, job_id: str, verdict: str, found_by: str, seconds: float) -> None:
        """A callback was stored, so long after its request began."""

    def refused(self) -> None:
        """A callback's token was no good, or its job is gone."""

    def attempt(self, parcel: Parcel, settlement: Settlement) -> None:
        """An attempt to deliver a parcel, a row of `ledger.parcels`, has ended so."""


class Unobserved:
    """Where nobody wants to know."""

    def callback(self, job_id: str, verdict: str, found_by: str, seconds: float) -> None: ...

    def refused(self) -> None: ...

    def attempt(self, parcel: Parcel, settlement: Settlement) -> None: ...
