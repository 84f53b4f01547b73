"""Waiting on the event loop for a condition, bounded."""

import asyncio
from collections.abc import Callable


async def until(look: Callable[[], bool], seconds: float = 15) -> None:
    """Returns once `look` says so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not look():
            await asyncio.sleep(0.005)
