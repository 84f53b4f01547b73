"""What every provider can say: the small language between their words and ours.

A provider is pure: it turns an order into an HTTP call and an HTTP answer into a reading. Nothing here does
I/O, and nothing here imports another part of Postback.

    Order ──submit()──▶ Call ──(dispatcher sends)──▶ Answer ──read_submit()──▶ Reading | Refusal
    task_id, model ──fetch()──▶ Call ──────────────▶ Answer ──read_fetch()───▶ Reading | Refusal
    callback body ─────────────────────────────────────────read_callback()──▶ Reading
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from providers.parameters import Parameter


class Unreadable(ValueError):
    """A body that is not what this provider sends. The message says why, without quoting the body."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a user asks for, in the provider's own vocabulary."""

    model: str
    input: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """One bad field of an order. `pointer` is an RFC 6901 JSON pointer into the request body, e.g. `/input/prompt`."""

    pointer: str
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """The verdict on an order: problems refuse it, warnings are told and the provider judges."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """Whose account is billed, and where it lives. `base_url` has no trailing slash."""

    base_url: str
    api_key: str
    workspace: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request. `path` starts with a slash and is relative to the account's base URL."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class JobStatus(StrEnum):
    """What a provider can say of a job, in our words. `UNKNOWN`: it does not know the job."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"

    @property
    def final(self) -> bool:
        return self in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED)


class Fault(NamedTuple):
    """An error in the provider's own words."""

    code: str
    message: str


class Result(NamedTuple):
    """One image: a URL, or the error that took its place."""

    url: str | None
    error: Fault | None = None


class Metrics(NamedTuple):
    """How many images were asked for, made and failed; None where the provider does not say."""

    total: int | None
    succeeded: int | None
    failed: int | None


class Reading(NamedTuple):
    """What an answer or a callback says about a job."""

    status: JobStatus
    task_id: str | None = None
    provider_status: str | None = None
    """The provider's own status word, as received; None where it has none."""
    results: tuple[Result, ...] = ()
    metrics: Metrics | None = None
    image_count: int | None = None
    error: Fault | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of a provider's list of jobs: no result, and other people's jobs too. `created_at` is in UTC
    milliseconds; `model` is None where the row does not say."""

    task_id: str
    status: JobStatus
    provider_status: str
    model: str | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a provider's list, and how many pages there are."""

    tasks: tuple[Listed, ...]
    pages: int


class Disposition(StrEnum):
    """What to do about a refusal.

    `FINAL`: asking again gives the same answer. `RETRY`: nothing was started, ask again later. `THROTTLE`: as
    retry, and slow down. `AMBIGUOUS`: on a submission, nobody can know whether it was started; on a query, retry.
    """

    FINAL = "final"
    RETRY = "retry"
    THROTTLE = "throttle"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is an error. `retry_after` is in seconds, None where the provider does not say."""

    disposition: Disposition
    code: str
    message: str
    status: int
    retry_after: float | None = None


class Lists(Protocol):
    """A provider's list of its account's jobs, for those that have one."""

    zones: tuple[int, ...]
    """Hours ahead of UTC in which the window of time may be read, the likeliest first."""

    def ask(self, since: int, until: int, page: int, zone: int) -> Call:
        """The call for one page, from 1, of the jobs that were made in a window of UTC milliseconds."""

    def read(self, answer: Answer) -> Listing | Refusal:
        """One page."""


class Batches(Protocol):
    """Asking about several jobs in one call, for providers that can."""

    size: int
    """How many jobs one call may ask about."""

    def group(self, model: str) -> str:
        """What jobs must have in common, by their model, to be asked about in one call."""

    def ask(self, task_ids: Sequence[str], model: str = "") -> Call:
        """The call that asks about these, of one group; `model` is that of any of them."""

    def read(self, answer: Answer) -> Mapping[str, tuple[Reading | Refusal, bytes]] | Refusal:
        """What was said of each, and for a finished one the body of the callback that it becomes."""


class Provider(Protocol):
    """One provider's words. Implementations are stateless; one file each, one line in the table of `providers`."""

    name: str
    calls_back: bool
    """Whether the provider itself POSTs the result to a `callback_url`; if not, the poller does it for it."""
    paced_by_model: bool
    """Whether submissions are limited for each model, or for the account as a whole."""
    lists: Lists | None
    batches: Batches | None
    default_model: str | None
    models: tuple[str, ...]
    """Models that the documents name; an explicit `provider` may always ask for others."""
    parameters: tuple[Parameter, ...]
    """What the documents say of each input and parameter; others are passed on unchanged."""

    def has(self, model: str) -> bool:
        """Whether the table of this provider has a model of that name, so that a job needs no explicit provider."""

    def hint(self, code: str) -> str | None:
        """What a person can do about an error code; None where we know no remedy."""

    def check(self, order: Order) -> Check:
        """Judges shape and type. Unusual values only warn: the provider decides what it accepts."""

    def headers(self, account: Account) -> Mapping[str, str]:
        """The headers that say who pays, for every call."""

    def submit(self, order: Order, callback_url: str | None) -> Call:
        """The call that starts the job. Without `callback_url` the answer must come at once with a task_id."""

    def read_submit(self, answer: Answer) -> Reading | Refusal:
        """What the provider said to a submission. A reading with a final status already is the result."""

    def fetch(self, task_id: str, model: str = "") -> Call:
        """The call that asks for one job, of that model."""

    def read_fetch(self, answer: Answer) -> Reading | Refusal:
        """What the provider said about one job."""

    def cancel(self, task_id: str) -> Call | None:
        """The call that cancels a job, or None where the provider has no such call."""

    def read_cancel(self, answer: Answer) -> Refusal | None:
        """None when the provider canceled the job."""

    def callback_body(self, answer: Answer) -> bytes:
        """The body of the POST that a result found by asking becomes: what a callback of this provider holds."""

    def read_callback(self, body: bytes) -> Reading:
        """Reads a callback. Raises `Unreadable` for anything that is not one of this provider's."""
