"""Judges what was acknowledged against what is there, as Jepsen's total-queue does.

Lost: acknowledged and not there, or delivered by our own account and never arrived. Unexpected: arrived, and nobody
owed it. Duplicated: arrived more than once; allowed only where the scenario opens the window for it.
"""

import base64
import hashlib
import hmac
import re
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any

from e2e.eventually import eventually
from e2e.server import unexpected
from e2e.wire import Request

from tests.torture.world import World

ENDS = ("succeeded", "failed", "canceled", "lost", "unconfirmed")
DRAIN_SECONDS = 90
JUDGED = ("lost", "unexpected", "duplicated", "paid_twice", "unconfirmed", "recovered", "seconds")
"""What only a judge counts."""


@dataclass(slots=True)
class Row:
    """One line of the table. `broken` are the rules that did not hold; `window` says why something may come twice.

    `crash` is what kept the harness from playing to the end. Unless `judged`, `blows` and `acknowledged` are those of
    the moment when it ended, and nothing else is counted.
    """

    scenario: str
    database: str
    blows: int = 0
    acknowledged: int = 0
    lost: int = 0
    unexpected: int = 0
    duplicated: int = 0
    paid_twice: int = 0
    unconfirmed: int = 0
    recovered: int = 0
    seconds: float = 0.0
    window: str = ""
    broken: list[str] = field(default_factory=list)
    crash: str = ""
    judged: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON. What only a judge counts is null unless one did."""
        return asdict(self) | ({} if self.judged else dict.fromkeys(JUDGED))


def judge(world: World, row: Row, *, quiet: bool = True) -> Row:
    """Waits until nothing moves any more, and fills the row. `quiet`: no error may be in any log;
    otherwise only that the database was not available."""
    rules = _Rules(row)
    try:
        eventually(lambda: not _unfinished(world), DRAIN_SECONDS, pause=0.3)
    except AssertionError:
        rules.require(False, f"not at rest after {DRAIN_SECONDS} s: {_unfinished(world)[:2]}")
    jobs = {job["id"]: job for job in world.api.all("/jobs")}
    deliveries = world.api.all("/deliveries", subscriber_id=world.hook["id"]) if world.hook else []
    callbacks = Counter(one["job_id"] for one in world.api.all("/callbacks"))
    told = _callbacks_told(world)
    arrived = _arrivals(world, rules)
    row.blows, row.recovered = len(world.blows), len(world.recoveries)
    row.seconds = round(max(world.recoveries, default=0.0), 2)
    row.acknowledged = len(world.accepted) + len(told)
    row.unconfirmed = sum(job["status"] == "unconfirmed" for job in jobs.values())
    missing = [job for job in world.accepted.values() if job not in jobs]
    unstored = [job for job in told if not callbacks[job] or jobs.get(job, {}).get("status") != "succeeded"]
    owed = _owed(jobs, deliveries) if world.hook else []
    absent = [one["id"] for one in deliveries if one["status"] == "delivered" and one["notification_id"] not in arrived]
    row.lost = len(missing) + len(unstored) + len(owed) + len(absent)
    rules.require(not missing, f"jobs acknowledged and gone: {missing[:3]}")
    rules.require(not unstored, f"callbacks acknowledged and gone: {unstored[:3]}")
    rules.require(not owed, f"notifications never owed: {owed[:3]}")
    rules.require(not absent, f"delivered, says the house, but never arrived: {absent[:3]}")
    known = {one["notification_id"] for one in deliveries}
    strange = [one for one in arrived if one not in known]
    row.unexpected += len(strange)
    rules.require(not strange, f"arrived and not owed: {strange[:3]}")
    row.duplicated = sum(count - 1 for count in arrived.values())
    rules.require(bool(row.window) or not row.duplicated, f"{row.duplicated} arrived twice without a reason")
    paid = {**world.dashscope.script.submissions, **world.acedata.script.submissions}
    row.paid_twice = sum(count - 1 for count in paid.values())
    rules.require(not row.paid_twice, f"{row.paid_twice} submissions were paid twice")
    _once_each(world, jobs, deliveries, rules)
    said = [line for process in world.processes for line in unexpected(process.log)]
    said = [line[:200] for line in said if quiet or '"exc_type": "Unavailable"' not in line]
    rules.require(not said, f"an error in the log: {said[:1]}")
    row.judged = True
    return row


class _Rules:
    def __init__(self, row: Row) -> None:
        self._row = row

    def require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self._row.broken.append(otherwise)


def _unfinished(world: World) -> list[Any]:
    """What still moves: open jobs and deliveries, of those that are there."""
    open_jobs = [job["id"] for job in world.api.all("/jobs") if job["status"] not in ENDS]
    owed = world.api.all("/deliveries", status="pending") + world.api.all("/deliveries", status="delivering")
    return open_jobs + [one["id"] for one in owed]


def _callbacks_told(world: World) -> set[str]:
    """The jobs of which the provider has a 2xx for a callback."""
    answers = {prompt: list(said) for prompt, said in world.acedata.answers.items()}
    by_url = {prompt for prompt, said in answers.items() if any(one.status_code == 200 for one in said)}
    return {world.accepted[prompt] for prompt in by_url if prompt in world.accepted}


def _arrivals(world: World, rules: _Rules) -> Counter[str]:
    """Notification ids that came in, well signed, and how often."""
    received = [one for one in world.listener.received if one.path == "/hook"]
    bad = [one.headers.get("webhook-id") for one in received if not _signed(one, world.hook["secret"])]
    rules.require(not bad, f"badly signed: {bad[:3]}")
    return Counter(one.headers["webhook-id"] for one in received)


def _signed(request: Request, secret: str) -> bool:
    """Standard Webhooks 1.0, without its tolerance: some clocks here are wrong on purpose."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    said = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    wanted = base64.b64encode(hmac.digest(key, said, hashlib.sha256)).decode()
    return f"v1,{wanted}" in request.headers["webhook-signature"].split()


def _owed(jobs: dict[str, Any], deliveries: list[dict[str, Any]]) -> list[str]:
    """Ended jobs of whose outcome nobody is told."""
    kinds = defaultdict(set)
    for one in deliveries:
        kinds[one["job_id"]].add(one["type"])
    return [job["id"] for job in jobs.values() if f"job.{job['status']}" not in kinds[job["id"]]]


def _once_each(world: World, jobs: dict[str, Any], deliveries: list[dict[str, Any]], rules: _Rules) -> None:
    """One outcome a job, one notification of each kind, and nothing more after an attempt that arrived."""
    kinds = Counter((one["job_id"], one["type"]) for one in deliveries if one["job_id"])
    twice = [key for key, count in kinds.items() if count > 1]
    rules.require(not twice, f"told twice of one thing: {twice[:3]}")
    finals = Counter(job for job, kind in kinds if re.fullmatch(r"job\.(succeeded|failed|canceled)", kind))
    rules.require(all(count == 1 for count in finals.values()), "a job with two outcomes")
    prompts = Counter(job["input"]["prompt"] for job in jobs.values())
    rules.require(all(count == 1 for count in prompts.values()), "one key, two jobs")
    for one in deliveries:
        if one["attempt_count"] > 1:
            codes = [attempt["status_code"] for attempt in world.api("GET", f"/deliveries/{one['id']}")["attempts"]]
            early = any(code is not None and code < 300 for code in codes[:-1])
            rules.require(not early, f"settled again after it arrived: {one['id']} {codes}")
