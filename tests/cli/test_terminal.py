"""The program in a real terminal: live views, bars, colours, narrow windows, Ctrl-C, a server that goes away."""

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from .samples import ATTEMPT, DELIVERY, FAILED, JOB, QUEUED, SUBSCRIBER, TIMELINE, page
from .streaming import Streaming
from .stub import KEY, running
from .terminal import terminal

LONG = {**JOB, "id": "job_01m7zg98snen6aygs39j7pq9ex"}
OWED = {
    **DELIVERY,
    "id": "dlv_01m7zg98t6e5ys49ex1zh93rnv",
    "status": "pending",
    "next_attempt_at": "2099-01-31T12:00:00.000Z",
}

RECOVERED = {"recovered": 3, "replayed": 1, "last_due_at": "2026-01-31T12:00:00.000Z", "dry_run": False}


@pytest.fixture
def live() -> Iterator[Streaming]:
    stage = Streaming()
    with running(stage):
        yield stage
        stage.cut()


@pytest.fixture
def env(live: Streaming, tmp_path: Path) -> dict[str, str]:
    home = str(tmp_path / "home")
    return {"POSTBACK_URL": live.url, "POSTBACK_API_KEY": KEY, "POSTBACK_HOME": home, "HOME": home}


def story(live: Streaming, job: dict[str, Any], *deliveries: dict[str, Any]) -> None:
    live.answer(f"GET /v1/jobs/{job['id']}", job)
    live.answer(f"GET /v1/jobs/{job['id']}/timeline", TIMELINE)
    live.answer("GET /v1/deliveries", page(*deliveries))
    live.answer("GET /v1/subscribers/sub_1", SUBSCRIBER)
    for delivery in deliveries:
        live.answer(f"GET /v1/deliveries/{delivery['id']}", {**delivery, "attempts": [ATTEMPT]})


def test_watching_jobs(live: Streaming, env: dict[str, str]) -> None:
    live.answer("GET /v1/jobs", page({**QUEUED, "status": "running"}))
    with terminal("jobs", "watch", "--status", "running", env=env) as shown:
        shown.until("running")
        live.answer("GET /v1/jobs", page({**JOB, "id": "job_2"}, JOB))
        live.tell("job.succeeded", **JOB)
        shown.until("job_2")
        assert "succeeded" in shown.text
        shown.press_ctrl_c()
        assert shown.ended() == 0
    assert shown.text.endswith("Stopped.\n")
    assert "\x1b[?25h" in shown.raw, "the cursor is there again"
    assert "Traceback" not in shown.text
    assert {one.query.get("status") for one in live.asked if one.path == "/v1/jobs"} == {"running"}


def test_a_server_that_goes_away_while_it_is_watched(live: Streaming, env: dict[str, str]) -> None:
    live.answer("GET /v1/jobs", page(JOB))
    with terminal("jobs", "watch", env=env) as shown:
        shown.until("job_1")
        shown.until(lambda _: bool(live.connections))
        live.tell("job.succeeded", **JOB)
        live.closed = True
        live.cut()
        shown.until("Disconnected: the server ended the stream")
        live.closed = False
        live.answer("GET /v1/jobs", page({**JOB, "id": "job_2"}))
        shown.until(lambda _: len(live.connections) > 1)
        shown.until("job_2")
        shown.press_ctrl_c()
        assert shown.ended() == 0
    assert live.connections[-1].headers["last-event-id"] == "1", "it goes on where it was"


def test_watching_one_job_until_nothing_more_happens(live: Streaming, env: dict[str, str]) -> None:
    story(live, JOB, OWED)
    with terminal("jobs", "watch", "job_1", env=env) as shown:
        shown.until("attempt 2 in ")
        shown.until(lambda it: len(set(re.findall(r"(?:next attempt|attempt 2) in \S+ \S+ ?\S*", it.text))) > 0)
        story(live, JOB, {**OWED, "status": "delivered", "next_attempt_at": None})
        live.tell("job.archived", **JOB)
        assert shown.ended() == 0
    assert "delivered to 1 subscriber" in shown.text
    assert "https://example.com/hook" in shown.text


def test_tailing(live: Streaming, env: dict[str, str]) -> None:
    with terminal("tail", "--type", "job.*", "--job", "job_1", env=env, columns=40) as shown:
        shown.until("Following what happens")
        live.tell("job.running", id="job_9", model="flux-dev")
        live.tell("job.failed", **FAILED)
        shown.until("DataInspectionFailed: not this")
        live.cut()
        shown.until("Disconnected")
        live.tell("job.succeeded", **JOB)
        shown.until("job.succeeded")
        shown.press_ctrl_c()
        assert shown.ended() == 0
    assert "job_9" not in shown.text
    assert "Connected again." in shown.text
    assert live.connections[0].query == {"events": "job.*"}


@pytest.mark.parametrize("columns", [40, 80])
def test_a_story_in_a_narrow_window(live: Streaming, env: dict[str, str], columns: int) -> None:
    story(live, LONG, OWED)
    with terminal("jobs", "show", LONG["id"], env=env, columns=columns) as shown:
        assert shown.ended() == 0
    lines = shown.text.splitlines()
    command = f"  $ postback deliveries redeliver {OWED['id']} --now"
    assert command in lines, "it can be copied whole"
    assert max(len(line) for line in lines if line != command) <= columns
    flat = " ".join(shown.text.split())
    for words in ("✗", "attempt 1 failed with HTTP 500", "oops", "Timeline, 2026-01-31 UTC", "+9.0s", "hint: "):
        assert words in flat
    assert "31" in shown.colours, "what failed is red"


def test_a_story_without_colour_and_utf_8(live: Streaming, env: dict[str, str]) -> None:
    story(live, LONG, OWED)
    plain = {"NO_COLOR": "1", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    with terminal("jobs", "show", LONG["id"], env=env, **plain) as shown:
        assert shown.ended() == 0
    assert shown.colours == set()
    assert shown.text.isascii()
    assert "! job.succeeded to https://example.com/hook" in shown.text
    assert "x 1  HTTP 500" in shown.text
    assert "\\u4e00\\u53ea" in shown.text


@pytest.mark.parametrize(("noun", "row"), [("jobs", LONG), ("deliveries", OWED)])
@pytest.mark.parametrize("columns", [40, 80])
def test_a_list_is_a_line_a_row(
    live: Streaming, env: dict[str, str], noun: str, row: dict[str, Any], columns: int
) -> None:
    live.answer(f"GET /v1/{noun}", page({**row, "last_error": "the subscriber answered 500 " * 9}))
    with terminal(noun, "list", env=env, columns=columns) as shown:
        assert shown.ended() == 0
    heading, line, hidden = shown.text.splitlines()
    assert heading.startswith("ID")
    assert line.startswith(row["id"])
    assert row["status"] in line
    assert max(len(heading), len(line)) <= columns
    assert hidden.startswith("Not shown for want of room: ")


def test_the_bar_of_images(live: Streaming, env: dict[str, str], tmp_path: Path) -> None:
    image = b"\x89PNG\r\n\x1a\n" + bytes(5000)
    kept = {"id": "art_1", "url": f"{live.url}/artifacts/art_1/s", "media_type": "image/png", "size": len(image)}
    kept["sha256"] = hashlib.sha256(image).hexdigest()
    live.answer("GET /v1/jobs/job_1", {**JOB, "results": [{"url": kept["url"], "error": None, "artifact": kept}]})
    live.answers["GET /artifacts/art_1/s"] = [Response(image)]
    with terminal("jobs", "save", "job_1", str(tmp_path), env=env) as shown:
        assert shown.ended() == 0
    assert re.search(r"image 1 ━+.*5\.0/5\.0 kB", shown.text)
    assert shown.text.splitlines()[-1].endswith("job_1-1.png")


def test_the_bar_of_a_backup(live: Streaming, env: dict[str, str], tmp_path: Path) -> None:
    import base64

    made = tmp_path / "made"
    with sqlite3.connect(made) as database:
        database.execute("CREATE TABLE jobs (id)")
    database.close()
    content = made.read_bytes()
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    live.answers["GET /v1/backup"] = [Response(content, headers={"repr-digest": f"sha-256=:{digest}:"})]
    with terminal("backup", str(tmp_path / "copy"), env=env) as shown:
        assert shown.ended() == 0
    assert re.search(r"copying +━+", shown.text)
    assert "checking" in shown.text
    assert (tmp_path / "copy").read_bytes() == content


def test_the_bar_of_a_move(env: dict[str, str], tmp_path: Path) -> None:
    old, new = f"sqlite:///{tmp_path / 'old'}", f"sqlite:///{tmp_path / 'new'}"
    with terminal("migrate", "--database-url", old, env=env) as shown:
        assert shown.ended() == 0, shown.text
    with terminal("migrate", "--from", old, "--to", new, env=env) as shown:
        assert shown.ended() == 0, shown.text
    assert re.search(r"subscribers +━", shown.text)
    assert "All of it is there" in shown.text


def test_the_bar_of_a_recovery(live: Streaming, env: dict[str, str]) -> None:
    call = "POST /v1/subscribers/sub_1/recover"
    live.answer(call, RECOVERED, status=202)
    soon = {**OWED, "next_attempt_at": RECOVERED["last_due_at"]}
    live.answer("GET /v1/deliveries", page(), page(), page(), page(OWED), page(soon, soon), page(), page(OWED), page())
    with terminal("subscribers", "recover", "sub_1", "--since", "2h", "--wait", env=env) as shown:
        assert shown.ended() == 0
    assert re.search(r"sending +━+.* 4/4", shown.text)
    assert "1 did not arrive yet and are tried again." in shown.text


def test_no_bar_where_nobody_looks(live: Streaming, env: dict[str, str]) -> None:
    import subprocess

    from .terminal import PROGRAM

    live.answer("POST /v1/subscribers/sub_1/recover", RECOVERED, status=202)
    live.answer("GET /v1/deliveries", page())
    line = [PROGRAM, "subscribers", "recover", "sub_1", "--since", "2h", "--wait", "--json"]
    ended = subprocess.run(line, env=env, capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(ended.stdout) == RECOVERED
    assert ended.stderr == ""
