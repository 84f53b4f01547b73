"""What this process counts, for Prometheus: a registry for each house.

No label names a URL, an id, a subscriber or a model.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import product
from typing import get_args

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ledger import ids
from ledger.backlog import Backlog
from ledger.callbacks import VERDICTS
from ledger.clock import SECOND, Clock
from ledger.parcels import Parcel
from ledger.settling import Settlement
from postback.settings import Settings
from postback.tallies import Labels, Spread, Tally
from providers import PROVIDERS
from providers.protocol import Disposition, Refusal
from receiver.answers import ErrorClass
from receiver.observer import FINDERS

CALLS = ("submit", "query", "list", "cancel")

Rates = Mapping[Labels, float]
"""How often providers may be asked, a second as set, by provider and `submit` or `query`."""

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LONG = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3_600, 21_600, 86_400, 345_600)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics(Collector):
    """The observer of every part of a process. `clock` is the ledger's, `rates` has every provider."""

    def __init__(self, clock: Clock, rates: Rates) -> None:
        self._clock = clock
        self._rates = rates
        self._connections: Callable[[], int] = lambda: 0
        self._backlog: Backlog | None = None
        providers = sorted({provider for provider, _ in rates})
        calls = list(product(providers, CALLS))

        self._callbacks = Tally(
            "postback_callbacks",
            "Callbacks by verdict; refused are those whose token was no good.",
            ["verdict"],
            [(verdict,) for verdict in (*VERDICTS, "refused")],
        )
        self._callback_seconds = Spread(
            "postback_callback_seconds", "From the beginning of a callback's request to its commit.", _QUICK
        )
        self._resolved = Tally(
            "postback_jobs_resolved",
            "Jobs whose result came, by who brought it: a callback, a poll, or the answer to the submission.",
            ["found_by"],
            [(finder,) for finder in FINDERS],
        )
        self._job_seconds = Spread(
            "postback_job_seconds", "From the request for a job to the commit of its result.", _LONG
        )
        self._attempts = Tally(
            "postback_attempts",
            "Attempts of deliveries: delivered, or the class of the error.",
            ["result"],
            [(result,) for result in ("delivered", "status", *get_args(ErrorClass))],
        )
        self._attempt_seconds = Spread("postback_attempt_seconds", "How long an attempt took.", _QUICK)
        self._first_attempts = Tally(
            "postback_first_attempts",
            "First attempts of deliveries.",
            ["result"],
            [("delivered",), ("failed",)],
        )
        self._delivery_seconds = Spread(
            "postback_delivery_seconds",
            "From the commit that wrote a notification, as that of a callback, to its subscriber's 2xx.",
            _LONG,
        )
        self._provider_calls = Tally(
            "postback_provider_calls",
            "Calls of providers: ok, or what is to be done about the refusal.",
            ["provider", "call", "result"],
            [(*call, result) for call in calls for result in ("ok", *map(str, Disposition))],
        )
        self._provider_call_seconds = Spread(
            "postback_provider_call_seconds",
            "How long calls of providers took.",
            _QUICK,
            ["provider", "call"],
            [(provider, call) for provider, call in calls if call != "list"],
        )
        self._commit_seconds = Spread(
            "postback_commit_seconds", "From the beginning of a transaction that writes to its commit.", _QUICK
        )
        self._commit_writes = Spread("postback_commit_writes", "Writes that one commit carried.", _SIZES)
        self._batch_items = Spread(
            "postback_batch_items", "Callbacks, attempts, submissions or polls that were written together.", _SIZES
        )
        self._shed = Tally("postback_shed_requests", "Requests refused with 503 because too much was waiting.")
        self._lag = Spread("postback_loop_lag_seconds", "How much later than asked the event loop came.", _QUICK)
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def committed(self, seconds: float, writes: int) -> None:
        """A commit took so long and carried so many writes."""
        self._commit_seconds.add(seconds)
        self._commit_writes.add(writes)

    def batched(self, items: int) -> None:
        """So many items were written together."""
        self._batch_items.add(items)

    def callback(self, job_id: str, verdict: str, found_by: str, seconds: float) -> None:
        """A callback was stored."""
        self._callbacks.add(verdict)
        self._callback_seconds.add(seconds)
        if verdict == "accepted":
            self._resolved.add(found_by)
            self._job_seconds.add(self._since(job_id))

    def refused(self) -> None:
        """A callback was refused."""
        self._callbacks.add("refused")

    def attempt(self, parcel: Parcel, settlement: Settlement) -> None:
        """An attempt has ended."""
        attempt = settlement.attempt
        self._attempts.add(attempt.error_class or "delivered")
        self._attempt_seconds.add(attempt.duration_ms / SECOND)
        if not parcel.attempt_count:
            self._first_attempts.add("failed" if attempt.error_class else "delivered")
        # What is sent again by hand is as late as the hand.
        if attempt.error_class is None and parcel.trigger == "schedule" and not parcel.attempts_before:
            self._delivery_seconds.add(self._since(parcel.notification_id))

    def called(self, provider: str, call: str, said: object, seconds: float | None = None) -> None:
        """A provider was called, and said so: a `Refusal`, or something else, which is good."""
        result = str(said.disposition) if isinstance(said, Refusal) else "ok"
        self._provider_calls.add(provider, call, result)
        if seconds is not None:
            self._provider_call_seconds.add(seconds, provider, call)

    def shed(self) -> None:
        """A request was refused because too much was waiting."""
        self._shed.add()

    def lagged(self, seconds: float) -> None:
        """The event loop came so much later than asked."""
        self._lag.add(seconds)

    def watch_connections(self, count: Callable[[], int]) -> None:
        """From now on `count` tells how many connections are open."""
        self._connections = count

    def text(self, backlog: Backlog | None) -> bytes:
        """All of it in Prometheus' text format. `backlog` is None while the database cannot be read."""
        self._backlog = backlog
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Every family, for the registry."""
        for one in vars(self).values():
            if isinstance(one, (Tally, Spread)):
                yield one.family()
        yield _gauge("postback_open_connections", "Connections that are open.", {(): self._connections()})
        yield _gauge("postback_database_up", "Whether the database could be read.", {(): self._backlog is not None})
        yield from self._waiting(self._backlog or Backlog({}, {}, {}, {}, {}))

    def _waiting(self, backlog: Backlog) -> Iterator[Metric]:
        now = self._clock()
        ages: dict[Labels, float] = {
            (work,): max(0, now - due) / SECOND if due is not None else 0.0 for work, due in backlog.oldest.items()
        }
        yield _gauge("postback_oldest_due_seconds", "How long the oldest due work has been due.", ages, ["work"])
        for name, says, counts in (
            ("postback_jobs", "Jobs that are not finished.", backlog.jobs),
            ("postback_deliveries", "Deliveries that are owed, and those that are dead.", backlog.deliveries),
            ("postback_artifacts", "Images that are still to be copied.", backlog.artifacts),
        ):
            yield _gauge(name, says, {(state,): count for state, count in counts.items()}, ["state"])
        slowdowns = {} if self._backlog is None else _slowdowns(self._rates, backlog.slowdown)
        rates = {pace: self._rates[pace] / slowdown for pace, slowdown in slowdowns.items()}
        labels = ["provider", "call"]
        yield _gauge("postback_pace_slowdown", "How many times slower than set a provider is asked.", slowdowns, labels)
        yield _gauge("postback_pace_per_second", "How often a provider may be asked at present.", rates, labels)

    def _since(self, identifier: str) -> float:
        return max(0, self._clock() - ids.made_at(identifier)) / SECOND


def rates(settings: Settings) -> Rates:
    """How often providers may be asked, as set."""
    paces = {name: settings.pace(name) for name in PROVIDERS}
    submits: dict[Labels, float] = {(name, "submit"): pace.submit_rate for name, pace in paces.items()}
    return submits | {(name, "query"): pace.query_rate for name, pace in paces.items()}


def _slowdowns(rates: Rates, by_key: Mapping[str, float]) -> dict[Labels, float]:
    """The slowest pace of each provider, of submissions that of its slowest model."""
    slowest = dict.fromkeys(rates, 1.0)
    for key, slowdown in by_key.items():
        call, provider, *_ = key.split(":")  # the name of a model may follow
        if (provider, call) in slowest:
            slowest[provider, call] = max(slowest[provider, call], slowdown)
    return slowest


def _gauge(name: str, says: str, values: Mapping[Labels, float], labels: Collection[str] = ()) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, says, labels=list(labels))
    for of, value in values.items():
        family.add_metric(of, value)
    return family
