"""A database with work in it: jobs whose results are still to come, and deliveries that are due."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builders import owe, subscribed
from sqlalchemy import Connection, insert, update

from ledger.clock import DAY, system_now
from ledger.ids import Ids
from ledger.job import Job
from ledger.keys import SecretKeys
from ledger.ledger import Ledger, open_database
from ledger.moment import Moment
from ledger.schema import jobs, subscribers
from ledger.tokens import CallbackTokens
from receiver.signing import new_secret

from .generator import request

SECRET = "a secret key for measurements of our own"
KEYS = SecretKeys([SECRET])
SEALED = KEYS.encrypt(new_secret(lambda count: b"s" * count))
PART = 1_000
SETTINGS = {
    "POSTBACK_SECRET_KEYS": SECRET,
    "POSTBACK_ALLOW_NETWORKS": "127.0.0.0/8",
    "PYTHONUNBUFFERED": 1,  # so that it is started as users start it, and not forked
}

RESULT = (Path(__file__).parents[1] / "samples" / "acedata_callback.json").read_bytes()
TASK = b"6a97bf49-df50-4129-9e46-119aa9fca73c"


@dataclass(frozen=True, slots=True)
class Owed:
    """One callback that a provider has yet to make: for which job, and its bytes on the wire."""

    job_id: str
    body: bytes
    wire: bytes


async def expecting(url: str, count: int, hook: str) -> list[Owed]:
    """Gives a database jobs at a provider, and a subscriber at `hook` that alone is told of what comes from now on; the
    callbacks that are to come."""
    ledger = Ledger(await open_database(url))
    try:
        await ledger.database.migrate()
        await ledger.write(tell_no_more)
        await subscribed(ledger, url=hook, sealed_secret=SEALED, max_in_flight=64)
        tokens = CallbackTokens(KEYS, system_now)
        owed: list[Owed] = []
        for start in range(0, count, PART):
            for job in await ledger.write(_pending, range(start, min(count, start + PART))):
                body = RESULT.replace(TASK, (job.task_id or "").encode())
                owed.append(Owed(job.id, body, request(f"/callbacks/{tokens.mint(job.id, job.provider)}", body)))
        return owed
    finally:
        await ledger.close()


def tell_no_more(connection: Connection, moment: Moment) -> None:
    """What comes from now on is for others than those who are subscribed already."""
    connection.execute(update(subscribers).values(events=["postback.ping"])).close()


def unexpected(count: int) -> list[bytes]:
    """As many callbacks of the same length on the wire, for servers that expect none."""
    now = system_now()
    tokens, ids = CallbackTokens(KEYS, system_now), Ids()
    token = tokens.mint(ids.new("job", now), "acedata")
    bodies = (RESULT.replace(TASK, str(uuid.uuid4()).encode()) for _ in range(count))
    return [request(f"/callbacks/{token}", body) for body in bodies]


async def owing(url: str, count: int, hook: str) -> None:
    """Fills a new database with deliveries that are due, all of one subscriber at `hook`."""
    ledger = Ledger(await open_database(url))
    try:
        await ledger.database.migrate()
        one = await subscribed(ledger, url=hook, sealed_secret=SEALED, max_in_flight=64)
        for _ in range(0, count, PART):
            await owe(ledger, one.id, min(PART, count))
    finally:
        await ledger.close()


def _pending(connection: Connection, moment: Moment, numbers: Sequence[int]) -> list[Job]:
    made = [
        Job(
            id=moment.id("job"),
            provider="acedata",
            model="flux-dev",
            status="pending",
            input={"prompt": "a white siamese cat", "action": "generate"},
            parameters={"size": "1024x1024"},
            metadata={"order": number},
            created_at=moment.now,
            task_id=f"6a97bf49-df50-4129-9e46-{number:012}",
            submitted_at=moment.now,
            due_at=moment.now + DAY,
            deadline_at=moment.now + DAY,
            sequence=0,
        )
        for number in numbers
    ]
    connection.execute(insert(jobs), [job._asdict() for job in made])
    return made
