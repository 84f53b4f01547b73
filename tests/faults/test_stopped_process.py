"""Row 42: a process is stopped past its lease and then goes on. What another did meanwhile stands; it changes nothing.

The lease is ended in the database, for a quarter of a minute of waiting would show no more.
"""

import asyncio
import json
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from databases import Postgres
from e2e.acedata import AceData
from e2e.api import Api
from e2e.dashscope import DashScope
from e2e.eventually import eventually
from e2e.scene import settings_for
from e2e.server import Server, unexpected
from e2e.wire import Reply, Request, Stage, Wire

from tests.faults.psql import ask

BUSY = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postback' AND state <> 'idle'"
ROW = "SELECT xmin, ctid, * FROM deliveries"  # the first two change whenever the row is written


class Process(Server):
    """A server that can be made to stand still."""

    def pause(self, postgres: Postgres, url: str) -> None:
        """Stops it where it holds no lock; one that did would be for the alarm of row 52 to tell."""

        def stopped() -> bool:
            self._signal(signal.SIGSTOP)
            if ask(postgres, url, BUSY) == "0":
                return True
            self._signal(signal.SIGCONT)
            return False

        eventually(stopped)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


class Slow:
    """A subscriber whose first answer, a failure, comes when it is told to; the others are good and come at once."""

    def __init__(self, stage: Stage) -> None:
        self.received: list[Request] = []
        self.lets_go = False
        self.wire = Wire(stage, self._answer)

    async def _answer(self, request: Request) -> Reply:
        self.received.append(request)
        if len(self.received) > 1:
            return Reply(204)
        while not self.lets_go:
            await asyncio.sleep(0.02)
        return Reply(500)


def attempts(log: str) -> list[dict[str, Any]]:
    """What a log says of attempts."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "attempt"]


def test_a_process_stopped_past_its_lease_changes_nothing(
    wires: Stage, tmp_path: Path, postgres: Postgres, postgres_url: str
) -> None:
    dash, ace, slow = DashScope(wires), AceData(wires), Slow(wires)
    key = {"POSTBACK_API_KEY": "a-key-of-both-processes", "POSTBACK_DELIVERY_TIMEOUT": "60s"}
    settings = settings_for((dash, ace), postgres_url) | key
    stopped, other = (Process(tmp_path / name, settings) for name in ("stopped", "other"))
    with ExitStack() as stack:
        for wire in (dash.wire, ace.wire, slow.wire):
            stack.callback(wire.close)
        stack.callback(stopped.kill)
        stopped.start()
        api = Api(stopped.url, stopped.key)
        with api.http:
            api("POST", "/subscribers", {"url": slow.wire.url, "events": ["job.succeeded"]}, expect=201)
            api.submit("flux-kontext-pro", "slow")
            eventually(lambda: slow.received)
            stopped.pause(postgres, postgres_url)

        stack.callback(other.kill)
        other.start()
        assert ask(postgres, postgres_url, "SELECT status, lease FROM deliveries") == "delivering|1"
        ask(postgres, postgres_url, "UPDATE deliveries SET due_at = 1")
        api = Api(other.url, other.key)
        with api.http:
            (delivery,) = eventually(lambda: api.all("/deliveries", status="delivered"))
            stands = ask(postgres, postgres_url, ROW)
            slow.lets_go = True
            stopped.resume()
            eventually(lambda: attempts(stopped.log))
            (stale,), (good,) = attempts(stopped.log), attempts(other.log)
            assert (stale["outcome"], stale["status_code"], stale["settled"]) == ("pending", 500, False)
            assert (good["outcome"], good["status_code"], good["settled"]) == ("delivered", 204, True)
            assert ask(postgres, postgres_url, ROW) == stands, "not a row was written"
            shown = api("GET", f"/deliveries/{delivery['id']}")
        assert (shown["status"], shown["attempt_count"], shown["last_error"]) == ("delivered", 1, None)
        assert [(one["number"], one["status_code"]) for one in shown["attempts"]] == [(1, 204)]
        first, second = slow.received
        assert first.headers["webhook-id"] == second.headers["webhook-id"], "the subscriber can tell that it is one"
        for server in (stopped, other):
            assert server.stop()[0] == 0
            assert unexpected(server.log) == []
