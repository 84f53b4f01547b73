"""Whether the story ended as it had to. Pure: jobs, deliveries and webhooks in, complaints out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from postback.demo.story import Scene
from postback.demo.webhook import Webhook

ENDED_JOB = ("succeeded", "failed", "canceled", "lost")
ENDED_DELIVERY = ("delivered", "dead", "skipped")


@dataclass
class Act:
    """A scene that is being played: its job and its delivery, as the API shows them."""

    scene: Scene
    job: Mapping[str, Any]
    delivery: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.job["status"] in ENDED_JOB and self.delivery.get("status") in ENDED_DELIVERY


def images(job: Mapping[str, Any]) -> tuple[int, int]:
    """How many images were made, and how many failed."""
    results = job["results"] or ()
    made = sum(result["url"] is not None for result in results)
    return made, len(results) - made


def complaints(acts: Sequence[Act], webhooks: Sequence[Webhook]) -> list[str]:
    """A sentence for everything that is not as it had to be."""
    found = [f"{act.scene.title}: {sentence}" for act in acts for sentence in _about(act, webhooks)]
    bad = {webhook.id: webhook for webhook in webhooks if not webhook.verdict.ok}
    found += [f"webhook {webhook.id} did not verify: {webhook.verdict.explanation}" for webhook in bad.values()]
    return found


def _about(act: Act, webhooks: Sequence[Webhook]) -> Iterator[str]:
    scene, job = act.scene, act.job
    if job["status"] != scene.status:
        error = job["error"] and f" ({job['error']['code']}: {job['error']['message']})"
        yield f"the job is {job['status']}{error or ''}, not {scene.status}"
    else:
        made, failed = images(job)
        if (made, failed) != (scene.images, scene.failed_images):
            yield (
                f"{made} images were made and {failed} failed; {scene.images} and {scene.failed_images} were expected"
            )
        code = job["error"] and job["error"]["code"]
        if code != scene.error:
            yield f"its error is {code}, not {scene.error}"
    told = [webhook for webhook in webhooks if webhook.job_id == job["id"]]
    if not any(webhook.type == scene.event for webhook in told):
        yield f"no verified {scene.event} webhook arrived"
    if (status := act.delivery.get("status")) not in (None, "delivered"):
        yield f"its delivery is {status}" + (f": {error}" if (error := act.delivery["last_error"]) else "")
