"""`GET /artifacts/{id}/{signature}`, and artifacts in the API's jobs."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from api.stage import API_KEY, BASE, FRONT, Stage, other_keys, problem, served, settings

from ledger import copies
from ledger.copies import Copy, Settlement
from ledger.erase import erase
from ledger.job import Job
from postback.settings import Settings
from receiver.links import ArtifactLinks

from .works import made, owed

pytestmark = pytest.mark.anyio

CONTENT = b"\x89PNG the rest of it"
SHA256 = "ab" * 32
OPEN_TO_ALL = "private, max-age=31536000, immutable"


@pytest.fixture
def given(tmp_path: Path, sqlite_url: str) -> Settings:
    return settings(tmp_path, sqlite_url, public_url="https://hooks.example/pb")


@pytest.fixture
async def stage(anyio_backend: str, given: Settings) -> AsyncIterator[Stage]:
    async with served(given) as stage:
        yield stage


async def kept(stage: Stage, media_type: str = "image/png", content: bytes = CONTENT) -> Job:
    """A job with one image in storage."""
    job = await made(stage.ledger, "https://images.example/1.png")
    (row,) = (await stage.ledger.write(copies.claim, limit=1, lease=1_000)).rows
    storage = stage.house.storage
    storage.drafts.mkdir(parents=True, exist_ok=True)
    draft = storage.drafts / row.id
    draft.write_bytes(content)
    await storage.keep(draft, row.id, media_type)
    settlement = Settlement(row.id, row.job_id, row.lease, Copy(media_type, len(content), SHA256), None, None)
    await stage.ledger.write(copies.settle, [settlement], quota=0, link=stage.house.links.url)
    return job


async def shown(stage: Stage, job: Job) -> Mapping[str, str]:
    """The job's artifact, as the API tells it."""
    artifact: Mapping[str, str] = (await stage.get(f"/v1/jobs/{job.id}"))["results"][0]["artifact"]
    return artifact


def path_of(artifact: Mapping[str, str]) -> str:
    """Where this process serves what the public URL, behind its prefix, names."""
    return urlsplit(artifact["url"]).path.removeprefix("/pb")


async def test_the_job_tells_where_its_image_is(stage: Stage) -> None:
    job = await kept(stage)
    artifact = await shown(stage, job)
    assert artifact["url"].startswith(f"https://hooks.example/pb/artifacts/{artifact['id']}/")
    facts = {"media_type": "image/png", "size": len(CONTENT), "sha256": SHA256}
    assert artifact == {"id": artifact["id"], "url": artifact["url"], **facts}
    (listed,) = (await stage.get("/v1/jobs"))["data"]
    assert listed["results"][0]["artifact"] == artifact


async def test_anybody_with_the_url_is_served(stage: Stage) -> None:
    artifact = await shown(stage, await kept(stage))
    answer = await stage.anyone.get(path_of(artifact))
    assert (answer.status_code, answer.content) == (200, CONTENT)
    headers = dict(answer.headers)
    assert headers.pop("content-security-policy").startswith("default-src 'none';")
    assert headers == {
        "content-type": "image/png",
        "content-length": str(len(CONTENT)),
        "content-disposition": f'inline; filename="{artifact["id"]}.png"',
        "cache-control": OPEN_TO_ALL,
        "etag": f'"{SHA256}"',
        "x-content-type-options": "nosniff",
    }
    head = await stage.anyone.head(path_of(artifact))
    assert (head.status_code, head.content, dict(head.headers)) == (200, b"", dict(answer.headers))


@pytest.mark.parametrize(("media_type", "ending"), [("image/svg+xml", ".svg"), ("application/octet-stream", "")])
async def test_what_could_do_harm_is_an_attachment(stage: Stage, media_type: str, ending: str) -> None:
    artifact = await shown(stage, await kept(stage, media_type, b"<svg onload=alert(1)>"))
    answer = await stage.anyone.get(path_of(artifact))
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"] == f'attachment; filename="{artifact["id"]}{ending}"'
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_what_a_browser_has_is_not_sent_again(stage: Stage) -> None:
    path = path_of(await shown(stage, await kept(stage)))
    answer = await stage.anyone.get(path, headers={"if-none-match": f'"{SHA256}"'})
    assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (304, b"", OPEN_TO_ALL)
    assert (await stage.anyone.get(path, headers={"if-none-match": '"x"'})).status_code == 200


async def test_every_bad_url_gets_the_same_answer(stage: Stage) -> None:
    artifact = await shown(stage, await kept(stage))
    waiting = await made(stage.ledger, "https://images.example/2.png", model="flux-dev")
    (pending,) = [row.id for row in await owed(stage.ledger) if row.job_id == waiting.id]
    foreign = ArtifactLinks(other_keys(), BASE).url(artifact["id"]).removeprefix(BASE)
    links = stage.house.links
    good = path_of(artifact)
    bad = [foreign, good[:-1], good + "A", f"/artifacts/{artifact['id']}/%00", f"/artifacts/%00/{good[-43:]}"]
    bad += [f"/artifacts/{pending}/{good[-43:]}", f"/artifacts/{artifact['id']}/%D0%BF"]
    bad += [path_of({"url": links.url(name)}) for name in (pending, "art_unknown")]
    answers = [await stage.anyone.get(path) for path in bad]
    assert {answer.content for answer in answers} == {answers[0].content}
    problem(answers[0], 404, "not-found")
    with_key = {"authorization": f"Bearer {API_KEY}"}
    assert (await stage.anyone.get(foreign, headers=with_key)).status_code == 404
    assert (await stage.anyone.post(good)).status_code == 405


async def test_a_file_that_is_gone_is_gone(stage: Stage) -> None:
    artifact = await shown(stage, await kept(stage))
    await stage.house.storage.delete(artifact["id"])
    problem(await stage.anyone.get(path_of(artifact)), 404, "not-found")


async def test_a_storage_that_cannot_be_read_is_unavailable(stage: Stage, given: Settings) -> None:
    artifact = await shown(stage, await kept(stage))
    folder = Path(given.artifacts)
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("in the way")
    problem(await stage.anyone.get(path_of(artifact)), 503, "unavailable")


async def test_an_erased_job_is_served_no_more(stage: Stage) -> None:
    job = await kept(stage)
    path = path_of(await shown(stage, job))
    await stage.ledger.write(erase, job.id)
    problem(await stage.anyone.get(path), 404, "not-found")


@pytest.mark.parametrize(
    ("roles", "status"), [(FRONT, 200), ({"api"}, 200), ({"receiver"}, 200), ({"dispatcher"}, 404)]
)
async def test_which_roles_serve(given: Settings, roles: set[str], status: int) -> None:
    async with served(given) as stage:
        path = path_of(await shown(stage, await kept(stage)))
    async with served(given, frozenset(roles)) as stage:
        assert (await stage.anyone.get(path)).status_code == status
