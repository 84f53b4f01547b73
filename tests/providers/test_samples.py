"""Each body of the table is read as its document says."""

import json
from collections import Counter

import pytest
from samples.sample import FOLDER
from samples.table import DOCUMENTS, SAMPLES, Sample

from providers import PROVIDERS
from providers.protocol import Answer, Disposition, JobStatus, Order, Reading, Refusal

JOB_AFTER = {
    Disposition.FINAL: "failed",
    Disposition.RETRY: "queued",
    Disposition.THROTTLE: "queued",
    Disposition.AMBIGUOUS: "unconfirmed",
}


def read(sample: Sample) -> Reading | Refusal:
    provider = PROVIDERS[sample.provider]
    answer = Answer(sample.http_status, {"content-type": "application/json"}, sample.body)
    if sample.kind == "callback":
        return provider.read_callback(sample.body)
    return provider.read_fetch(answer) if sample.kind == "fetch" else provider.read_submit(answer)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_sample_is_read_as_its_document_says(sample: Sample) -> None:
    said = read(sample)
    if isinstance(said, Refusal):
        assert JOB_AFTER[said.disposition] == sample.job
        assert (said.code, said.message) == sample.error
        assert said.status == sample.http_status
        assert sample.kind == "error"
        return
    assert (JobStatus.UNKNOWN if sample.job == "lost" else sample.job) == said.status
    assert said.task_id == sample.task_id
    results = tuple(
        (result.url, (result.error.code, result.error.message) if result.error else None) for result in said.results
    )
    assert results == sample.results
    metrics = (said.metrics.total, said.metrics.succeeded, said.metrics.failed) if said.metrics else None
    assert metrics == sample.metrics
    assert said.image_count == sample.image_count
    assert ((said.error.code, said.error.message) if said.error else None) == sample.error
    assert bool(said.warnings) == sample.warned


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_what_a_query_found_reads_the_same_as_a_callback(sample: Sample) -> None:
    said = read(sample)
    if sample.kind != "fetch" or isinstance(said, Refusal) or not said.status.final:
        return
    provider = PROVIDERS[sample.provider]
    assert provider.read_callback(provider.callback_body(Answer(200, {}, sample.body))) == said


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_orders_of_the_table_are_in_order(sample: Sample) -> None:
    assert PROVIDERS[sample.provider].check(Order(sample.model, sample.input, sample.parameters)).problems == ()


def test_table_holds_every_example_once() -> None:
    assert {sample.file for sample in DOCUMENTS} == {path.name for path in FOLDER.glob("*.json")}
    assert max(Counter(sample.name for sample in SAMPLES).values()) == 1
    assert all(isinstance(json.loads(sample.body), dict) for sample in DOCUMENTS)
