"""Row 36: a grep of the database file for secrets finds none; nor does one of its WAL, of the log, of all that is in
the home folder but for the two key files, or of any answer that is not there to show a secret."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import pytest
from e2e import acedata, dashscope
from e2e.eventually import eventually
from e2e.scene import Hook, Scene, opened
from e2e.server import unexpected
from e2e.wire import Reply, Stage

OWN = "whsec_b3duLXNlY3JldC1jYW5hcnktMDE5MzdmNGE="
OURS = "whsec_bm90aWZ5LXNlY3JldC1jYW5hcnktMjIxYzdk"
CREDENTIAL = "credential-canary-7781fe"
CHANGED = "changed-credential-canary-0d33"
KEY_FILES = {"api.key", "secret.keys"}
PRIVATE_KEYS = (b"PRIVATE KEY", b"whsk_")


@dataclass
class Told:
    """A house after all that secrets are for has happened in it."""

    house: Scene
    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)

    @property
    def kept(self) -> dict[str, bytes]:
        """Every file but the two that are there to hold keys."""
        files = [path for path in self.folder.rglob("*") if path.is_file() and path.name not in KEY_FILES]
        return {path.name: path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def told(wires: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Subscribers of every kind, deliveries that arrive or fail, and endpoints that repeat what they were told."""
    folder = tmp_path_factory.mktemp("secrets")
    with opened(wires, folder, f"sqlite:///{folder}/postback.sqlite3") as house:
        told = Told(house, folder)
        home = Path(house.server.env["POSTBACK_HOME"])
        told.secrets |= {name: (home / name).read_text().strip() for name in KEY_FILES}
        told.secrets |= {"dashscope": dashscope.KEY, "acedata": acedata.KEY, "credential": CREDENTIAL, "own": OWN}
        credentials = {"Authorization": f"Bearer {CREDENTIAL}", "X-Token": CREDENTIAL}
        own = house.subscribe(secret=OWN, headers=credentials, events=["job.succeeded", "postback.ping"])
        made = house.subscribe(signature="v1a", events=["job.succeeded"])
        gone = house.subscribe(headers={"X-Token": CREDENTIAL}, events=["job.succeeded"])
        told.secrets |= {"made": made.document["secret"], "of the disabled": gone.document["secret"]}
        says = f"bad token {CREDENTIAL} or secret {OWN}"
        house.listener.replies[own.path] = [Reply(500, says.encode(), (("X-Echo", says),))]
        house.listener.replies[gone.path] = [Reply(410)]
        _delivered(told, own, "first")
        rotated = house.api("POST", f"/subscribers/{made.id}/rotate-secret", {"grace": "1h"})
        told.secrets["rotated"] = rotated["secret"]
        told.secrets["changed"] = CHANGED
        changed = house.api("PATCH", f"/subscribers/{own.id}", {"headers": {"X-Token": CHANGED}})
        house.listener.replies[own.path] = [Reply(500, CHANGED.encode())] * 4
        tried = house.api("POST", f"/subscribers/{own.id}/test")
        _delivered(told, made, "second")
        told.answers += [str(changed), str(tried)]
        for number, given in enumerate([{"notify_secret": OURS}, {}]):
            url = f"{house.listener.wire.url}/once/{number}"
            job = house.api.submit("flux-kontext-pro", f"once {number}", notify_url=url, **given)
            told.secrets[f"notify {number}"] = job["notify"]["secret"]
            eventually(lambda number=number: house.listener.at(f"/once/{number}"))
        eventually(lambda: not [one for one in house.api.all("/deliveries") if one["status"] == "delivering"])
        told.answers += _shown(house)
        yield told


def _delivered(told: Told, hook: Hook, prompt: str) -> None:
    job = told.house.api.submit("flux-kontext-pro", prompt)
    hook.notified(job["id"], "job.succeeded")
    told.answers.append(str(job))


def _shown(house: Scene) -> Iterator[str]:
    """What every GET of the description answers, with every id there is, but the one that shows a secret."""
    http = house.api.http
    description = http.get("/openapi.json").json()
    for path, methods in description["paths"].items():
        if "get" not in methods or path.endswith(("/secret", "/stream")):
            continue
        for address in _addresses(http, path):
            answer = http.get(address)
            yield answer.text + str(answer.headers)
    for address in ("/openapi.json", "/docs", "/v1/nowhere"):
        yield http.get(address).text


def _addresses(http: httpx.Client, path: str) -> list[str]:
    if "{" not in path:
        return [path]
    collection, _, rest = path.partition("/{")
    listed = http.get(collection)
    rows = listed.json().get("data", []) if listed.status_code == 200 else []
    return [f"{collection}/{row['id']}{rest.partition('}')[2]}" for row in rows]


def spellings(secret: str) -> set[bytes]:
    """How a secret may be written: as it is, its key, that key's bytes, and all of it in base64."""
    bare = secret.removeprefix("whsec_")
    raw = {base64.b64decode(bare)} if bare != secret else set()
    return {secret.encode(), bare.encode(), bare.rstrip("=").encode(), base64.b64encode(secret.encode())[:-4], *raw}


def hits(told: Told, text: bytes) -> list[str]:
    return [name for name, secret in told.secrets.items() for one in spellings(secret) if one in text]


def test_the_database_file_and_its_wal_hold_no_secret(told: Told) -> None:
    files = {name: content for name, content in told.kept.items() if "sqlite3" in name}
    assert {"postback.sqlite3", "postback.sqlite3-wal"} <= set(files)
    assert b"first" in b"".join(files.values()), "the grep would find what is there"
    assert [(name, hit) for name, content in files.items() for hit in hits(told, content)] == []
    assert [name for name, content in files.items() for key in PRIVATE_KEYS if key in content] == []


def test_the_log_and_the_home_folder_hold_no_secret(told: Told) -> None:
    others = {name: content for name, content in told.kept.items() if "sqlite3" not in name}
    assert any(name.endswith(".log") and b'"attempt"' in content for name, content in others.items())
    assert [(name, hit) for name, content in others.items() for hit in hits(told, content)] == []
    assert unexpected(told.house.server.log) == []


def test_no_answer_shows_a_secret_that_is_not_there_to_show_it(told: Told) -> None:
    shown = "\n".join(told.answers)
    assert len(told.answers) > 30
    assert re.search(r"bad token \S+ or secret", shown), "what the endpoint said is shown, without what it repeated"
    assert hits(told, shown.encode()) == []
    assert [key for key in PRIVATE_KEYS if key in shown.encode()] == []


def test_subscribers_got_what_is_kept_from_everybody_else(told: Told) -> None:
    seen = {request.headers.get("x-token") for request in told.house.listener.received}
    assert {CREDENTIAL, CHANGED} <= seen
    shown = told.house.api("GET", "/subscribers?limit=250")["data"]
    assert {"own", "made", "rotated"} <= set(told.secrets)
    assert [one["enabled"] for one in shown].count(False) == 1, "one ended with 410"


def test_nothing_is_left_in_the_clear_after_the_end(told: Told) -> None:
    told.house.server.stop()
    for name, content in told.kept.items():
        assert hits(told, content) == [], name
