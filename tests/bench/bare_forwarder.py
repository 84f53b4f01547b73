"""The limit of delivering: a bare loop over the HTTP client that POSTs bytes and remembers nothing.

Arguments: the port that it leaves alone, the URL to POST to, how many times, and how many at once.
"""

import asyncio
import sys

import aiohttp
import uvloop

BODY = b'{"type":"postback.ping","timestamp":"2026-01-01T00:00:00.000Z","data":{}}'


async def main(url: str, count: int, at_once: int) -> None:
    numbers = iter(range(count))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post() -> None:
            for _ in numbers:
                async with session.post(url, data=BODY, headers={"content-type": "application/json"}) as answer:
                    await answer.read()

        await asyncio.gather(*(post() for _ in range(at_once)))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
