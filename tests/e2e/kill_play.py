"""200 jobs, and a server that is killed in the middle of them, again and again."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
from e2e import dashscope
from e2e.eventually import eventually
from e2e.scene import Hook, Scene

JOBS = 200
ENDS = ("succeeded", "failed", "canceled", "lost", "unconfirmed")
MODELS = ("flux-schnell", "flux-kontext-pro", "stable-diffusion-3.5-large", "flux-pro")
LATENCY = 0.05
PACES: dict[str, object] = {"POSTBACK_DASHSCOPE_SUBMIT_RATE": 12, "POSTBACK_ACEDATA_SUBMIT_RATE": 24}
"""A killed server leaves unconfirmed what it was about to send: a quarter of a second's worth."""
LEASES_SECONDS = 150
"""On PostgreSQL what a killed process held is due again when its lease ends, after most of a minute."""


@dataclass
class Killed:
    """What was seen by those outside."""

    scene: Scene
    hook: Hook
    accepted: dict[str, str] = field(default_factory=dict)
    """Job ids by prompt, as far as the server has answered."""
    jobs: list[dict[str, Any]] = field(default_factory=list)
    """All jobs, in the end."""

    @property
    def submissions(self) -> Iterator[tuple[str, int]]:
        yield from self.scene.dashscope.script.submissions.items()
        yield from self.scene.acedata.script.submissions.items()


def play(scene: Scene) -> Killed:
    """Submits all jobs while the server is killed at four different moments, and waits until every job has ended and
    nothing is owed any more."""
    killed = Killed(scene, scene.subscribe())
    prompts = [f"{number} {uuid.uuid4()}" for number in range(JOBS)]
    moments: tuple[Callable[[], bool], ...] = (
        lambda: len(killed.accepted) >= 20,
        lambda: sum(count for _, count in killed.submissions) >= 60,
        lambda: len(scene.listener.received) >= 120,
        lambda: sum(count for _, count in killed.submissions) >= 160,
    )
    with ThreadPoolExecutor(8) as clients:
        submitting = [clients.submit(_submit, killed, *numbered) for numbered in enumerate(prompts)]
        for moment in moments:
            eventually(moment, 120)
            scene.server.kill()
            scene.server.start()
        for one in submitting:
            one.result()
    eventually(lambda: _all_ended(killed), LEASES_SECONDS, pause=0.5)
    eventually(lambda: not _owed(scene), LEASES_SECONDS, pause=0.5)
    killed.jobs = scene.api.all("/jobs")
    return killed


def _submit(killed: Killed, number: int, prompt: str) -> None:
    """As a careful client does: with a key, and again until there is an answer."""
    model = MODELS[number % len(MODELS)]
    waiting, running = dashscope.task(prompt, "PENDING"), dashscope.task(prompt, "RUNNING")
    done = dashscope.succeeded(prompt, {})
    killed.scene.dashscope.script.write(prompt, submit=[waiting], fetch=[running, done])
    order = {"model": model, "input": {"prompt": prompt}}

    def attempt() -> bool:
        try:
            job = killed.scene.api("POST", "/jobs", order, expect=202, headers={"Idempotency-Key": prompt})
        except httpx.TransportError:
            return False
        killed.accepted[prompt] = job["id"]
        return True

    eventually(attempt, 60)


def _all_ended(killed: Killed) -> bool:
    jobs = killed.scene.api.all("/jobs")
    return len(jobs) == JOBS and all(job["status"] in ENDS for job in jobs)


def _owed(scene: Scene) -> list[dict[str, Any]]:
    return scene.api.all("/deliveries", status="pending") + scene.api.all("/deliveries", status="delivering")
