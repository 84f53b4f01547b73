"""Several processes of each role on one PostgreSQL, the world around them, and what has to be true in the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from databases import Postgres
from e2e.server import free_port
from e2e.wire import Reply

from tests.faults.psql import ask
from tests.scaling.balancer import Balancer
from tests.scaling.member import AS_IT_IS, Differs, Member
from tests.torture.judge import Row, judge
from tests.torture.scenarios import SECRET_KEYS
from tests.torture.world import World, opened

ROLES = ("api", "receiver", "receiver", "dispatcher", "dispatcher", "forwarder", "forwarder")
"""One process each; clients speak to the first."""

DUPLICATES = "between a POST and the commit that records it"

# One row for each delivery whose attempts do not tell of exactly one way to where it belongs.
ODD = """
SELECT deliveries.id, deliveries.status, attempt_count, array_agg(number ORDER BY number), array_agg(status_code)
FROM deliveries LEFT JOIN attempts ON attempts.delivery_id = deliveries.id
GROUP BY deliveries.id
HAVING deliveries.status <> 'delivered' OR count(attempts.id) <> attempt_count OR min(number) <> 1
  OR max(number) <> attempt_count OR count(*) FILTER (WHERE status_code BETWEEN 200 AND 299) <> 1
"""


@contextmanager
def crew(folder: Path, url: str, seed: str, differs: Differs = AS_IT_IS, **settings: object) -> Iterator[World]:
    """A world with one of each `ROLES`, none of them started: all of them end with it."""
    # A submission and an attempt take a moment, so that there are always some to be cut off.
    with opened(folder, url, seed, latency=0.3) as world:
        ports = [world.port, *(free_port() for _ in ROLES[1:])]
        receivers = [port for port, role in zip(ports, ROLES, strict=True) if role == "receiver"]
        balancer = Balancer(world.stage, receivers)
        world.settings |= {
            "POSTBACK_SECRET_KEYS": SECRET_KEYS,
            "POSTBACK_PUBLIC_URL": balancer.url,
            "POSTBACK_DELIVERY_TIMEOUT": "2s",
            "POSTBACK_ACEDATA_POLL_AFTER": "1s",
            # As slow as makes the load last while things happen to the crew.
            "POSTBACK_DASHSCOPE_SUBMIT_RATE": 2,
            "POSTBACK_ACEDATA_SUBMIT_RATE": 4,
            **settings,
        }
        world.listener.replies["/hook"] = [Reply(204, delay=0.8) for _ in range(1_000)]
        for role, port in zip(ROLES, ports, strict=True):
            world.processes.append(Member(world.home, world.settings, role, port, differs))
        try:
            yield world
        finally:
            balancer.close()


def start(world: World) -> None:
    """Starts them all at once: one migrates, the others wait for it. Then a subscriber is registered."""
    for process in world.processes:
        process.begin()
    for process in world.processes:
        process.ready()
    world.subscribe(f"{world.listener.wire.url}/hook")


def at_rest(world: World, postgres: Postgres, row: Row) -> Row:
    """Waits until nothing moves any more, and judges what is there, in the database too."""
    row.window = DUPLICATES
    judge(world, row)
    if odd := ask(postgres, world.database_url, ODD):
        row.broken.append(f"attempts that do not add up: {odd[:300]}")
    bodies: dict[str, set[bytes]] = {}
    for request in world.listener.received:
        bodies.setdefault(request.headers["webhook-id"], set()).add(request.body)
    if differing := [name for name, said in bodies.items() if len(said) > 1]:
        row.broken.append(f"one webhook-id, different bodies: {differing[:3]}")
    return row
