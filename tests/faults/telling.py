"""All that secrets are for, happening in a house, and how they are looked for afterwards."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
from e2e import acedata, dashscope
from e2e.eventually import eventually
from e2e.scene import Hook, Scene
from e2e.wire import Reply

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

    def hits(self, text: bytes) -> list[str]:
        """The names of the secrets that are in a text, however they are written there."""
        return [name for name, secret in self.secrets.items() for one in spellings(secret) if one in text]


def tell(house: Scene, folder: Path) -> Told:
    """Subscribers of every kind, deliveries that arrive or fail, and endpoints that repeat what they were told."""
    told = Told(house, folder)
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
    told.secrets |= {"rotated": rotated["secret"], "changed": CHANGED}
    changed = house.api("PATCH", f"/subscribers/{own.id}", {"headers": {"X-Token": CHANGED}})
    house.listener.replies[own.path] = [Reply(500, CHANGED.encode())] * 4
    tried = house.api("POST", f"/subscribers/{own.id}/test")
    _delivered(told, made, "second")
    told.answers += [str(changed), str(tried)]
    _one_offs(told)
    eventually(lambda: not [one for one in house.api.all("/deliveries") if one["status"] == "delivering"])
    return told


def shown(http: httpx.Client) -> Iterator[str]:
    """What every GET of the description answers, with every id there is, but the one that shows a secret. A new
    address that is described, `/metrics` or another, is searched with the others."""
    description = http.get("/openapi.json").json()
    for path, methods in description["paths"].items():
        if "get" not in methods or path.endswith(("/secret", "/stream")):
            continue
        for address in _addresses(http, path):
            answer = http.get(address)
            yield answer.text + str(answer.headers)
    for address in ("/openapi.json", "/docs", "/v1/nowhere"):
        yield http.get(address).text


def spellings(secret: str) -> set[bytes]:
    """How a secret may be written: as it is, its key, that key's bytes, and all of it in base64."""
    bare = secret.removeprefix("whsec_")
    raw = {base64.b64decode(bare)} if bare != secret else set()
    return {secret.encode(), bare.encode(), bare.rstrip("=").encode(), base64.b64encode(secret.encode())[:-4], *raw}


def _one_offs(told: Told) -> None:
    for number, given in enumerate([{"notify_secret": OURS}, {}]):
        url = f"{told.house.listener.wire.url}/once/{number}"
        job = told.house.api.submit("flux-kontext-pro", f"once {number}", notify_url=url, **given)
        told.secrets[f"notify {number}"] = job["notify"]["secret"]
        eventually(lambda number=number: told.house.listener.at(f"/once/{number}"))


def _delivered(told: Told, hook: Hook, prompt: str) -> None:
    job = told.house.api.submit("flux-kontext-pro", prompt)
    hook.notified(job["id"], "job.succeeded")
    told.answers.append(str(job))


def _addresses(http: httpx.Client, path: str) -> list[str]:
    if "{" not in path:
        return [path]
    collection, _, rest = path.partition("/{")
    listed = http.get(collection)
    rows = listed.json().get("data", []) if listed.status_code == 200 else []
    return [f"{collection}/{row['id']}{rest.partition('}')[2]}" for row in rows]
