"""The story, played: registers, submits, watches and tells, through the HTTP API as a user would."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from postback.demo.api import Api
from postback.demo.echo import Echo
from postback.demo.ending import ENDED_JOB, Act, complaints, images
from postback.demo.stage import Stage
from postback.demo.story import Scene
from postback.demo.voice import Voice
from postback.demo.webhook import Webhook

DESCRIPTION = "The demo's echo subscriber"
PATIENCE_SECONDS = 60.0
TICK_SECONDS = 0.2


class Tour:
    """One run of the story. `patience` is how many seconds the jobs have to end."""

    def __init__(
        self, stage: Stage, api: Api, echo: Echo, story: Sequence[Scene], voice: Voice, *, patience: float
    ) -> None:
        self.acts: list[Act] = []
        self._stage = stage
        self._api = api
        self._echo = echo
        self._story = story
        self._voice = voice
        self._patience = patience
        self._width = max(len(scene.title) for scene in story)
        self._started = time.monotonic()

    async def play(self) -> list[str]:
        """Plays it, and returns a sentence for everything that did not end as it had to."""
        self._voice.chapter("The subscriber is registered")
        subscriber_id = await self._register()
        self._voice.chapter("Jobs leave")
        for scene in self._story:
            await self._submit(scene)
        self._voice.chapter("Results come back, and webhooks arrive")
        await self._watch(subscriber_id)
        self._voice.chapter(f"The timeline of one job: {self.acts[0].scene.title}")
        await self._tell(self.acts[0].job["id"])
        return complaints(self.acts, self._echo.webhooks)

    async def _register(self) -> str:
        """Also removes what an earlier demo left in the same home: nobody listens for it any more."""
        for old in (await self._api.get("subscribers"))["data"]:
            if old["description"] == DESCRIPTION:
                await self._api.delete(f"subscribers/{old['id']}")
        body = {"url": self._stage.webhooks, "description": DESCRIPTION}
        subscriber = await self._api.post("subscribers", body)
        self._echo.hear = self._hear
        self._echo.trust(subscriber["secret"])
        id: str = subscriber["id"]
        self._voice.good(f"{id} gets the outcome of every job, signed with a secret that only the two know")
        return id

    async def _submit(self, scene: Scene) -> None:
        job = await self._api.post("jobs", scene.order)
        self.acts.append(Act(scene, job))
        self._voice.good(f"{scene.title:{self._width}}  {job['id']}  ", (scene.about, "dim"))

    async def _watch(self, subscriber_id: str) -> None:
        """Until every job and delivery has ended, or patience has."""
        self._started = time.monotonic()
        with self._voice.working("Waiting for the first result") as show:
            while not all(act.ended for act in self.acts) and self._seconds() < self._patience:
                for act in self.acts:
                    if not act.ended:
                        await self._look(act, subscriber_id)
                ended = sum(act.ended for act in self.acts)
                show(f"{ended} of {len(self.acts)} jobs have ended and been told, after {self._seconds():.0f} s")
                await asyncio.sleep(TICK_SECONDS)

    async def _look(self, act: Act, subscriber_id: str) -> None:
        job = await self._api.get(f"jobs/{act.job['id']}")
        deliveries = await self._api.get("deliveries", job_id=job["id"], subscriber_id=subscriber_id)
        if job["status"] not in (act.job["status"], *ENDED_JOB):
            self._voice.say(self._when(act.scene.title), f"is {job['status']}")
        for delivery in deliveries["data"]:
            if delivery["last_error"] not in (None, act.delivery.get("last_error")):
                self._voice.bad(self._when(act.scene.title), f"a delivery failed: {delivery['last_error']}")
            act.delivery = delivery
        act.job = job

    def _hear(self, webhook: Webhook) -> None:
        if webhook.data is None:
            self._voice.bad(
                self._when("?"),
                f"webhook {webhook.id}, ",
                ("signature NOT verified", "bold red"),
                f": {webhook.verdict.explanation}",
            )
            return
        titles = [act.scene.title for act in self.acts if act.job["id"] == webhook.job_id]
        self._voice.good(
            self._when(titles[0] if titles else str(webhook.data.get("model", "?"))),
            f"webhook {webhook.id}  {webhook.type}  ",
            ("signature verified", "green"),
            f"  {_outcome(webhook.data)}",
        )

    async def _tell(self, job_id: str) -> None:
        for entry in (await self._api.get(f"jobs/{job_id}/timeline"))["data"]:
            self._voice.say((entry["at"], "dim"), f"  {entry['summary']}")

    def _when(self, title: str) -> str:
        return f"{self._seconds():5.1f} s  {title:{self._width}}  "

    def _seconds(self) -> float:
        return time.monotonic() - self._started


def _outcome(job: Mapping[str, Any]) -> str:
    """What a webhook says of its job, in a few words; empty where it tells of no job."""
    if error := job.get("error"):
        return str(error["code"])
    made, failed = images(job)
    if not made:
        return ""
    return ("1 image" if made == 1 else f"{made} images") + (f", {failed} failed" if failed else "")
