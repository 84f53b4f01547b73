"""One trace from the request for a job to the last attempt, as a collector gets it."""

from e2e.eventually import eventually
from e2e.scene import Scene
from e2e.wire import Reply

from .collector import Collector, Seen
from .test_traceparent import GOOD, PARENT, TRACE


def test_one_trace_from_submit_to_the_last_attempt(watched: Scene, collector: Collector) -> None:
    hook = watched.subscribe(events=["job.succeeded"])
    watched.listener.replies[hook.path] = [Reply(500)]
    order = {"model": "flux-dev", "provider": "acedata", "input": {"prompt": "traced"}}
    answer = watched.api.http.post("/v1/jobs", json=order, headers={"traceparent": GOOD})
    job_id = answer.json()["id"]
    hook.notified(job_id, "job.succeeded")
    spans = eventually(lambda: _whole(collector, job_id))

    (submit,), (sent,), (callback,) = spans["submit"], spans["provider.submit"], spans["callback"]
    first, second = spans["attempt"]
    assert {span.trace for of in spans.values() for span in of} == {TRACE}
    assert submit.parent == PARENT, "the caller's"
    assert {span.parent for span in (sent, callback, first, second)} == {submit.id}
    assert [request.headers["traceparent"] for request in hook.requests(job_id)] == [
        first.traceparent,
        second.traceparent,
    ]
    assert (first.failed, second.failed, submit.failed) == (True, False, False)
    assert (first.attributes["postback.number"], first.attributes["postback.status_code"]) == (1, 500)
    assert callback.attributes["postback.verdict"] == "accepted"
    assert callback.attributes["postback.found_by"] == "callback"
    assert collector.services == {"postback"}
    assert _secrets(watched, collector) == []


def _whole(collector: Collector, job_id: str) -> dict[str, list[Seen]] | None:
    spans = collector.of(job_id)
    complete = {"submit": 1, "provider.submit": 1, "callback": 1, "attempt": 2}
    return spans if {name: len(of) for name, of in spans.items()} == complete else None


def _secrets(watched: Scene, collector: Collector) -> list[str]:
    told = repr(collector.spans)
    return [one for one in ("traced", "callbacks/", watched.server.key, watched.listener.wire.url) if one in told]


def test_without_a_callers_trace_one_begins(watched: Scene, collector: Collector) -> None:
    hook = watched.subscribe(events=["job.succeeded"])
    job = watched.api.submit("flux-schnell", "begins a trace")
    hook.notified(job["id"], "job.succeeded")
    (submit,) = eventually(lambda: collector.of(job["id"]).get("submit"))
    assert submit.parent == ""
    (request,) = hook.requests(job["id"])
    assert request.headers["traceparent"][3:35] == submit.trace != TRACE


def test_a_trace_that_is_not_sampled_is_handed_on_and_not_collected(watched: Scene, collector: Collector) -> None:
    hook = watched.subscribe(events=["job.succeeded"])
    order = {"model": "flux-schnell", "input": {"prompt": "not sampled"}}
    answer = watched.api.http.post("/v1/jobs", json=order, headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    job_id = answer.json()["id"]
    hook.notified(job_id, "job.succeeded")
    (request,) = hook.requests(job_id)
    assert request.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert request.headers["traceparent"].endswith("-00")
    later = watched.api.submit("flux-schnell", "after the one not sampled")
    eventually(lambda: collector.of(later["id"]).get("submit"))
    assert collector.of(job_id) == {}


def test_a_request_that_is_refused_is_a_failed_step(watched: Scene, collector: Collector) -> None:
    trace = "ab" * 16
    order = {"model": "flux-schnell", "input": {}}
    headers = {"traceparent": f"00-{trace}-{PARENT}-01"}
    assert watched.api.http.post("/v1/jobs", json=order, headers=headers).status_code == 422
    (span,) = eventually(lambda: [one for one in collector.spans if one.trace == trace])
    assert (span.name, span.failed) == ("submit", True)
