"""Every response example of the documents, and every quirk, through the real path."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from e2e.plays import DATABASES, played
from e2e.sample_play import Outcome, outcome_as_json, play
from e2e.wire import Stage
from samples.sample import Sample
from samples.table import SAMPLES

Endings = dict[str, "Future[dict[str, Outcome]]"]


@pytest.fixture(scope="module")
def endings(
    request: pytest.FixtureRequest, stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Endings]:
    """What became of every sample, by kind of database."""
    with played(play, request, stage, tmp_path_factory.mktemp("samples")) as endings:
        yield endings


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.provider}: {sample.name}")
def test_sample(endings: Endings, kind: str, sample: Sample) -> None:
    outcome = endings[kind].result()[sample.name]
    job, shown = outcome.job, outcome_as_json(outcome)
    assert not outcome.missed, shown
    if sample.job == "queued":
        _was_put_back(outcome, sample)
        return
    assert outcome.submissions == 1
    assert job["status"] == sample.job, shown
    assert outcome.told is not None
    assert outcome.told == _at_that_time(job, sample) | {"sequence": outcome.told["sequence"]}
    if sample.job != "lost":
        assert job["error"] == _fault(sample.error), shown
    assert job["metrics"] == _metrics(sample), shown
    assert job["usage"] == (None if sample.image_count is None else {"image_count": sample.image_count}), shown
    if sample.job in ("succeeded", "failed"):
        assert [(one["url"], one["error"]) for one in job["results"]] == [
            (url, _fault(error)) for url, error in sample.results
        ], shown
    else:
        assert not job["results"]
    if sample.task_id and sample.file:
        assert job["task_id"] == sample.task_id
    if sample.warned:
        assert job["warnings"]


def _was_put_back(outcome: Outcome, sample: Sample) -> None:
    assert sample.error is not None
    code, message = sample.error
    put_back = [entry["summary"] for entry in outcome.timeline if entry["type"] == "put_back"]
    assert len(put_back) == 1
    assert f"{code}: {message}" in put_back[0]
    assert outcome.submissions == 2
    assert outcome.job["error"] is None


def _at_that_time(job: dict[str, Any], sample: Sample) -> dict[str, Any]:
    """A job that is pending was told of before it was asked about."""
    return {**job, "metrics": None} if sample.job == "pending" else job


def _fault(error: tuple[str, str] | None) -> dict[str, str] | None:
    return None if error is None else {"code": error[0], "message": error[1]}


def _metrics(sample: Sample) -> dict[str, int | None] | None:
    if sample.metrics is None:
        return None
    return dict(zip(("total", "succeeded", "failed"), sample.metrics, strict=True))
