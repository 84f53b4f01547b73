"""What a seed stands for: how much there is to do, who runs it, and what goes wrong how often."""

import random
from dataclasses import dataclass

from ledger.clock import HOUR, SECOND

SLOW_RATE = 0.15
"""Questions a second so few that two jobs are already worth reading the provider's list for."""

EVERYTHING = ("*",)
USUAL = ("job.succeeded", "job.failed", "job.canceled", "job.lost", "job.unconfirmed")


@dataclass(frozen=True)
class Order:
    """A job that somebody asks for at `at`, and what they do about it later, if anything: cancel or resubmit it."""

    at: int
    provider: str
    later: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Reader:
    """A subscriber. `trouble` is how likely one of its answers is not a good one."""

    name: str
    events: tuple[str, ...]
    max_in_flight: int
    trouble: float


@dataclass(frozen=True)
class Plan:
    """One run. Times are in milliseconds, likelihoods in 0…1.

    `shared`: two processes on one database, as on PostgreSQL; else one process that has it alone, as on SQLite.
    `calm_at` is when everything stops going wrong. `dies` and `stops` are of each process each time it starts, `steps`
    how many callbacks it runs before that at most; `skews` are clock steps: when, which host, and to what.
    """

    seed: int
    shared: bool
    orders: tuple[Order, ...]
    readers: tuple[Reader, ...]
    schedule: tuple[int, ...]
    deadline: int
    poll_after: int
    submit_rate: float
    query_rate: float
    calm_at: int
    trouble: float
    forgets: float
    lag: int
    dies: float
    stops: float
    steps: int
    outages: tuple[tuple[int, int], ...]
    unheard: float
    slow: float
    skews: tuple[tuple[int, int, int], ...]
    redeliveries: tuple[int, ...]
    failures: int

    @property
    def steps_back(self) -> int:
        """How far a clock may step back in one step, at most, in milliseconds."""
        sizes = [0, *(size for _, _, size in self.skews)]
        return max(sizes) - min(sizes)


def drawn(seed: int) -> Plan:
    """The plan of a seed."""
    chance = random.Random(f"plan {seed}")
    shared = chance.random() < 0.5
    calm_at = chance.choice((20, 45, 90)) * SECOND
    often = chance.choice((0.0, 0.1, 0.3, 0.5))
    return Plan(
        seed=seed,
        shared=shared,
        orders=tuple(_order(chance, calm_at) for _ in range(chance.choice((1, 1, 2, 2, 3)))),
        readers=tuple(_reader(chance, number) for number in range(chance.choice((1, 1, 2)))),
        schedule=chance.choice(((0, 5 * SECOND), (0, SECOND, 10 * SECOND), (SECOND, 5 * SECOND, 20 * SECOND))),
        deadline=chance.choice((20 * SECOND, 45 * SECOND, 90 * SECOND)),
        poll_after=chance.choice((5, 30, 90)) * SECOND,
        submit_rate=chance.choice((0.0, 0.2, 2.0)),
        query_rate=chance.choice((20.0, 20.0, 20.0, SLOW_RATE)),
        calm_at=calm_at,
        trouble=often,
        forgets=chance.choice((0.0, 0.0, 0.1)),
        lag=chance.choice((0, 0, 4, 15)) * SECOND,
        dies=chance.choice((0.0, 0.0, 0.5, 0.8)),
        # Whoever is stopped alone is only late; it takes another to have its leases meanwhile.
        stops=chance.choice((0.0, 0.4, 0.8, 0.8) if shared else (0.0, 0.0, 0.0, 0.4)),
        steps=chance.choice((60, 200, 600)),
        outages=_outages(chance, calm_at),
        unheard=chance.choice((0.0, 0.0, 0.05)) if shared else 0.0,
        slow=chance.choice((0.0, 0.1)),
        skews=_skews(chance, calm_at),
        redeliveries=tuple(chance.randrange(5 * SECOND, 2 * calm_at) for _ in range(chance.choice((0, 0, 1, 2)))),
        failures=chance.choice((2, 50)),
    )


def _order(chance: random.Random, calm_at: int) -> Order:
    later = tuple(
        (chance.randrange(SECOND, 2 * calm_at), chance.choice(("cancel", "resubmit")))
        for _ in range(chance.choice((0, 0, 0, 1)))
    )
    return Order(chance.choice((0, chance.randrange(calm_at // 2))), chance.choice(("dashscope", "acedata")), later)


def _reader(chance: random.Random, number: int) -> Reader:
    events = chance.choice((USUAL, EVERYTHING))
    return Reader(f"reader-{number}", events, chance.choice((1, 1, 2)), chance.choice((0.0, 0.2, 0.6)))


def _outages(chance: random.Random, calm_at: int) -> tuple[tuple[int, int], ...]:
    begins = chance.randrange(calm_at)
    return ((begins, begins + chance.choice((500, 5 * SECOND, 40 * SECOND))),) if chance.random() < 0.25 else ()


def _skews(chance: random.Random, calm_at: int) -> tuple[tuple[int, int, int], ...]:
    if chance.random() >= 0.2:
        return ()
    sizes = (-HOUR, HOUR, -SECOND, SECOND)
    return tuple((chance.randrange(calm_at), chance.randrange(2), chance.choice(sizes)) for _ in range(2))
