"""Plays every sample through a real house: the stand-ins answer with exactly the sample's bytes."""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from e2e import dashscope
from e2e.eventually import eventually
from e2e.scene import Hook, Scene
from e2e.server import unexpected
from e2e.wire import Reply, reply
from samples.sample import Sample
from samples.table import SAMPLES

FINAL = ("succeeded", "failed", "canceled", "lost", "unconfirmed")
EVENTS = {"pending": "job.submitted"}
WITHIN = 30
LOST_WITHIN = 60
"""A provider may not know a job for half a minute after its submission."""


@dataclass(frozen=True)
class Outcome:
    """What became of a sample's job, and the notification of it; None where it makes none."""

    job: dict[str, Any]
    told: dict[str, Any] | None
    timeline: list[dict[str, Any]]
    submissions: int
    missed: str
    """What did not happen in time, if anything."""


@dataclass(frozen=True)
class _Played:
    sample: Sample
    prompt: str
    job_id: str


def play(scene: Scene) -> dict[str, Outcome]:
    """The outcome of each sample, by its name. Samples that share a task_id follow each other."""
    hook = scene.subscribe()
    outcomes: dict[str, Outcome] = {}
    lost: list[_Played] = []
    for wave in _waves(map(_with_own_task_id, SAMPLES)):
        begun = [_begin(scene, sample) for sample in wave]
        lost += [one for one in begun if one.sample.job == "lost"]
        outcomes |= {one.sample.name: _end(scene, hook, one) for one in begun if one.sample.job != "lost"}
    outcomes |= {one.sample.name: _end(scene, hook, one) for one in lost}
    assert unexpected(scene.server.log) == []
    return outcomes


def _with_own_task_id(sample: Sample) -> Sample:
    """The quirks all say `t-1`, which is no quirk: they get an id each, so that they can be played side by side."""
    own = f"t-{uuid.uuid4()}"
    if sample.file or sample.task_id != "t-1":
        return sample
    return replace(sample, text=sample.text.replace("t-1", own), task_id=own)


def _waves(samples: Iterable[Sample]) -> list[list[Sample]]:
    waves: list[list[Sample]] = []
    seen: defaultdict[str, int] = defaultdict(int)
    # Jobs that do not end are asked about again and again, so they come last.
    for sample in sorted(samples, key=lambda one: one.job not in FINAL):
        number = 0
        if sample.task_id is not None:
            number = seen[sample.task_id]
            seen[sample.task_id] += 1
        while len(waves) <= number:
            waves.append([])
        waves[number].append(sample)
    return waves


def _begin(scene: Scene, sample: Sample) -> _Played:
    prompt = f"{sample.input['prompt']} ({sample.name})"
    provider = scene.dashscope if sample.provider == "dashscope" else scene.acedata
    task_id = sample.task_id or str(uuid.uuid4())
    said = Reply(sample.http_status, sample.body, (("Content-Type", "application/json"),))
    taken = dashscope.task(task_id, "PENDING") if sample.provider == "dashscope" else reply({"task_id": task_id})
    waiting = taken if sample.provider == "dashscope" else reply({"id": task_id, "request": {}, "created_at": 1})
    if sample.kind == "callback":
        scene.acedata.calls_back(prompt, sample.body)
    elif sample.provider == "acedata":
        scene.acedata.calls_back(prompt)
    first = said if sample.kind in ("submit", "error") else taken
    provider.script.write(
        prompt,
        submit=[first, taken] if sample.job == "queued" else [first],
        fetch=[said if sample.kind == "fetch" else waiting],
    )
    job = scene.api.submit(
        sample.model,
        prompt,
        provider=sample.provider,
        input={name: value for name, value in sample.input.items() if name != "prompt"},
        parameters=dict(sample.parameters),
    )
    return _Played(sample, prompt, job["id"])


def _end(scene: Scene, hook: Hook, played: _Played) -> Outcome:
    sample, job_id = played.sample, played.job_id
    provider = scene.dashscope if sample.provider == "dashscope" else scene.acedata
    told, missed = None, ""
    try:
        if sample.job == "queued":
            eventually(lambda: "put_back" in [entry["type"] for entry in scene.api.timeline(job_id)])
            eventually(lambda: provider.script.submissions[played.prompt] == 2)
        else:
            event = EVENTS.get(sample.job, f"job.{sample.job}")
            told = hook.notified(job_id, event, LOST_WITHIN if sample.job == "lost" else WITHIN)
        if sample.job not in FINAL:
            # Asked a second time, it has taken in the first answer.
            eventually(lambda: provider.script.queries[played.prompt] >= 2)
    except AssertionError as error:
        missed = str(error) or "the provider was not asked as often as expected"
    job, timeline = scene.api.job(job_id), scene.api.timeline(job_id)
    return Outcome(job, told, timeline, provider.script.submissions[played.prompt], missed)


def outcome_as_json(outcome: Outcome) -> str:
    """For the message of a failed test."""
    return json.dumps([outcome.job, outcome.timeline], ensure_ascii=False, indent=1)
