"""`/`: how everything is doing, each number leading to the list behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from ledger import daily, overview, rates
from ledger.clock import DAY, HOUR, MINUTE, SECOND, rfc3339
from ledger.lifecycle import DELIVERY, JOB, OPEN_DELIVERY
from ledger.overview import NONE, Count, Due, Pace, Trouble
from ledger.rates import Step
from postback.dashboard import activity, shell
from postback.dashboard.activity import Bars, Lines, Summary
from postback.dashboard.page import Page
from postback.house import House
from providers import PROVIDERS

ENDED = tuple(name for name, state in JOB.items() if state.final or name == "lost")
OPEN = tuple(name for name in JOB if name not in ENDED)
SHOWN_DELIVERIES = (*OPEN_DELIVERY, *(name for name in DELIVERY if name == "dead"))

WINDOWS = (("Last hour", 2 * MINUTE, 30), ("Last 24 hours", 30 * MINUTE, 48))
"""What is shown over time: the title, the length of a step, and the number of steps."""

SLOWER = 1.05
"""A pace lowered by less has recovered."""


@dataclass(frozen=True, slots=True)
class Window:
    """Deliveries in some time: all attempts, and what arrived."""

    title: str
    hours: float
    attempts: Summary
    arrivals: Summary
    bars: Bars
    lines: Lines


@dataclass(frozen=True, slots=True)
class Provider:
    """What is asked of a provider, how fast, and what is left of its day. `images` is None without a daily cap."""

    name: str
    ready: bool
    counts: Sequence[tuple[str, Count]]
    rate: float
    per_model: bool
    max_in_flight: int
    daily_cap: int
    images: int | None
    slowed: Sequence[tuple[str, float, int | None]]
    """Paces that are lower than set: which, how many times, and until when nothing goes."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """All that was read, at once."""

    open: dict[tuple[str, str], Count]
    ended: dict[tuple[str, str], Count]
    deliveries: dict[str, Count]
    overdue: list[Due]
    paces: list[Pace]
    images: dict[str, int]
    steps: list[tuple[list[Step], list[Step]]]
    troubles: list[Trouble]


async def show(house: House, request: Request) -> Response:
    """The overview."""
    now = house.ledger.clock()
    since = (now - DAY) // MINUTE * MINUTE
    capped = [name for name in PROVIDERS if house.settings.pace(name).daily_images]
    seen = await house.ledger.read(_look, now, since, capped)
    return shell.draw(
        house,
        request,
        "overview.html",
        open=[(state, _total(seen.open, state)) for state in OPEN],
        ended=[(state, _total(seen.ended, state)) for state in ENDED],
        since=rfc3339(since),
        deliveries=seen.deliveries,
        overdue=[(due, _path_of(due)) for due in seen.overdue],
        windows=[_window(window, now, *steps) for window, steps in zip(WINDOWS, seen.steps, strict=True)],
        providers=[_provider(house, name, seen, now) for name in PROVIDERS],
        troubles=seen.troubles,
        new=not seen.open and not seen.ended,
    )


def _look(connection: Connection, now: int, since: int, capped: Sequence[str]) -> _Seen:
    return _Seen(
        overview.jobs_by_state(connection, OPEN),
        overview.jobs_by_state(connection, ENDED, since),
        overview.deliveries_by_state(connection, SHOWN_DELIVERIES),
        overview.most_overdue(connection, now, list(PROVIDERS)),
        overview.all_paces(connection),
        {name: daily.sent(connection, now, name) for name in capped},
        [_steps(connection, now, length, steps) for _, length, steps in WINDOWS],
        overview.in_trouble(connection, now),
    )


def _steps(connection: Connection, now: int, length: int, steps: int) -> tuple[list[Step], list[Step]]:
    # Steps begin at even times, so that what is over does not change any more.
    end = (now // length + 1) * length
    return rates.attempts_in(connection, end, length, steps), rates.arrivals_in(connection, end, length, steps)


def _window(window: tuple[str, int, int], now: int, tries: list[Step], arrivals: list[Step]) -> Window:
    title, length, steps = window
    return Window(
        title,
        length * steps / HOUR,
        activity.summary(tries, now),
        activity.summary(arrivals, now),
        activity.bars(tries, now, "attempts"),
        activity.lines(arrivals, now),
    )


def _provider(house: House, name: str, seen: _Seen, now: int) -> Provider:
    pace = house.settings.pace(name)
    return Provider(
        name,
        house.settings.account(name) is not None,
        [(state, seen.open.get((state, name), NONE)) for state in ("queued", "pending", "running")],
        rate=pace.submit_rate,
        per_model=PROVIDERS[name].paced_by_model,
        max_in_flight=pace.max_in_flight,
        daily_cap=pace.daily_images,
        images=seen.images.get(name),
        slowed=[slowed for one in seen.paces if (slowed := _slowed(one, name, now)) is not None],
    )


def _slowed(pace: Pace, provider: str, now: int) -> tuple[str, float, int | None] | None:
    """Keys are `submit:PROVIDER:MODEL`, with `*` for all models, and `query:PROVIDER`."""
    kind, _, rest = pace.key.partition(":")
    name, _, model = rest.partition(":")
    held = int(pace.next_at) if pace.next_at > now + 5 * SECOND else None
    if name != provider or (pace.slowdown < SLOWER and held is None):
        return None
    return ("asking" if kind == "query" else model.replace("*", "all models")), pace.slowdown, held


def _total(counts: dict[tuple[str, str], Count], state: str) -> Count:
    found = [count for (its, _), count in counts.items() if its == state]
    return Count(min(sum(count.number for count in found), overview.MOST), any(count.more for count in found))


def _path_of(due: Due) -> str:
    return f"/deliveries/{due.id}" if due.kind == "deliveries" else f"/jobs/{due.id}"


ROUTES: tuple[Page, ...] = (Page("GET", "/", show),)
