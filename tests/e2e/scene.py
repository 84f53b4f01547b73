"""Everything that one end-to-end play needs: a server, both providers and a subscriber's listener."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e import acedata, dashscope
from e2e.acedata import AceData
from e2e.api import Api
from e2e.dashscope import DashScope
from e2e.eventually import eventually
from e2e.listener import Listener, verified
from e2e.server import Server
from e2e.wire import Request, Stage

SECRET_KEYS = "an-end-to-end-secret-key-canary"
FAST: dict[str, object] = {
    "POSTBACK_ALLOW_NETWORKS": "127.0.0.0/8",
    "POSTBACK_DASHSCOPE_SUBMIT_RATE": 200,
    "POSTBACK_DASHSCOPE_QUERY_RATE": 500,
    "POSTBACK_ACEDATA_SUBMIT_RATE": 200,
    "POSTBACK_ACEDATA_MAX_IN_FLIGHT": 0,
    "POSTBACK_ACEDATA_QUERY_RATE": 500,
    "POSTBACK_ACEDATA_POLL_AFTER": "500ms",
    "POSTBACK_RETRY_SCHEDULE": "0s,100ms,100ms,100ms",
    "POSTBACK_DELIVERY_TIMEOUT": "3s",
    "POSTBACK_ARCHIVE": 0,
}
_paths = itertools.count(1)


@dataclass(frozen=True)
class Hook:
    """A registered subscriber and what came in for it."""

    document: dict[str, Any]
    path: str
    listener: Listener

    @property
    def id(self) -> str:
        return str(self.document["id"])

    def requests(self, job_id: str) -> list[Request]:
        """Everything that came in about a job, every attempt of it."""
        about = f'"data":{{"id":"{job_id}"'.encode()
        return [one for one in self.listener.at(self.path) if about in one.body]

    def verified(self, job_id: str) -> list[dict[str, Any]]:
        """The notifications about a job, each accepted by both public libraries."""
        return [verified(request, self.document["secret"]) for request in self.requests(job_id)]

    def events(self, job_id: str) -> list[str]:
        return [notification["type"] for notification in self.verified(job_id)]

    def notified(self, job_id: str, event: str, within: float = 15) -> dict[str, Any]:
        """The job as that notification tells it, once it has come."""

        def look() -> dict[str, Any]:
            told: list[dict[str, Any]] = [one["data"] for one in self.verified(job_id) if one["type"] == event]
            assert told, f"{event} of {job_id} is not among {self.events(job_id)}"
            return told[0]

        return eventually(look, within)


@dataclass(frozen=True)
class Scene:
    """A running house and the world around it."""

    server: Server
    api: Api
    dashscope: DashScope
    acedata: AceData
    listener: Listener

    def subscribe(self, **fields: Any) -> Hook:
        path = f"/hook/{next(_paths)}"
        document = self.api(
            "POST", "/subscribers", {"url": self.listener.wire.url + path, "events": ["*"], **fields}, expect=201
        )
        return Hook(document, path, self.listener)


def settings_for(stand_ins: tuple[DashScope, AceData], database_url: str) -> dict[str, object]:
    """The settings that a house needs to work with these providers on that database."""
    keys: dict[str, object] = {"POSTBACK_SECRET_KEYS": SECRET_KEYS} if database_url.startswith("postgres") else {}
    return (
        FAST
        | keys
        | {
            "POSTBACK_DATABASE_URL": database_url,
            "DASHSCOPE_API_KEY": dashscope.KEY,
            "DASHSCOPE_HTTP_BASE_URL": stand_ins[0].url,
            "ACEDATA_API_TOKEN": acedata.KEY,
            "ACEDATA_BASE_URL": stand_ins[1].url,
        }
    )


@contextmanager
def opened(stage: Stage, folder: Path, database_url: str, *, latency: float = 0, **settings: object) -> Iterator[Scene]:
    """A running house on that database, with a folder of its own. Nothing of it is left afterwards.

    `{acedata}` in a setting stands for that stand-in's address.
    """
    dash, ace, listener = DashScope(stage, latency), AceData(stage, latency), Listener(stage)
    given = {name: str(value).replace("{acedata}", ace.url) for name, value in settings.items()}
    server = Server(folder / "home", settings_for((dash, ace), database_url) | given)
    try:
        server.start()
        api = Api(server.url, server.key)
        with api.http:
            yield Scene(server, api, dash, ace, listener)
    finally:
        server.kill()
        for wire in (dash.wire, ace.wire, listener.wire):
            wire.close()
