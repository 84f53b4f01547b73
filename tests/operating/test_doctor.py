"""`postback doctor`, check by check: what is broken is found, said, and never ends it."""

import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.wire import Reply, Request, Stage, Wire, reply

from ledger.clock import MINUTE, Clock, system_now
from ledger.keys import SecretKeys
from postback import doctor
from postback.doctor.finding import Finding, Level
from postback.house import open_house
from tests.api.stage import SECRET_KEYS, settings

pytestmark = pytest.mark.anyio

CANARY = "provider-key-canary"
NOWHERE = "http://127.0.0.1:1"
OURS = {"type": "urn:postback:problem:not-found", "title": "t", "status": 404, "detail": "d"}


class Front:
    """Whatever answers in place of the server and of a provider: each path as it is told."""

    def __init__(self, stage: Stage) -> None:
        self.answers: dict[str, Reply] = {
            "/healthz": reply({"status": "ok"}),
            "/readyz": reply({"status": "ready"}),
            "/v1/jobs": reply({"data": []}),
            "/callbacks/invalid": reply(OURS, 404),
        }
        self.wire = Wire(stage, self._answer)

    async def _answer(self, request: Request) -> Reply:
        return self.answers.get(request.path, Reply(404, b"what?"))


@pytest.fixture
def front(wires: Stage) -> Iterator[Front]:
    front = Front(wires)
    yield front
    front.wire.close()


async def found(home: Path, database_url: str, check: str, now: Clock = system_now, **changes: Any) -> list[Finding]:
    given = settings(home, database_url, **({"url": NOWHERE, "public_url": NOWHERE} | changes))
    return [finding async for name, finding in doctor.examine(given, now) if name == check]


def levels(findings: list[Finding]) -> list[Level]:
    assert all((one.remedy is None) == (one.level is Level.OK) for one in findings)
    return [one.level for one in findings]


async def made(home: Path, url: str, **changes: Any) -> None:
    """An installation that was started once."""
    await (await open_house(settings(home, url, **changes))).stop()


async def test_a_database_that_is_well(anyio_backend: str, tmp_path: Path, database_url: str) -> None:
    await made(tmp_path, database_url)
    assert levels(await found(tmp_path, database_url, "database")) == [Level.OK, Level.OK]
    keys = await found(tmp_path, database_url, "keys")
    assert levels(keys) == [Level.OK, Level.OK]
    assert keys[0].says == "1 secret key, the database's own too"


async def test_nothing_is_made_by_looking(anyio_backend: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (finding,) = await found(home, f"sqlite:///{home}/p.sqlite3", "database", secret_keys=None, api_key=None)
    assert "postback serve makes it" in finding.says
    assert not home.exists()


async def test_a_schema_that_is_missing(anyio_backend: str, tmp_path: Path, postgres_url: str) -> None:
    _, schema = await found(tmp_path, postgres_url, "database")
    assert (schema.level, schema.remedy) == (Level.FAIL, "run postback migrate")


async def test_a_damaged_file(anyio_backend: str, tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "postback.sqlite3").write_bytes(b"this is a letter, not a database. " * 100)
    (finding,) = await found(tmp_path, sqlite_url, "database")
    assert finding.level is Level.FAIL
    assert "not a database" in finding.says
    assert "Restore it from a backup" in finding.says


async def test_a_server_that_cannot_be_reached(anyio_backend: str, tmp_path: Path) -> None:
    url = "postgresql://me:hunter2@127.0.0.1:1/postback"
    (finding,) = await found(tmp_path, url, "database")
    assert finding.level is Level.FAIL
    assert "hunter2" not in finding.says


async def test_a_file_that_a_silent_process_holds(anyio_backend: str, tmp_path: Path, sqlite_url: str) -> None:
    house = await open_house(settings(tmp_path, sqlite_url))
    try:
        (finding,) = await found(tmp_path, sqlite_url, "database")
        assert finding.level is Level.FAIL
        assert "is POSTBACK_URL right?" in str(finding.remedy)
    finally:
        await house.stop()


async def test_a_server_on_another_file(anyio_backend: str, tmp_path: Path, sqlite_url: str, front: Front) -> None:
    await made(tmp_path, sqlite_url)
    findings = await found(tmp_path, sqlite_url, "database", url=front.wire.url)
    assert levels(findings) == [Level.OK, Level.OK, Level.WARN]
    assert "is POSTBACK_HOME the same" in str(findings[-1].remedy)


async def test_a_write_ahead_log_that_grew(anyio_backend: str, tmp_path: Path, sqlite_url: str) -> None:
    house = await open_house(settings(tmp_path, sqlite_url))
    try:
        with (tmp_path / "postback.sqlite3-wal").open("r+b") as wal:
            wal.truncate(65 * 1024 * 1024)
        findings = await found(tmp_path, sqlite_url, "database")
        assert Level.WARN in levels(findings)
    finally:
        await house.stop()


async def test_keys_that_are_lost(anyio_backend: str, tmp_path: Path, sqlite_url: str) -> None:
    own: dict[str, Any] = {"secret_keys": None, "api_key": None}
    await made(tmp_path, sqlite_url, **own)
    kept = tmp_path / "secret.keys"
    assert levels(await found(tmp_path, sqlite_url, "keys", **own)) == [Level.OK, Level.OK]
    kept.chmod(0o644)
    warned = (await found(tmp_path, sqlite_url, "keys", **own))[0]
    assert (warned.level, warned.remedy) == (Level.WARN, f"chmod 600 {kept}")
    content = kept.read_text()
    kept.write_text("another key of sixteen")
    assert (await found(tmp_path, sqlite_url, "keys", **own))[1].level is Level.FAIL
    kept.unlink()
    finding = (await found(tmp_path, sqlite_url, "keys", **own))[0]
    assert finding.level is Level.FAIL
    assert "is missing" in finding.says
    assert not kept.exists(), "looking makes no key"
    assert content.strip() not in finding.says


async def test_postgres_without_keys(anyio_backend: str, tmp_path: Path, postgres_url: str) -> None:
    finding = (await found(tmp_path, postgres_url, "keys", secret_keys=None))[0]
    assert finding.level is Level.FAIL
    assert "POSTBACK_SECRET_KEYS must be set" in finding.says


@pytest.mark.parametrize(("off", "level"), [(0, Level.OK), (MINUTE, Level.WARN), (-6 * MINUTE, Level.FAIL)])
async def test_the_clock(anyio_backend: str, tmp_path: Path, postgres_url: str, off: int, level: Level) -> None:
    (finding,) = await found(tmp_path, postgres_url, "clock", lambda: system_now() + off)
    assert finding.level is level
    assert "PostgreSQL" in finding.says


async def test_the_clock_of_what_answers(anyio_backend: str, tmp_path: Path, sqlite_url: str, front: Front) -> None:
    date = (("Date", "Sat, 31 Jan 2026 12:00:00 GMT"),)
    front.answers["/healthz"] = Reply(200, b"{}", date)
    (finding,) = await found(tmp_path, sqlite_url, "clock", lambda: 1_769_860_800_000, public_url=front.wire.url)
    assert finding.level is Level.OK
    front.answers["/healthz"] = Reply(200, b"{}", (("Date", "nonsense"),))
    (finding,) = await found(tmp_path, sqlite_url, "clock", public_url=front.wire.url)
    assert "no other clock" in finding.says


async def test_the_public_url(anyio_backend: str, tmp_path: Path, sqlite_url: str, front: Front) -> None:
    async def look() -> list[Finding]:
        return await found(tmp_path, sqlite_url, "public url", public_url=front.wire.url)

    findings = await look()
    assert levels(findings) == [Level.WARN, Level.WARN], "whose it is; only this machine can reach it"
    assert "whether it is this installation cannot be told" in findings[0].says
    front.answers["/callbacks/invalid"] = Reply(404, b"<h1>nginx</h1>")
    assert "not as Postback does" in (await look())[0].says
    front.answers["/healthz"] = Reply(302, b"", (("Location", "https://login.example/"),))
    assert "HTTP 302" in (await look())[0].says
    front.wire.close()
    assert levels(await look()) == [Level.FAIL]


async def test_whose_postback_the_public_url_leads_to(
    anyio_backend: str, tmp_path: Path, sqlite_url: str, front: Front
) -> None:
    async def look(mark: str, **changes: Any) -> Finding:
        front.answers["/healthz"] = Reply(200, b"{}", (("Postback-Installation", mark),))
        return (await found(tmp_path, sqlite_url, "public url", public_url=front.wire.url, **changes))[0]

    (ours,), (other,) = SecretKeys([SECRET_KEYS]).fingerprints, SecretKeys(["of another installation"]).fingerprints
    assert "leads here" in (await look(ours)).says
    stranger = await look(other)
    assert stranger.level is Level.FAIL
    assert "another installation" in stranger.says
    assert (await look(ours, secret_keys=f"{SECRET_KEYS},a key that is newer")).level is Level.OK
    assert "our secret keys are not there" in (await look(ours, secret_keys=None)).says
    assert not (tmp_path / "secret.keys").exists(), "looking makes no key"


async def test_the_server(anyio_backend: str, tmp_path: Path, sqlite_url: str, front: Front) -> None:
    async def look(**changes: Any) -> list[Finding]:
        return await found(tmp_path, sqlite_url, "server", url=front.wire.url, **changes)

    assert levels(await look()) == [Level.OK, Level.OK]
    front.answers["/v1/jobs"] = reply(OURS, 401)
    assert levels(await look()) == [Level.OK, Level.FAIL]
    assert levels(await look(api_key=None)) == [Level.OK, Level.FAIL]
    front.answers["/readyz"] = reply(OURS | {"detail": "the disk is full"}, 503)
    assert "the disk is full" in (await look())[0].says
    front.answers["/readyz"] = Reply(200, b"<h1>It works!</h1>")
    assert "is not Postback" in (await look())[0].says


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (reply({"code": "InvalidApiKey", "message": "Invalid API-key provided."}, 401), Level.FAIL),
        (reply({"request_id": "r", "output": {"task_id": "t", "task_status": "UNKNOWN"}}), Level.OK),
        (Reply(502, b"<html>"), Level.WARN),
        (Reply(404, b"no such page"), Level.WARN),
    ],
)
async def test_a_provider(
    anyio_backend: str, tmp_path: Path, sqlite_url: str, front: Front, answer: Reply, level: Level
) -> None:
    front.answers["/tasks/00000000-0000-0000-0000-000000000000"] = answer
    base = {"dashscope_api_key": CANARY, "dashscope_base_url": front.wire.url}
    (finding,) = await found(tmp_path, sqlite_url, "providers", **base)
    assert finding.level is level, finding
    assert CANARY not in str(finding)
    front.wire.close()
    (finding,) = await found(tmp_path, sqlite_url, "providers", **base)
    assert finding.level is Level.WARN


async def test_networks(anyio_backend: str, tmp_path: Path, sqlite_url: str) -> None:
    assert levels(await found(tmp_path, sqlite_url, "networks")) == [Level.OK]
    allowed = {"allow_networks": "10.0.0.0/8"}
    assert levels(await found(tmp_path, sqlite_url, "networks", **allowed)) == [Level.OK]
    public = allowed | {"public_url": "http://postback.invalid"}
    assert levels(await found(tmp_path, sqlite_url, "networks", **public)) == [Level.WARN]


async def test_room(anyio_backend: str, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    for free, level in ((1 << 40, Level.OK), (1 << 29, Level.WARN), (1 << 20, Level.FAIL)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage(free, 0, free))
        assert levels(await found(tmp_path, sqlite_url, "disk")) == [level]


async def test_open_files(anyio_backend: str, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, level in ((1_024, Level.WARN), (65_536, Level.OK), (-1, Level.OK)):
        monkeypatch.setattr("resource.getrlimit", lambda _, soft=soft: (soft, -1))
        assert levels(await found(tmp_path, sqlite_url, "limits")) == [level]


async def test_a_check_that_breaks_does_not_end_it(
    anyio_backend: str, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(_: object) -> list[Finding]:
        raise RuntimeError(f"postgresql://me:{CANARY}@db/")

    async def denied(_: object) -> list[Finding]:
        raise PermissionError(13, "Permission denied", "/srv/secret.keys")

    monkeypatch.setitem(doctor.CHECKS, "versions", breaks)
    monkeypatch.setitem(doctor.CHECKS, "keys", denied)
    names = [name async for name, _ in doctor.examine(settings(tmp_path, sqlite_url, url=NOWHERE))]
    assert set(names) == set(doctor.CHECKS)
    (broken,) = await found(tmp_path, sqlite_url, "versions")
    assert "RuntimeError" in broken.says
    assert CANARY not in str(broken)
    (refused,) = await found(tmp_path, sqlite_url, "keys")
    assert refused.says == "/srv/secret.keys cannot be read: Permission denied"
