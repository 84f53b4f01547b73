"""No secret in the log, none readable in the database, and no callback token anywhere."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx2 as httpx
from e2e import acedata, dashscope
from e2e.eventually import eventually
from e2e.scene import Scene, opened
from e2e.server import unexpected
from e2e.wire import CUT, Stage, reply

HEADER = "header-canary-51e0d2"
API_KEY = "api-key-canary-c04d77"
SECRET_KEYS = "secret-keys-canary-older,secret-keys-canary-newer"


def test_nothing_leaks(stage: Stage, tmp_path: Path, sqlite_url: str) -> None:
    settings: dict[str, Any] = {"POSTBACK_API_KEY": API_KEY, "POSTBACK_SECRET_KEYS": SECRET_KEYS}
    with opened(stage, tmp_path, sqlite_url, **settings) as house:
        hook = house.subscribe(headers={"X-Token": HEADER})
        house.listener.replies[hook.path] = [CUT]
        prompts = ["plain", "echoed in the callback", "echoed in the record", "echoed in the refusal", "cut"]
        house.acedata.calls_back("echoed in the callback")
        house.acedata.calls_back("echoed in the record")
        house.acedata.script.write("cut", submit=[CUT])
        done = {"id": "t-echo", "request": {"callback_url": "{callback_url}"}, "response": acedata.outcome("t-echo")}
        taken, record = reply({"task_id": "t-echo"}), reply({**done, "finished_at": 2})
        house.acedata.script.write("echoed in the record", submit=[taken], fetch=[record])
        no = acedata.refused(400, "bad_request", "cannot call {callback_url}")
        house.acedata.script.write("echoed in the refusal", submit=[no])
        jobs = [house.api.submit("flux-kontext-pro", prompt) for prompt in prompts]
        eventually(lambda: len(house.acedata.submitted) == len(prompts))
        urls = [house.acedata.callback_url(prompt) for prompt in prompts]
        url = urls[1]
        echo = acedata.outcome("t-1") | {"request": {"callback_url": url, "url": url}}
        for body in (json.dumps(echo), "not JSON " + url, "x" * 2_000_000, json.dumps({"task_id": url})):
            httpx.post(url, content=body, headers={"Referer": url}, trust_env=False)
        httpx.get(url, trust_env=False)
        httpx.post(url + "x", json={}, trust_env=False)
        broken = house.api.submit("flux-schnell", "a provider that is away")
        for job in jobs[:3]:
            hook.notified(job["id"], "job.succeeded")
        hook.notified(jobs[3]["id"], "job.failed")
        hook.notified(jobs[4]["id"], "job.unconfirmed")
        hook.notified(broken["id"], "job.succeeded")
        httpx.get(f"{house.server.url}/v1/jobs", headers={"Authorization": f"Bearer {API_KEY}x"}, trust_env=False)
        shown = _everything(house.api.http)
        house.server.stop()

        tokens = [one.rsplit("/", 1)[1] for one in urls]
        secret = hook.document["secret"]
        raw = base64.b64decode(secret.removeprefix("whsec_"))
        secrets = [HEADER, API_KEY, *SECRET_KEYS.split(","), dashscope.KEY, acedata.KEY, secret, secret[6:]]
        for canary in [*secrets, *tokens]:
            assert canary not in house.server.log
            assert canary not in shown
        assert unexpected(house.server.log) == []
        files = [path for path in tmp_path.rglob("*") if path.is_file() and "sqlite3" in path.name]
        stored = b"".join(path.read_bytes() for path in files)
        assert jobs[0]["id"].encode() in stored
        assert b"[callback token]" in stored, "the echoes were stored, without what they echoed"
        for part in [raw, *(canary.encode() for canary in [*secrets, *tokens])]:
            assert part not in stored
        assert [part for request in house.listener.received for part in tokens if part.encode() in request.body] == []


def test_what_is_made_is_ours_alone(house: Scene) -> None:
    home = Path(house.server.env["POSTBACK_HOME"])
    made = [home / "api.key", home / "secret.keys", home.parent / "postback.sqlite3"]
    on_sqlite = house.server.env["POSTBACK_DATABASE_URL"].startswith("sqlite")
    assert [path.exists() for path in made] == [True, on_sqlite, on_sqlite]
    for path in filter(Path.exists, made):
        assert path.stat().st_mode & 0o077 == 0
    for path in filter(Path.exists, made[:2]):
        assert path.read_text().strip() not in house.server.log


def _everything(http: httpx.Client) -> str:
    """All that the API shows, but for the secrets it is asked for."""
    texts = []
    for name in ("jobs", "subscribers", "callbacks", "notifications", "deliveries"):
        listed = http.get(f"/v1/{name}")
        texts += [listed.text, *(http.get(f"/v1/{name}/{row['id']}").text for row in listed.json()["data"])]
        if name == "jobs":
            texts += [http.get(f"/v1/jobs/{row['id']}/timeline").text for row in listed.json()["data"]]
    return "\n".join(texts)
