"""SQLite's second writer, at work however little there is to do."""

from ledger import apart, batch


def always(_: str) -> None:
    """From the first piece of work on all that can be is sent to it, and one that ends is soon followed by another."""
    apart.WORTH = batch.WORTH = 1
    apart.OFTEN, apart.BUSY, apart.REST = 1, 3_600.0, 1
