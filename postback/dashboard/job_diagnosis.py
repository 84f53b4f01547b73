"""Why notifications of a job did not arrive, to be told before all else, as `postback jobs show` does. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from postback.dashboard.job_timeline import Sending, Step

SHOWN = 5
"""How many are told before all else; a job may have many one-off URLs."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What became of a delivery that did not arrive: `bad` where it is given up, `warn` where it may still go.

    `next` is the attempt that is still made, by its number.
    """

    sending: Sending
    tone: str
    says: str
    next: int | None = None


def diagnose(steps: Sequence[Step]) -> list[Diagnosis]:
    """One for each place that something did not arrive at. Of several the newest stands, a dead one before others."""
    missing: dict[str, list[Sending]] = {}
    for sending in (sending for step in steps for sending in step.sendings):
        if _tone(sending):
            missing.setdefault(sending.row.subscriber_id, []).append(sending)
    return sorted((_of(_newest(those), len(those)) for those in missing.values()), key=lambda one: one.tone)


def worst(diagnoses: Iterable[Diagnosis]) -> str:
    """The tone of them together; "" where nothing is missing."""
    return min((one.tone for one in diagnoses), default="")  # "bad" comes before "warn"


def _tone(sending: Sending) -> str:
    """`bad`, `warn`, or "" for a delivery that arrived or was not refused so far."""
    if sending.row.status == "dead":
        return "bad"
    failing = sending.is_open and bool(sending.tries) and sending.tries[-1].row.error_class is not None
    return "warn" if failing or sending.row.status == "skipped" else ""


def _newest(those: Sequence[Sending]) -> Sending:
    return max(those, key=lambda one: (_tone(one) == "bad", one.row.id))


def _of(sending: Sending, count: int) -> Diagnosis:
    row, tone = sending.row, _tone(sending)
    others = f" (and {count - 1} more)" if count > 1 else ""
    what = f"{row.type}{others} to {sending.to or row.subscriber_id}"
    if row.status == "skipped":
        return Diagnosis(sending, tone, f"{what} was not sent: {row.last_error}")
    if row.status == "dead":
        return Diagnosis(sending, tone, f"{what} is dead: {_why(sending, ', the last,')}")
    return Diagnosis(sending, tone, f"{what} has not arrived yet: {_why(sending)}", row.attempt_count + 1)


def _why(sending: Sending, which: str = "") -> str:
    if not sending.tries:
        return str(sending.row.last_error)
    last = sending.tries[-1]
    return f"attempt {last.row.number}{which} failed with {last.ended}"
