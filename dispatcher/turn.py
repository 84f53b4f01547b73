"""Waiting for one's turn to ask a provider: queries, lists and cancels share one pace."""

from collections.abc import Awaitable, Callable

from ledger import sweeps
from ledger.ledger import Ledger
from ledger.pace import HORIZON


async def take_turn(ledger: Ledger, provider: str, rate: float, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Returns at the next free slot of a provider's queries, `rate` of them a second."""
    while True:
        slots = await ledger.write(sweeps.slot, provider, rate)
        at = slots.times[0] if slots.times else slots.next_at - HORIZON
        await sleep(max(0, at - ledger.clock()) / 1_000)
        if slots.times:
            return
