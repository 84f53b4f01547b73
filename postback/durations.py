"""Durations as people write them. The ledger has them too: it shows a subscriber's schedule."""

from ledger.durations import parse, render

__all__ = ["parse", "render"]
