"""Row 40: a restart with a backlog due. The caps hold, in all and for each subscriber, before the kill and after it; a
subscriber with a rate keeps it; every delivery arrives. `scripts/bench backlog` does it with 100,000."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import owe, subscribed
from e2e.api import Api
from e2e.eventually import eventually
from e2e.server import Server, unexpected

from ledger.keys import SecretKeys
from ledger.ledger import Ledger, open_database
from receiver.forwarder import MAX_IN_FLIGHT
from receiver.signing import new_secret
from tests.bench.endpoints import Endpoints, Seen, endpoints

KEY = "a-secret-key-for-the-backlog"
SUBSCRIBERS, EACH, AT_ONCE = 20, 97, 20
PACED, RATE = 40, 10
DUE = SUBSCRIBERS * EACH + PACED
AFTER = 600
"""Milliseconds until a subscriber answers: long enough for more to be due at once than may be sent at once."""

SETTINGS: dict[str, object] = {
    "POSTBACK_SECRET_KEYS": KEY,
    "POSTBACK_ALLOW_NETWORKS": "127.0.0.0/8",
    "POSTBACK_DELIVERY_TIMEOUT": "20s",
}


@pytest.fixture
def there() -> Iterator[Endpoints]:
    """The subscribers, in a process of their own."""
    with endpoints() as there:
        yield there


async def _fill(url: str, there: Endpoints) -> str:
    """A database with everything due; the path of the subscriber that has a rate."""
    secret = SecretKeys([KEY]).encrypt(new_secret(lambda count: b"s" * count))
    ledger = Ledger(await open_database(url))
    try:
        await ledger.database.migrate()
        paced = f"after/{AFTER}/paced"
        changes = {"sealed_secret": secret, "max_in_flight": AT_ONCE}
        one = await subscribed(ledger, url=there.url(paced), rate_limit=float(RATE), **changes)
        await owe(ledger, one.id, PACED)
        for i in range(SUBSCRIBERS):
            one = await subscribed(ledger, url=there.url(f"after/{AFTER}/{i}"), **changes)
            await owe(ledger, one.id, EACH)
    finally:
        await ledger.close()
    return f"/{paced}"


def _owed(api: Api) -> bool:
    return any(api("GET", f"/deliveries?limit=1&status={status}")["data"] for status in ("pending", "delivering"))


def test_a_restart_with_everything_due_keeps_every_limit(there: Endpoints, tmp_path: Path, sqlite_url: str) -> None:
    paced = asyncio.run(_fill(sqlite_url, there))
    server = Server(tmp_path / "home", SETTINGS | {"POSTBACK_DATABASE_URL": sqlite_url}, ["api", "forwarder"])
    try:
        server.start()
        eventually(lambda: there.count() >= DUE // 3, 60)
        server.kill()
        before = there.look()
        server.start()
        api = Api(server.url, server.key)
        with api.http:
            eventually(lambda: not _owed(api), 60, pause=0.3)
            assert {one["status"] for one in api.all("/deliveries")} == {"delivered"}
        assert server.stop()[0] == 0
    finally:
        server.kill()
    after = there.look()
    assert unexpected(server.log) == []

    assert DUE // 3 <= len(before.arrivals) < DUE, "it was killed in the middle"
    _limits_held(before, paced)
    _limits_held(after, paced)
    first, second = ([delivery for _, delivery, _ in side.arrivals] for side in (before, after))
    assert len({*first, *second}) == DUE, "every delivery arrived"
    assert Counter(first).most_common(1)[0][1] == Counter(second).most_common(1)[0][1] == 1
    assert len({*first} & {*second}) <= MAX_IN_FLIGHT, "only what was under way at the kill comes twice"


def _limits_held(side: Seen, paced: str) -> None:
    assert side.most_open <= MAX_IN_FLIGHT
    assert max(side.most_open_at.values()) <= AT_ONCE
    times = [at for path, _, at in side.arrivals if path == paced]
    # Half a second's worth may be late on their way, or made up for.
    assert times[-1] - times[0] >= (len(times) - 1 - RATE / 2) / RATE
