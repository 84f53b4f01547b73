"""`/jobs/{id}`: one job, what became of it step by step, and what can be done with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Row
from starlette.requests import Request
from starlette.responses import Response

from ledger import deliveries, dossier
from ledger.clock import rfc3339
from ledger.dossier import Dossier
from ledger.errors import Damaged
from ledger.ids import is_id
from ledger.job import Job
from ledger.jsontext import compact
from ledger.lifecycle import DELETABLE_JOB, RESUBMITTABLE_JOB
from ledger.listing import Artifact, prompt_of
from postback.api import job_acts
from postback.dashboard import curl, forms, job_diagnosis, job_timeline, pictures, shell
from postback.dashboard.page import Page
from postback.dashboard.pictures import Picture
from postback.house import House
from receiver.problems import Problem

CANCELABLE = ("queued", "pending")
"""Jobs that can still be taken back; one that waits at its provider only where that lets itself be asked."""

log = structlog.get_logger()

MAX_FORM = 4_096
MAX_SHOWN = 600
"""How much of a value is shown in a line."""

MAX_PROMPT = 8_000
HINT = "hint: "


@dataclass(frozen=True, slots=True)
class Image:
    """A result: our `picture` of it and what was `kept`, the provider's `url` with the `href` where a browser may
    follow it, the `error` in its place, and how copying it stands."""

    picture: Picture | None
    kept: Mapping[str, Any] | None
    url: str | None
    href: str | None
    error: str | None
    copying: Row[Any] | None


async def show(house: House, request: Request) -> Response:
    """One job."""
    job_id = request.path_params["id"]
    try:
        return _draw(house, request, await house.ledger.read(dossier.gather, job_id))
    except (Damaged, LookupError, TypeError, AttributeError, ValueError) as error:
        # JSON of another shape than was written is damage too. What belongs to the job may still be read.
        log.error("job_not_shown", job_id=job_id, exc_info=error)
        return shell.draw(house, request, "job_damaged.html", 503, job_id=job_id, why=str(Damaged()))


async def cancel(house: House, request: Request) -> Response:
    """Takes a job back."""
    job = await job_acts.cancel(house, request.path_params["id"])
    return shell.see_other(f"/jobs/{job.id}", "The job is canceled.")


async def resubmit(house: House, request: Request) -> Response:
    """Asks for the same again."""
    job = await job_acts.resubmit(house, request.path_params["id"])
    return shell.see_other(f"/jobs/{job.id}", "This is the new job, which asks for the same again.")


async def erase(house: House, request: Request) -> Response:
    """Erases a finished job."""
    job_id = request.path_params["id"]
    await job_acts.erase(house, job_id)
    return shell.see_other("/jobs", f"{job_id} is erased with all that belonged to it.")


async def redeliver(house: House, request: Request) -> Response:
    """Sends one of its deliveries again, or one that is still owed now."""
    job_id, delivery_id = request.path_params["id"], (await forms.read(request, MAX_FORM)).get("delivery")
    if not isinstance(delivery_id, str) or not is_id(delivery_id, "dlv"):
        raise Problem("bad-request", "The form names no delivery.")
    await house.ledger.write(deliveries.redeliver, delivery_id, at_once=True)
    house.wake("forwarder")
    return shell.see_other(f"/jobs/{job_id}", f"{delivery_id} is sent again.")


def _draw(house: House, request: Request, found: Dossier) -> Response:
    job = found.job
    hints = [one.removeprefix(HINT) for one in job.warnings if one.startswith(HINT)]
    steps = job_timeline.steps(found, house.ledger.clock())
    diagnoses = job_diagnosis.diagnose(steps)
    return shell.draw(
        house,
        request,
        "job.html",
        job=job,
        prompt=prompt_of(job.input)[:MAX_PROMPT],
        facts=_facts(job),
        asked=[*_pairs(job.input, but=("prompt",)), *_pairs(job.parameters)],
        metadata=_pairs(job.metadata),
        error=_fault(job.error),
        hints=hints,
        warnings=[one for one in job.warnings if not one.startswith(HINT)],
        images=_images(house, found),
        billed=(job.usage or {}).get("image_count"),
        failures=_failures(job.metrics or {}),
        steps=steps,
        diagnoses=diagnoses[: job_diagnosis.SHOWN],
        untold=len(diagnoses[job_diagnosis.SHOWN :]),
        arrived=_arrived(found.deliveries),
        tone=job_diagnosis.worst(diagnoses),
        more=found.more,
        curl=curl.submit(house.settings.public_url, job),
        can_cancel=job.status in CANCELABLE,
        can_resubmit=job.status in RESUBMITTABLE_JOB,
        can_erase=job.status in DELETABLE_JOB,
    )


def _facts(job: Job) -> list[tuple[str, Any]]:
    took = None if job.finished_at is None else job.finished_at - job.created_at
    rfc3339(job.created_at)  # a time that nobody can have written is damage
    return [("made", job.created_at), ("sent", job.submitted_at), ("ended", job.finished_at), ("took", took)]


def _arrived(deliveries: Sequence[Row[Any]]) -> str:
    """How many deliveries are made, and how many never will be unless somebody sends them again."""
    states = [row.status for row in deliveries]
    dead = f", {states.count('dead')} dead" if "dead" in states else ""
    return f"{states.count('delivered')} of {len(states)} deliveries made{dead}" if states else ""


def _images(house: House, found: Dossier) -> list[Image]:
    """The results one by one: our copy, how copying stands, the provider's URL as a text, or the error in its place."""
    copies = {row.position: row for row in found.artifacts}
    images = []
    for position, result in enumerate(found.job.results or ()):
        kept, url = result.get("artifact"), result.get("url")
        picture = pictures.shown(house, [Artifact(kept["id"], kept["media_type"])])[0] if kept else None
        href = url if url is not None and url.lower().startswith(("http://", "https://")) else None
        images.append(Image(picture, kept, url, href, _fault(result.get("error")), copies.get(position)))
    return images


def _failures(metrics: Mapping[str, Any]) -> str | None:
    failed, total = metrics.get("failed"), metrics.get("total")
    return None if not failed else f"{failed} of {total} images" if total else f"{failed} images"


def _fault(error: Mapping[str, str] | None) -> str | None:
    return None if error is None else f"{error['code']}: {error['message']}"


def _pairs(fields: Mapping[str, Any], but: Sequence[str] = ()) -> list[tuple[str, str]]:
    pairs = ((name, value if isinstance(value, str) else compact(value)) for name, value in fields.items())
    return [(name[:MAX_SHOWN], _cut(value)) for name, value in pairs if name not in but]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(text):,} characters)"


ROUTES: tuple[Page, ...] = (
    Page("GET", "/jobs/{id}", show),
    Page("POST", "/jobs/{id}/cancel", cancel, scope="submit"),
    Page("POST", "/jobs/{id}/resubmit", resubmit, scope="submit"),
    Page("POST", "/jobs/{id}/delete", erase, scope="admin"),
    Page("POST", "/jobs/{id}/redeliver", redeliver, scope="admin"),
)
