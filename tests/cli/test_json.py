"""`--json` is what docs/cli.md says of it, for every command that has it."""

import base64
import hashlib
import json
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import generated
import pytest
from starlette.responses import Response

from postback.api.calls import CALLS
from receiver import signing

from .conftest import Cli
from .samples import ATTEMPT, CALLBACK, DELIVERY, JOB, NOTIFICATION, SECRET, SUBSCRIBER, TIMELINE, page
from .stub import Stub

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"
STREAMS = {"jobs watch", "tail", "listen"}
"""Print lines of JSON, and have tests of their own."""

KEY = {"id": "key_1", "name": "shop", "scope": "submit", "created_at": "2026-01-31T12:00:00.000Z"}
KEY |= {"last_used_at": None, "revoked_at": None}
CHANGE = {"at": "2026-01-31T12:00:00.000Z", "actor": "api", "action": "created", "changes": {}}

ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "submit": ("submit flux-schnell fox", JOB),
    "jobs list": ("jobs list", page(JOB)),
    "jobs cancel": ("jobs cancel job_1", JOB),
    "jobs resubmit": ("jobs resubmit job_1", JOB),
    "jobs delete": ("jobs delete job_1 --yes", {}),
    "callbacks list": ("callbacks list", page(CALLBACK)),
    "callbacks show": ("callbacks show cb_1", CALLBACK),
    "subscribers add": ("subscribers add https://example.com", SUBSCRIBER),
    "subscribers list": ("subscribers list", page(SUBSCRIBER)),
    "subscribers show": ("subscribers show sub_1", SUBSCRIBER),
    "subscribers update": ("subscribers update sub_1 --description shop", SUBSCRIBER),
    "subscribers remove": ("subscribers remove sub_1 --yes", {}),
    "subscribers secret": ("subscribers secret sub_1", {"secret": SECRET}),
    "subscribers rotate-secret": ("subscribers rotate-secret sub_1", SUBSCRIBER | {"secret": SECRET}),
    "subscribers test": ("subscribers test sub_1", DELIVERY | {"attempts": [ATTEMPT], "diagnosis": None}),
    "subscribers recover": (
        "subscribers recover sub_1 --since 2h",
        {"recovered": 1, "replayed": 0, "last_due_at": None, "dry_run": False},
    ),
    "subscribers audit": ("subscribers audit sub_1", page(CHANGE)),
    "notifications list": ("notifications list", page(NOTIFICATION)),
    "notifications show": ("notifications show ntf_1", NOTIFICATION),
    "deliveries list": ("deliveries list", page(DELIVERY)),
    "deliveries show": ("deliveries show dlv_1", DELIVERY | {"attempts": [ATTEMPT]}),
    "deliveries redeliver": ("deliveries redeliver dlv_1", DELIVERY),
    "keys create": ("keys create shop --scope submit", KEY | {"key": "pbk_x"}),
    "keys list": ("keys list", page(KEY)),
    "keys revoke": ("keys revoke key_1 --yes", {}),
    "sign-in": ("sign-in", {"path": "/sign-in/x", "scope": "admin", "expires_at": "2026-01-31T12:15:00.000Z"}),
    "rekey": ("rekey", {"resealed": 1, "unreadable": 0}),
}
"""What is typed, and what the API answers then, which is what is printed."""


def documented() -> dict[str, str]:
    """What the document says of each command's JSON."""
    table = DOCUMENT.read_text("utf-8").partition("| `--json` of | prints |\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]
    return {name.strip("`"): shape for name, shape in rows}


def test_every_command_that_has_it_is_documented() -> None:
    having = {name for name, command in generated.commands() if any("--json" in one.opts for one in command.params)}
    assert documented().keys() == having


@pytest.mark.parametrize("name", ANSWERS)
def test_what_the_api_answers(cli: Cli, stub: Stub, name: str) -> None:
    found = re.search("`([A-Z]+) (/[^`]+)`", documented()[name])
    assert found is not None
    method, path = found.groups()
    assert (method, path) in {(call.method, call.path) for call in CALLS}
    line, answer = ANSWERS[name]
    called = path.replace("{id}", line.split()[2] if "{id}" in path else "")
    stub.answers[f"{method} {called}"] = [Response(json.dumps(answer), media_type="application/json")]
    shown = cli(*line.split(), "--json")
    assert shown.code == 0, shown.err
    assert shown.json == answer | ({"url": f"{stub.url}{answer['path']}"} if name == "sign-in" else {})
    assert f"{stub.last.method} {stub.last.path}" == f"{method} {called}"


def keys(name: str) -> list[str]:
    """The fields that the document names of what is ours."""
    return re.findall(r'"(\w+)"', documented()[name])


def test_a_job_with_its_timeline(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/jobs/job_1", JOB)
    stub.answer("GET /v1/jobs/job_1/timeline", TIMELINE)
    assert cli("jobs", "show", "job_1", "--json").json == {**JOB, "timeline": TIMELINE["data"]}
    assert keys("jobs show") == ["timeline"]


def test_saved_images(cli: Cli, stub: Stub, tmp_path: Path) -> None:
    image = b"GIF89a"
    digest = hashlib.sha256(image).hexdigest()
    kept = {"id": "art_1", "url": f"{stub.url}/artifacts/art_1/s", "media_type": "image/gif", "size": 6}
    result = {"url": kept["url"], "error": None, "artifact": {**kept, "sha256": digest}}
    stub.answer("GET /v1/jobs/job_1", {**JOB, "results": [result]})
    stub.answers["GET /artifacts/art_1/s"] = [Response(image)]
    (saved,) = cli("jobs", "save", "job_1", str(tmp_path), "--json").json
    assert list(saved) == keys("jobs save")


def test_a_verdict(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"{}")
    signed = signing.headers([SECRET], "ntf_1", int(time.time()), b"{}")
    given = [word for name, value in signed.items() for word in ("--header", f"{name}: {value}")]
    shown = cli("verify", "--secret", SECRET, *given, "--body", str(tmp_path / "body"), "--json")
    assert list(shown.json) == keys("verify")


def test_settings(cli: Cli) -> None:
    assert {tuple(row) for row in cli("config", "--json").json} == {tuple(keys("config"))}


def test_findings(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from postback.doctor.finding import Finding

    async def examine(_: object) -> Any:
        yield "disk", Finding("ok", "fine")

    monkeypatch.setattr("postback.doctor.examine", examine)
    shown = cli("doctor", "--json").json
    assert ["data", *shown["data"][0]] == keys("doctor")


def test_a_backup(cli: Cli, stub: Stub, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "made") as database:
        database.execute("CREATE TABLE jobs (id)")
    database.close()
    content = (tmp_path / "made").read_bytes()
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    stub.answers["GET /v1/backup"] = [Response(content, headers={"repr-digest": f"sha-256=:{digest}:"})]
    assert list(cli("backup", str(tmp_path / "copy"), "--json").json) == keys("backup")


def test_a_move(cli: Cli, tmp_path: Path) -> None:
    old, new = (f"sqlite:///{tmp_path / name}" for name in ("old", "new"))
    assert cli("migrate", "--database-url", old).code == 0
    assert list(cli("migrate", "--from", old, "--to", new, "--json").json[0]) == keys("migrate")


def test_the_rest_are_streams() -> None:
    own = {"jobs show", "jobs save", "verify", "config", "doctor", "backup", "migrate"}
    assert documented().keys() == ANSWERS.keys() | own | STREAMS
