"""Row 17: canaries sent through every path, with all that a process can be made to say: 0 are found in logs, in errors,
in answers, in files or in what a crash leaves.

What may be read through the API is no secret, and is no business of a log all the same: prompts, and the URLs of
subscribers and images with what stands in their queries.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import pytest
from e2e.acedata import AceData
from e2e.api import Api
from e2e.dashscope import DashScope
from e2e.eventually import eventually
from e2e.listener import Listener
from e2e.scene import Scene, settings_for
from e2e.server import PROGRAM, Server, free_port
from e2e.wire import CUT, Stage

from tests.faults.telling import Told, shown, tell

NOISY = Path(__file__).parent / "noisy"
API_KEY = "api-key-canary-51a0c2"
SECRET_KEYS = "secret-keys-canary-older-1,secret-keys-canary-newer-2"
EVENTS = "eventbridge-canary-9e117a"
PUBLIC = "public-url-canary-c0ffe1"
STRANGER = "key-of-another-service-canary-77"
PASSWORD = "database-password-canary-4b"
READABLE = {
    "prompt": "prompt-canary-a-fox",
    "metadata": "metadata-canary-31",
    "query of a subscriber": "query-canary-8812",
    "query of a one-off": "query-canary-4455",
    "query of an image": "signature-canary-0a9b",
}
"""What the API shows to those who have the key, and no log."""


@dataclass
class Place:
    """A house that says all it can, what its programs printed, and what was answered to those without a key."""

    told: Told
    printed: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    @property
    def server(self) -> Server:
        return self.told.house.server


@pytest.fixture(scope="module")
def place(wires: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Everything happens first and is searched afterwards."""
    folder = tmp_path_factory.mktemp("canaries")
    dash, ace, listener, port = DashScope(wires), AceData(wires), Listener(wires), free_port()
    settings = settings_for((dash, ace), f"sqlite:///{folder}/postback.sqlite3") | {
        "PYTHONPATH": NOISY,
        "PYTHONFAULTHANDLER": 1,
        "RAISE": "everywhere",
        "POSTBACK_API_KEY": API_KEY,
        "POSTBACK_SECRET_KEYS": SECRET_KEYS,
        "POSTBACK_EVENTBRIDGE_TOKEN": EVENTS,
        "POSTBACK_PUBLIC_URL": f"http://user:{PUBLIC}@127.0.0.1:{port}",
    }
    server = Server(folder / "home", settings, port=port)
    try:
        server.start()
        api = Api(server.url, API_KEY)
        with api.http:
            place = Place(tell(Scene(server, api, dash, ace, listener), folder))
            place.told.secrets |= {"api": API_KEY, "events": EVENTS, "public": PUBLIC, "stranger": STRANGER}
            place.told.secrets |= {f"key {number}": key for number, key in enumerate(SECRET_KEYS.split(","))}
            place.told.secrets["password"] = PASSWORD
            _readable(place)
            _bugs(place)
            place.told.secrets |= _tokens(ace)
            _refused(place)
            _signs_in(place)
            place.told.answers += shown(api.http)
            _commands(place)
            _crash(place)
            yield place
    finally:
        server.kill()
        for wire in (dash.wire, ace.wire, listener.wire):
            wire.close()


def _readable(place: Place) -> None:
    """A job whose every part is a canary, told to URLs that are canaries; the first attempts fail."""
    house = place.told.house
    urls = [f"{house.listener.wire.url}{path}?token={READABLE[of]}" for path, of in _ADDRESSES.items()]
    for path in _ADDRESSES:
        house.listener.replies[path] = [CUT]
    house.api("POST", "/subscribers", {"url": urls[0], "events": ["*"]}, expect=201)
    prompt = READABLE["prompt"]
    image = {"image_url": f"https://cdn.example/1.png?sign={READABLE['query of an image']}"}
    house.acedata.calls_back(prompt, json.dumps({"success": True, "task_id": "t", "data": [image]}).encode())
    job = house.api.submit("flux-kontext-pro", prompt, metadata={"a": READABLE["metadata"]}, notify_url=urls[1])
    place.told.secrets["notify"] = job["notify"]["secret"]
    eventually(lambda: len(house.listener.at("/hook/query")) > 1 and len(house.listener.at("/once/query")) > 1)


_ADDRESSES = {"/hook/query": "query of a subscriber", "/once/query": "query of a one-off"}


def _bugs(place: Place) -> None:
    """A bug in each way in and each way out: in the submitter, the intake, a call of the API and the forwarder."""
    house = place.told.house
    house.api.submit("flux-kontext-pro", f"bug {READABLE['prompt']}")
    house.acedata.calls_back("answered with nonsense", b'{"bug": 1}')
    house.api.submit("flux-kontext-pro", "answered with nonsense")
    given = {"secret": "whsec_YnVnLXNlY3JldC1jYW5hcnktNzcxMjMtYWJj", "url": f"{house.listener.wire.url}/bug"}
    place.told.secrets["of the bug"] = given["secret"]
    hook = house.api("POST", "/subscribers", given, expect=201)
    for path, body in ((f"/v1/subscribers/{hook['id']}/test", {}), ("/v1/subscribers", given | {"description": "bug"})):
        answer = httpx.post(f"{place.server.url}{path}", json=body, headers=house.api.http.headers, trust_env=False)
        assert answer.status_code == 500
        place.told.answers.append(answer.text)
    eventually(lambda: place.server.log.count("RuntimeError") >= 4)


def _tokens(ace: AceData) -> dict[str, str]:
    """The token of each job, and the public URL that it came on with."""
    return {request.json["prompt"]: request.json["callback_url"].rpartition("/")[2] for request in ace.submitted}


def _refused(place: Place) -> None:
    """What those are answered who have no key, another one, or a token that is no good; and bad requests."""
    token = place.told.secrets[READABLE["prompt"]]
    echo = json.dumps({"task_id": "t", "callback_url": f"http://h/callbacks/{token}"})
    addresses = ("/v1/jobs", "/v1/subscribers", "/v1/backup", "/v1/stream", "/readyz", "/healthz", "/metrics")
    with httpx.Client(base_url=place.server.url, timeout=20, trust_env=False) as http:
        for headers in ({}, {"authorization": f"Bearer {STRANGER}"}, {"authorization": STRANGER}):
            place.refusals += [str(http.get(path, headers=headers).text) for path in addresses]
        for content in (echo, f"no JSON {token}", b"\xff" * 100, b"x" * 2_000_000, b""):
            for path in (f"/callbacks/{token}", f"/callbacks/{token}x", f"/callbacks/{token}/", f"//callbacks/{token}"):
                place.refusals.append(http.post(path, content=content, headers={"referer": path}).text)
        place.refusals += [http.request(method, f"/callbacks/{token}").text for method in ("GET", "PUT", "HEAD")]
        place.refusals.append(http.post(f"/events/eventbridge?token={EVENTS}", content=b"{}").text)
    for body in ({"url": f"http://a:{STRANGER}@h/"}, {"url": f"ftp://h/?{STRANGER}"}, {"secret": STRANGER}, STRANGER):
        answer = place.told.house.api.http.post("/v1/subscribers", json=body)
        assert 400 <= answer.status_code < 500
        place.refusals.append(answer.text)


def _signs_in(place: Place) -> None:
    """A named key and a link that are used, in a browser too, and keys that are wrong."""
    api, url = place.told.house.api, place.server.url
    key = api("POST", "/keys", {"name": "a key", "scope": "admin"}, expect=201)["key"]
    path = api("POST", "/sign-in-links", {}, expect=201)["path"]
    place.told.secrets |= {"named key": key, "link": path.rpartition("/")[2]}
    with httpx.Client(base_url=url, timeout=20, trust_env=False, headers={"origin": url}) as http:
        place.refusals.append(http.get("/v1/jobs/none", headers={"authorization": f"Bearer {key}"}).text)
        place.refusals += [http.post("/sign-in", data={"key": wrong}).text for wrong in (STRANGER, f"pbk_{STRANGER}")]
        place.told.answers += [http.get(path).text, http.post(path).text, http.post(path).text]
        place.told.secrets["cookie"] = http.cookies["postback_session"]
        place.refusals.append(http.get("/sign-in/none").text)
        assert http.post("/sign-in", data={"key": key}).status_code == 303


def _commands(place: Place) -> None:
    """What the program prints: of a house that is well, of settings that are wrong, and where it fails at the start."""
    well, away = ({"POSTBACK_URL": f"http://user:{PUBLIC}@127.0.0.1:{port}"} for port in (place.server.port, 9))
    lines: list[tuple[dict[str, str], list[str]]] = [
        (well, ["doctor"]),
        ({}, ["config"]),
        (well, ["config", "--json"]),
        ({}, ["--debug", "jobs", "show", "job_none"]),
        ({"POSTBACK_API_KEY": STRANGER}, ["jobs", "list"]),
        (away, ["--debug", "subscribers", "list", "--json"]),
        (away | {"DASHSCOPE_API_KEY": STRANGER}, ["doctor"]),
        (away, ["backup", "/dev/null"]),
    ]
    for wrong in (
        {"POSTBACK_DATABASE_URL": f"postgresql://user:{PASSWORD}@127.0.0.1:9/db"},
        {"POSTBACK_DATABASE_URL": f"mysql://user:{PASSWORD}@h/db"},
        {"POSTBACK_DATABASE_URL": f"postgresql://user:{PASSWORD}@h:port/db"},
        {"POSTBACK_SECRET_KEYS": PASSWORD[:9]},
        {"POSTBACK_API_KEY": f"{PASSWORD} with spaces"},
        {"POSTBACK_PUBLIC_URL": f"http://user:{PASSWORD}@h:port"},
        {"POSTBACK_EVENTBRIDGE_TOKEN": f"{PASSWORD} ü"},
    ):
        lines += [({"POSTBACK_PORT": "0"} | wrong, ["--debug", "serve"]), (wrong, ["doctor"])]
    place.printed.append(_printed(place, [sys.executable, str(NOISY / "commands.py")], given=json.dumps(lines)))
    place.printed.append(_printed(place, [PROGRAM, "--debug", "serve", "--port=0"], RAISE="at the start"))


def _printed(place: Place, command: list[str], given: str = "", **changes: str) -> str:
    environment = place.server.env | changes
    done = subprocess.run(command, env=environment, input=given, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


def _crash(place: Place) -> None:
    """Ends the process as a fault in its own machine code does: with the stack of every thread."""
    process = place.server._process
    assert process is not None
    os.kill(process.pid, signal.SIGABRT)
    process.wait(20)


def test_everything_happened(place: Place) -> None:
    """A search that finds nothing proves nothing where nothing was said."""
    log = place.server.log
    assert "DEBUG:root:everything is said" in log
    assert log.count("RuntimeError") >= 4
    assert "Fatal Python error: Aborted" in log
    commands, failed = place.printed
    assert "Traceback" in failed
    assert "RuntimeError: a bug" in failed
    assert commands.count("\nError: ") >= 10, commands
    assert len([text for text in place.refusals if "urn:postback:problem:" in text]) > 30
    assert READABLE["prompt"] in "".join(place.told.answers)
    assert any(f":{PUBLIC}@" in str(request.json) for request in place.told.house.acedata.submitted)


def test_logs_and_crashes_hold_no_canary(place: Place) -> None:
    log = place.server.log.encode()
    assert place.told.hits(log) == []
    assert [name for name, canary in READABLE.items() if canary.encode() in log] == []


def test_programs_print_no_canary(place: Place) -> None:
    for printed in place.printed:
        assert place.told.hits(printed.encode()) == [], printed


def test_answers_show_no_canary(place: Place) -> None:
    for text in [*place.told.answers, *place.refusals]:
        assert place.told.hits(text.encode()) == [], text
    public = "".join(place.refusals)
    assert [name for name, canary in READABLE.items() if canary in public] == []


def test_files_hold_no_canary(place: Place) -> None:
    kept = place.told.kept
    assert {"postback.sqlite3", "postback.sqlite3-wal"} <= kept.keys()
    assert any(READABLE["prompt"].encode() in content for content in kept.values()), (
        "the search would find what is there"
    )
    assert [(name, hit) for name, content in kept.items() for hit in place.told.hits(content)] == []


def test_subscribers_are_told_no_canary_but_their_own(place: Place) -> None:
    received = b"".join(request.body for request in place.told.house.listener.received)
    assert place.told.hits(received) == []
    assert READABLE["query of a subscriber"].encode() not in received
