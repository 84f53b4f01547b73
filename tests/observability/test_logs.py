"""What a line of the log holds, and how it is written."""

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from e2e.eventually import eventually
from e2e.scene import Scene
from e2e.wire import Reply, reply

from postback import logs

from .documented import table
from .test_traceparent import GOOD, TRACE

LINES = table("event")


@pytest.fixture
def stream() -> Iterator[io.TextIOWrapper]:
    """A file that the logs go to; afterwards they are configured as before."""
    before, root = structlog.get_config(), list(logging.getLogger().handlers)
    yield io.TextIOWrapper(io.BytesIO(), "utf-8")
    structlog.configure(**before)
    logging.getLogger().handlers[:] = root


def written(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    buffer: Any = stream.buffer
    return bytes(buffer.getvalue())


def test_a_line_is_json_in_ascii(stream: io.TextIOWrapper) -> None:
    logs.configure(stream=stream)
    structlog.get_logger().info("said", text="é \x1b[31m \u2028 \x9b", nothing=None, count=3, roles=["a"])
    line = written(stream)
    assert line.isascii()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    found = json.loads(line)
    stamp = found.pop("timestamp")
    assert found == {
        "text": "é \x1b[31m \u2028 \x9b",
        "nothing": None,
        "count": 3,
        "roles": ["a"],
        "event": "said",
        "level": "info",
    }
    assert len(stamp) == len("2026-01-31T12:00:00.000000Z")


@pytest.mark.parametrize("value", ["half \udc80 a pair", b"\xff", float("nan"), object(), {1, 2}, {"a": {b"\xff"}}])
def test_whatever_is_said_is_written(stream: io.TextIOWrapper, value: object) -> None:
    logs.configure(stream=stream)
    structlog.get_logger().warning("odd", value=value)
    assert json.loads(written(stream))["level"] == "warning"


class Sent(io.BytesIO):
    """Remembers how many lines had been written at each flush."""

    def __init__(self) -> None:
        super().__init__()
        self.flushes: list[int] = []

    def flush(self) -> None:
        self.flushes.append(self.getvalue().count(b"\n"))


def test_what_is_said_in_one_turn_of_the_loop_is_written_together(stream: io.TextIOWrapper) -> None:
    sent = Sent()
    logs.configure(stream=io.TextIOWrapper(sent, "utf-8"))
    log = structlog.get_logger()

    async def speak() -> None:
        log.info("one")
        log.info("two")
        assert sent.flushes == []
        await asyncio.sleep(0)
        assert sent.flushes == [2]
        log.info("three")
        log.warning("what is wrong never waits")
        assert sent.flushes == [2, 4]

    asyncio.run(speak())
    log.info("outside of a loop")
    assert sent.flushes[-1] == 5


def test_times_go_on_by_the_second() -> None:
    times = iter([1_700_000_000_000_000_000, 1_700_000_000_999_999_999, 1_700_000_001_000_001_000])
    render = logs._Renderer(lambda: next(times))
    stamps = [json.loads(render(None, "info", {"event": "e"}))["timestamp"] for _ in range(3)]
    assert stamps == ["2023-11-14T22:13:20.000000Z", "2023-11-14T22:13:20.999999Z", "2023-11-14T22:13:21.000001Z"]


def test_errors_are_told_without_what_variables_held(stream: io.TextIOWrapper) -> None:
    logs.configure(stream=stream)
    canary = "canary-in-a-variable"
    try:
        raise RuntimeError(f"a bug in {len(canary)} letters")
    except RuntimeError as error:
        structlog.get_logger().exception("failed")
        structlog.get_logger().error("failed", exc_info=error)
    lines = [json.loads(line) for line in written(stream).splitlines()]
    assert [line["level"] for line in lines] == ["error", "error"]
    assert all(line["exception"][0]["exc_type"] == "RuntimeError" for line in lines)
    assert canary.encode() not in written(stream)


@pytest.mark.parametrize("form", ["json", "text"])
def test_format_and_level_are_chosen(stream: io.TextIOWrapper, form: Any) -> None:
    logs.configure("warning", form, stream)
    log, canary = structlog.get_logger(), "canary-in-a-variable"
    log.info("left out")
    try:
        raise RuntimeError(f"a bug in {len(canary)} letters")
    except RuntimeError:
        log.exception("written", number=7)
    said = written(stream)
    assert said.startswith(b"{") == (form == "json")
    assert b"written" in said
    assert b"RuntimeError" in said
    assert b"left out" not in said
    assert canary.encode() not in said


def test_without_a_terminal_it_is_json() -> None:
    program = "import structlog; from postback import logs; logs.configure(); structlog.get_logger().info('said')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stderr)["event"] == "said"


def lines_of(watched: Scene, event: str, job_id: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in watched.server.log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event and line.get("job_id") == job_id]


def test_each_event_has_the_fields_that_are_documented(watched: Scene) -> None:
    hook = watched.subscribe(events=["job.succeeded"])
    watched.listener.replies[hook.path] = [Reply(500)]
    watched.dashscope.script.write("logged", [said("PENDING")], [*[said("RUNNING")] * 2, said("SUCCEEDED")])
    order = {"model": "flux-schnell", "input": {"prompt": "logged"}}
    job_id = watched.api.http.post("/v1/jobs", json=order, headers={"traceparent": GOOD}).json()["id"]
    hook.notified(job_id, "job.succeeded")
    first, second = eventually(lambda: (found := lines_of(watched, "attempt", job_id))[1:] and found)
    ours = {"event", "level", "timestamp"}
    for event, (_, fields) in LINES.items():
        told = lines_of(watched, event, job_id)
        assert told, event
        assert {name for line in told for name in line} - ours == set(fields.replace("`", "").split(", ")), event
    assert (first["number"], first["status_code"], first["error_class"], first["outcome"]) == (
        1,
        500,
        "status",
        "pending",
    )
    assert (second["number"], second["status_code"], second["error_class"], second["outcome"]) == (
        2,
        204,
        None,
        "delivered",
    )
    assert first["next_attempt_at"] is not None
    assert (first["delivery_id"], first["subscriber_id"]) == (second["delivery_id"], hook.id)
    assert {line["trace_id"] for line in (first, second)} == {TRACE}
    (polled,) = lines_of(watched, "polled", job_id)  # of two, the second of which found nothing new
    assert (polled["status"], polled["provider_status"]) == ("running", "RUNNING")
    (callback,) = lines_of(watched, "callback", job_id)
    assert callback["found_by"] == "poll"


def test_a_test_of_a_subscriber_is_an_attempt_too(watched: Scene) -> None:
    hook = watched.subscribe()
    told = watched.api("POST", f"/subscribers/{hook.id}/test", {})
    lines = [json.loads(line) for line in watched.server.log.splitlines() if told["id"] in line]
    assert [(line["event"], line["trigger"]) for line in lines] == [("attempt", "manual")]


def said(status: str) -> Reply:
    """What DashScope says of the job that is logged."""
    results = {"results": [{"url": "https://images.example/1.png"}]} if status == "SUCCEEDED" else {}
    return reply({"request_id": "r", "output": {"task_id": "t-logged", "task_status": status} | results})
