"""The body of a callback, from its bytes to the verdict: all that is pure on the way of `POST /callbacks/{token}`."""

import json
from collections.abc import Iterable

from ledger.callbacks import VERDICTS
from ledger.job import Job
from ledger.lifecycle import JOB, may
from ledger.verdict import rule
from providers import PROVIDERS, jsontext
from providers.protocol import Reading
from receiver.callback import read
from tests.api.corpus import NOT_A_CALLBACK, NOT_JSON
from tests.samples.table import SAMPLES

NOW = 1_700_000_000_000
MAX_SAID = 200
"""An error says what is wrong; it does not quote."""

JOBS = [
    Job("job_1", "dashscope", "flux-dev", status, {}, {}, {}, NOW, task_id=task_id, finished_at=NOW)
    for status in JOB
    for task_id in (None, "task-1")
]


def seeds() -> Iterable[bytes]:
    """What providers send, and what nobody should."""
    yield from (sample.body for sample in SAMPLES)
    yield from (body for body in (*NOT_JSON.values(), *NOT_A_CALLBACK.values()) if len(body) < 10_000)
    yield b'{"task_id": "task-1", "success": true, "data": []}'


def judge(data: bytes) -> None:
    """What is read is strict JSON; every reading gets a verdict, whatever state its job is in: the length of the input
    says which."""
    _strict(data)
    for provider in PROVIDERS.values():
        reading, fault = read(provider, data)
        assert (reading is None) == (fault is not None)
        assert len(fault or "") < MAX_SAID
        _ruled(JOBS[len(data) % len(JOBS)], reading)


def _strict(data: bytes) -> None:
    try:
        value = jsontext.loads(data)
    except jsontext.BadJson as error:
        said = str(error)
    else:
        said = ""
        assert jsontext.loads(jsontext.dumps(value)) == value == json.loads(data.decode("utf-8"))
    assert len(said) < MAX_SAID


def _ruled(job: Job, reading: Reading | None) -> None:
    ruling = rule(job, reading, NOW + 1)
    assert ruling.verdict in VERDICTS
    assert reading is not None or ruling.verdict == "invalid"
    at = job.status
    for state in ruling.passed:
        assert may(JOB, at, state), f"{at} to {state}"
        at = state
    assert ruling.job.status == at
    told = jsontext.dumps(ruling.job.document())
    assert jsontext.loads(told) == ruling.job.document()
    assert rb"\u0000" not in told, "PostgreSQL refuses it"
    if ruling.verdict in ("duplicate", "conflicting", "invalid"):
        assert ruling.job._replace(callback_counts=job.callback_counts) == job
    if ruling.verdict == "accepted":
        again = rule(ruling.job, reading, NOW + 2)
        assert (again.verdict, again.passed) == ("duplicate", ())
