"""Whoever wants to know how writing goes, as metrics do."""

from typing import Protocol


class Observer(Protocol):
    """Is told after the fact, on the event loop, and must be quick."""

    def committed(self, seconds: float, writes: int) -> None:
        """A commit took so long, from the beginning of its transaction, and carried so many writes."""

    def batched(self, items: int) -> None:
        """So many items that came one by one were written together."""


class Unobserved:
    """Where nobody wants to know."""

    def committed(self, seconds: float, writes: int) -> None: ...

    def batched(self, items: int) -> None: ...
