"""Saving images: our own copy from the server, else the provider's, which is not shown our key."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from postback.simulator.images import png

from .conftest import Cli
from .samples import FAILED, JOB, QUEUED
from .stub import Stub, running

IMAGE = png("fox")
KEPT = {
    "id": "art_1",
    "url": "https://hooks.example.com/pb/artifacts/art_1/signed",
    "media_type": "image/png",
    "size": len(IMAGE),
    "sha256": hashlib.sha256(IMAGE).hexdigest(),
}


class Anyone(Stub):
    """A host that wants no key, and remembers whether it was shown one."""

    async def endpoint(self, request: Any) -> Response:
        assert "authorization" not in request.headers
        turns = self.answers.get(request.url.path)
        return turns[0] if turns else Response(status_code=404)


@pytest.fixture(scope="module")
def provider() -> Iterator[Anyone]:
    host = Anyone()
    with running(host):
        yield host


def job(*results: dict[str, Any]) -> dict[str, Any]:
    return {**JOB, "results": [{"url": None, "error": None, "artifact": None} | result for result in results]}


@pytest.fixture
def kept(stub: Stub) -> Stub:
    """The server with one job that has one kept image."""
    stub.answer("GET /v1/jobs/job_1", job({"url": "https://images.invalid/1.png", "artifact": KEPT}))
    stub.answers["GET /artifacts/art_1/signed"] = [Response(IMAGE)]
    return stub


def test_what_is_kept_comes_from_the_server(cli: Cli, kept: Stub, tmp_path: Path) -> None:
    folder = tmp_path / "made" / "for it"
    shown = cli("jobs", "save", "job_1", str(folder))
    path = folder / "job_1-1.png"
    assert (shown.code, shown.out) == (0, f"{path}\n")
    assert path.read_bytes() == IMAGE
    assert list(folder.iterdir()) == [path]
    (told,) = cli("jobs", "save", "job_1", str(folder), "--json").json
    facts = {"media_type": "image/png", "size": len(IMAGE), "sha256": KEPT["sha256"]}
    assert told == {"number": 1, "path": str(path), **facts}


def test_what_is_not_kept_comes_from_the_provider(cli: Cli, stub: Stub, provider: Anyone, tmp_path: Path) -> None:
    provider.answers["/2"] = [Response(b"GIF89a...", media_type="image/png")]
    provider.answers["/3"] = [Response(b"something else")]
    provider.answers["/moved"] = [Response(status_code=302, headers={"location": "/2"})]
    fault = {"code": "InternalError", "message": "no luck"}
    results = [{"error": fault}, *({"url": provider.url + path} for path in ("/2", "/3", "/moved"))]
    stub.answer("GET /v1/jobs/job_1", job(*results))
    shown = cli("jobs", "save", "job_1", str(tmp_path))
    assert shown.code == 0, shown.err
    assert [Path(line).name for line in shown.out.splitlines()] == ["job_1-2.gif", "job_1-3", "job_1-4.gif"]
    assert (tmp_path / "job_1-4.gif").read_bytes() == b"GIF89a..."


def test_one_that_fails_does_not_stop_the_others(cli: Cli, stub: Stub, provider: Anyone, tmp_path: Path) -> None:
    provider.answers["/2"] = [Response(IMAGE)]
    urls = [f"{provider.url}/gone", f"{provider.url}/2", "http://127.0.0.1:1/", "no url"]
    stub.answer("GET /v1/jobs/job_1", job(*({"url": url} for url in urls)))
    shown = cli("jobs", "save", "job_1", str(tmp_path))
    assert shown.code == 1
    assert "Error: 3 of 4 images could not be saved" in shown.err
    assert "image 1: the answer was HTTP 404" in shown.err
    assert "image 3: it could not be fetched: " in shown.err
    assert "image 4: it could not be fetched: " in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["job_1-2.png"]


def test_a_damaged_copy_is_not_saved(cli: Cli, kept: Stub, tmp_path: Path) -> None:
    kept.answers["GET /artifacts/art_1/signed"] = [Response(IMAGE[:-1])]
    shown = cli("jobs", "save", "job_1", str(tmp_path))
    assert (shown.code, list(tmp_path.iterdir())) == (1, [])
    assert "image 1: it arrived damaged; try again" in shown.err


def test_a_folder_that_cannot_be_written(cli: Cli, kept: Stub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    shown = cli("jobs", "save", "job_1", str(tmp_path / "file"))
    assert shown.code == 1
    assert "cannot write to" in shown.err


@pytest.mark.parametrize("other", [QUEUED, FAILED, {**QUEUED, "results": None}])
def test_a_job_without_images(cli: Cli, stub: Stub, tmp_path: Path, other: dict[str, Any]) -> None:
    stub.answer("GET /v1/jobs/job_1", other)
    shown = cli("jobs", "save", "job_1", str(tmp_path))
    assert shown.code == 1
    assert f"job_1 has no images: it is {other['status']}" in shown.err


def test_a_bar_on_a_terminal(cli: Cli, kept: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda _: True)
    monkeypatch.setenv("TERM", "xterm")
    shown = cli("jobs", "save", "job_1", str(tmp_path))
    assert shown.code == 0
    assert "image 1" in shown.err
    assert "━" in shown.err


def test_submit_waits_and_saves(cli: Cli, kept: Stub, tmp_path: Path) -> None:
    kept.answer("POST /v1/jobs", QUEUED, status=202)
    shown = cli("submit", "flux-dev", "cat", "--wait", "--save", str(tmp_path), "--json")
    assert (shown.code, shown.json["id"]) == (0, "job_1")
    assert f"saved {tmp_path / 'job_1-1.png'}" in shown.err
    assert (tmp_path / "job_1-1.png").read_bytes() == IMAGE


def test_saving_needs_waiting(cli: Cli, stub: Stub, tmp_path: Path) -> None:
    shown = cli("submit", "flux-dev", "cat", "--save", str(tmp_path))
    assert shown.code == 2
    assert "--save needs --wait" in shown.err
    assert not stub.asked
