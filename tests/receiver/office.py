"""A forwarder in virtual time, and the door that its deliveries leave by."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from builders import owe, subscribed
from sqlalchemy import Row

from ledger import deliveries
from ledger.clock import HOUR, MINUTE, SECOND
from ledger.keys import SecretKeys
from ledger.lane import Circuit
from ledger.ledger import Ledger
from receiver.courier import Courier
from receiver.egress import EgressError, ErrorClass, Response
from receiver.forwarder import Forwarder, Wake
from receiver.signing import new_secret
from tests.dispatcher.broken import Broken
from tests.dispatcher.virtual import Crew, Time

KEYS = SecretKeys(["a secret key for tests"])
SECRET = new_secret(lambda count: b"s" * count)
TIMEOUT = 15 * SECOND
CIRCUIT = Circuit()
DELAYS = [0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE] + [hours * HOUR for hours in (2, 5, 10, 14, 20, 24)]

Step = Callable[[], Response | Awaitable[Response]]


@dataclass
class Sent:
    """One POST that left."""

    at: int
    url: str
    headers: Mapping[str, str]
    body: bytes


def answers(status: int, excerpt: bytes = b"", *, truncated: bool = False, **headers: str) -> Step:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: Response(status, named, excerpt, truncated, 7)


def fails(error_class: ErrorClass, message: str) -> Step:
    def step() -> Response:
        raise EgressError(error_class, message)

    return step


class Door:
    """Stands in for the egress: each URL has steps, of which the last repeats; others answer 204."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self.steps: dict[str, list[Step]] = {}
        self.sent: list[Sent] = []
        self.open = 0
        self.most_open = 0

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        self.sent.append(Sent(self._time.now, url, headers, body))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            steps = self.steps.get(url, [answers(204)])
            answer = (steps.pop(0) if len(steps) > 1 else steps[0])()
            return answer if isinstance(answer, Response) else await answer
        finally:
            self.open -= 1


class Office:
    """A forwarder on a ledger, in virtual time."""

    def __init__(self, ledger: Ledger, database: Broken, time: Time) -> None:
        self.ledger = ledger
        self.database = database
        self.time = time
        self.crew = Crew(time)
        self.door = Door(time)

    def forwarder(
        self,
        *,
        keys: SecretKeys = KEYS,
        jitter: float = 0.5,
        egress: Any = None,
        circuit: Circuit = CIRCUIT,
        wake: Wake = lambda due: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Forwarder:
        door: Any = egress or self.door
        return Forwarder(
            self.ledger,
            Courier(keys, door),
            schedule=DELAYS,
            timeout=TIMEOUT,
            circuit=circuit,
            spawn=self.crew.spawn,
            wake=wake,
            stopping=stopping,
            sleep=self.time.sleep,
            jitter=lambda: jitter,
        )

    async def subscriber(self, name: str = "a", **changes: Any) -> Row[Any]:
        given = {"url": f"https://{name}.example/hook", "sealed_secret": KEYS.encrypt(SECRET)} | changes
        return await subscribed(self.ledger, **given)

    async def owe(self, subscriber: Row[Any], count: int = 1) -> str:
        """So many new deliveries for one subscriber; the id of the last."""
        return (await owe(self.ledger, subscriber.id, count))[-1]

    async def run(self, milliseconds: int = 0, **changes: Any) -> int:
        """Lets the forwarder work for that long; returns how many passes it took."""
        return await self.crew.run(self.forwarder(**changes).run_once, until=self.time.now + milliseconds)

    async def delivery(self, delivery_id: str) -> dict[str, Any]:
        return deliveries.document(await self.ledger.read(deliveries.get, delivery_id))

    async def attempts(self, delivery_id: str) -> list[dict[str, Any]]:
        found = await self.ledger.read(deliveries.attempts_of, delivery_id)
        return [deliveries.attempt_document(row) for row in found]

    def slow(self, milliseconds: int, status: int = 204) -> Step:
        async def step() -> Response:
            await self.time.sleep(milliseconds / SECOND)
            return Response(status, {}, b"", False, milliseconds)

        return step
