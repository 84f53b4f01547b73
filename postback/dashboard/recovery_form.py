"""What the form of a recovery says, read and checked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import FormData, QueryParams

from ledger.clock import parse_rfc3339, rfc3339
from ledger.errors import Damaged
from ledger.recovery import RECOVERABLE, Window
from postback.api.subscriber_bodies import MAX_RATE, MIN_RATE
from postback.dashboard import instants
from postback.dashboard.recovery_runs import Plan

STATUSES = (*RECOVERABLE, "delivered")
MAX_SUBSCRIBERS = 100

_A_TIME = "Write a time such as 2026-01-31T12:00:00Z, or 24h for as long ago."


@dataclass(frozen=True, slots=True)
class Asked:
    """What was filled in, what is wrong with it by field, and the plan it makes if nothing is."""

    subscriber_ids: Sequence[str]
    statuses: Sequence[str]
    since: str
    until: str
    rate: str
    errors: Mapping[str, str]
    plan: Plan | None


def read(fields: FormData | QueryParams, now: int) -> Asked:
    """The form as it was filled in at `now`. Without an end the window ends there: what is counted is what is sent."""
    errors: dict[str, str] = {}
    chosen = [str(one) for one in dict.fromkeys(fields.getlist("subscriber_id")) if one]
    statuses = [one for one in STATUSES if one in fields.getlist("status")]
    since, until, rate = (str(fields.get(name, "")).strip() for name in ("since", "until", "rate"))
    if not chosen:
        errors["subscriber_id"] = "Choose at least one subscriber."
    elif len(chosen) > MAX_SUBSCRIBERS:
        errors["subscriber_id"] = f"Choose at most {MAX_SUBSCRIBERS} subscribers."
    if not statuses:
        errors["status"] = "Choose at least one state."
    begin, end = _moment(since, now), _moment(until, now) if until else now
    if begin is None:
        errors["since"] = _A_TIME
    if end is None:
        errors["until"] = _A_TIME
    elif begin is not None and end < begin:
        errors["until"] = "This is before the beginning."
    a_second = _rate(rate)
    if rate and a_second is None:
        errors["rate"] = f"Write a number from {MIN_RATE:g} to {MAX_RATE:g}, or leave it empty."
    plan = None
    if not errors and begin is not None:
        plan = Plan(chosen, statuses, Window(begin, end), a_second)
    return Asked(chosen, statuses, since, until, rate, errors, plan)


def query(plan: Plan) -> list[tuple[str, str]]:
    """The fields that make the same plan at any time."""
    pairs = [("subscriber_id", one) for one in plan.subscriber_ids] + [("status", one) for one in plan.statuses]
    pairs.append(("since", rfc3339(plan.window.since)))
    if plan.window.until is not None:
        pairs.append(("until", rfc3339(plan.window.until)))
    return pairs + ([] if plan.rate is None else [("rate", f"{plan.rate:g}")])


def _moment(text: str, now: int) -> int | None:
    try:
        moment = instants.read(text, now)
        return moment if parse_rfc3339(rfc3339(moment)) == moment >= 0 else None
    except (ValueError, Damaged):  # also a year that no date has
        return None


def _rate(text: str) -> float | None:
    try:
        rate = float(text)
    except ValueError:
        return None
    return rate if MIN_RATE <= rate <= MAX_RATE else None
