"""`postback subscribers` and `postback rekey` against the stub: what they ask, what they print."""

from typing import Any

import pytest

from .conftest import Cli
from .samples import ATTEMPT, DELIVERY, SECRET, SUBSCRIBER, page
from .stub import Stub

URL = "https://example.com/hook"
PUBLIC_KEY = "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_add(cli: Cli, stub: Stub) -> None:
    stub.answer("POST /v1/subscribers", {**SUBSCRIBER, "secret": SECRET}, status=201)
    shown = cli(
        *["subscribers", "add", URL, "--events", "job.succeeded,job.failed", "--event", "job.lost"],
        *["--description", "shop", "--header", "X-Shop: a:b", "--metadata", "order=7", "--max-in-flight", "3"],
        *["--rate-limit", "1.5", "--payload", "thin", "--schedule", "0s,5s,5m", "--signature", "v1a"],
        *["--filter", "metadata.tenant=acme", "--filter", "model=flux-dev,flux-schnell", "--secret", SECRET],
    )
    assert shown.code == 0
    assert SECRET in shown.out
    assert stub.last.body == {
        "url": URL,
        "events": ["job.succeeded", "job.failed", "job.lost"],
        "description": "shop",
        "headers": {"X-Shop": "a:b"},
        "metadata": {"order": 7},
        "max_in_flight": 3,
        "rate_limit": 1.5,
        "payload": "thin",
        "schedule": ["0s", "5s", "5m"],
        "signature": "v1a",
        "filter": {"metadata": {"tenant": "acme"}, "model": ["flux-dev", "flux-schnell"]},
        "secret": SECRET,
    }
    assert cli("subscribers", "add", URL, "--json").json["secret"] == SECRET
    assert stub.last.body == {"url": URL}


FILTERS: list[tuple[list[str], dict[str, Any]]] = [
    (["provider=dashscope"], {"provider": "dashscope"}),
    (["model=a", "model=b,c"], {"model": ["a", "b", "c"]}),
    (["metadata.tier=2,true", "metadata.a.b=x=y"], {"metadata": {"tier": [2, True], "a.b": "x=y"}}),
    (["model=7", "metadata.n=7"], {"model": "7", "metadata": {"n": 7}}),
]


@pytest.mark.parametrize(("given", "asked"), FILTERS)
def test_filters_are_read(cli: Cli, stub: Stub, given: list[str], asked: dict[str, Any]) -> None:
    stub.answer("PATCH /v1/subscribers/sub_1", SUBSCRIBER)
    assert cli("subscribers", "update", "sub_1", *(part for one in given for part in ("--filter", one))).code == 0
    assert stub.last.body == {"filter": asked}


@pytest.mark.parametrize("bad", ["flux-dev", "model=", "size=big", "metadata=acme", "metadata.=acme", "none=", "=x"])
def test_a_filter_that_cannot_be_read_is_refused(cli: Cli, stub: Stub, bad: str) -> None:
    shown = cli("subscribers", "update", "sub_1", "--filter", bad)
    assert (shown.code, stub.asked) == (2, [])
    assert "metadata.NAME=VALUE" in shown.err


def test_none_resets(cli: Cli, stub: Stub) -> None:
    stub.answer("PATCH /v1/subscribers/sub_1", SUBSCRIBER)
    assert cli("subscribers", "update", "sub_1", "--filter", "none", "--schedule", "none").code == 0
    assert stub.last.body == {"filter": None, "schedule": None}
    assert cli("subscribers", "update", "sub_1", "--schedule", "0s,soon").code == 2
    assert cli("subscribers", "update", "sub_1").code == 2
    assert len(stub.asked) == 1


def test_show_and_update(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/subscribers/sub_1", SUBSCRIBER)
    stub.answer("PATCH /v1/subscribers/sub_1", SUBSCRIBER)
    shown = cli("subscribers", "show", "sub_1").out
    assert URL in shown
    assert "failing" in shown
    assert cli("subscribers", "update", "sub_1", "--disable", "--events", "*", "--json").json == SUBSCRIBER
    assert stub.last.body == {"enabled": False, "events": ["*"]}


def change(at: str, **changes: Any) -> dict[str, Any]:
    told = {name: {"from": before, "to": after} for name, (before, after) in changes.items()}
    return {"at": at, "actor": "api key from 192.0.2.7", "action": "changed", "changes": told}


AUDIT = page(
    change("2026-01-31T14:00:00.000Z", enabled=(False, True), disabled_reason=("no", None)),
    change("2026-01-31T13:00:00.000Z", url=("https://a.example", URL), schedule=(None, ["0s", "5m"])),
    change(
        "2026-01-31T12:00:00.000Z",
        enabled=(True, False),
        disabled_reason=(None, "no"),
        unsent_since=(None, "2026-01-31T11:00:00.000Z"),
    ),
    change("2026-01-30T12:00:00.000Z", enabled=(True, False)),
)


def test_enabling_again_says_how_to_recover(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/subscribers/sub_1", {**SUBSCRIBER, "enabled": False})
    stub.answer("PATCH /v1/subscribers/sub_1", SUBSCRIBER)
    stub.answer("GET /v1/subscribers/sub_1/audit", AUDIT)
    shown = cli("subscribers", "update", "sub_1", "--enable")
    assert shown.code == 0
    assert "postback subscribers recover sub_1 --since 2026-01-31T11:00:00.000Z" in shown.err
    stub.answer("GET /v1/subscribers/sub_1", SUBSCRIBER)
    assert "recover" not in cli("subscribers", "update", "sub_1", "--enable").err


def test_audit(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/subscribers/sub_1/audit", {**AUDIT, "next_cursor": "7"})
    shown = cli("subscribers", "audit", "sub_1", "--limit", "4")
    assert (shown.code, stub.last.query) == (0, {"limit": "4"})
    assert "url: https://a.example → https://example.com/hook" in shown.out
    assert 'schedule: – → ["0s", "5m"]' in shown.out
    assert "enabled: true → false" in shown.out
    assert "api key from 192.0.2.7" in shown.out
    assert "--cursor 7" in shown.err
    assert cli("subscribers", "audit", "sub_1", "--json").json["data"] == AUDIT["data"]


def test_secrets(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/subscribers/sub_1/secret", {"secret": SECRET})
    stub.answer("POST /v1/subscribers/sub_1/rotate-secret", {**SUBSCRIBER, "public_key": PUBLIC_KEY, "secret": SECRET})
    assert cli("subscribers", "secret", "sub_1").out == f"{SECRET}\n"
    rotated = cli("subscribers", "rotate-secret", "sub_1", "--grace", "2h")
    assert (rotated.code, stub.last.body) == (0, {"grace": "2h"})
    assert SECRET not in rotated.out + rotated.err
    assert PUBLIC_KEY in rotated.err
    assert cli("subscribers", "rotate-secret", "sub_1", "--grace", "soon").code == 2


def test_a_test_that_arrives(cli: Cli, stub: Stub) -> None:
    arrived = {**ATTEMPT, "status_code": 200, "error_class": None, "error": None}
    delivery = {**DELIVERY, "status": "delivered", "attempts": [arrived], "diagnosis": None}
    stub.answer("POST /v1/subscribers/sub_1/test", delivery)
    shown = cli("subscribers", "test", "sub_1")
    assert (shown.code, stub.last.body, shown.err) == (0, {}, "")
    for words in ("delivered", "200", "dns 3, connect 5, response 112", "oops"):
        assert words in shown.out
    assert cli("subscribers", "test", "sub_1", "--type", "job.lost", "--json").json == delivery
    assert stub.last.body == {"type": "job.lost"}


def test_a_test_that_fails_says_what_to_do(cli: Cli, stub: Stub) -> None:
    diagnosis = {"error_class": "status", "status_code": 500, "advice": "The endpoint failed: its own log says why."}
    delivery = {**DELIVERY, "attempts": [ATTEMPT], "diagnosis": diagnosis}
    stub.answer("POST /v1/subscribers/sub_1/test", delivery)
    shown = cli("subscribers", "test", "sub_1", "--type", "job.succeeded")
    assert shown.code == 1
    assert shown.err == (
        "Error: the job.succeeded did not arrive (status): status 500\nThe endpoint failed: its own log says why.\n"
    )
    assert "shop/2" in shown.out
    as_json = cli("subscribers", "test", "sub_1", "--json")
    assert (as_json.code, as_json.json) == (1, delivery)


RECOVERED = {"recovered": 12, "replayed": 34, "last_due_at": "2026-01-31T12:00:05.000Z", "dry_run": False}


def test_recover(cli: Cli, stub: Stub) -> None:
    stub.answer("POST /v1/subscribers/sub_1/recover", RECOVERED, status=202)
    shown = cli("subscribers", "recover", "sub_1", "--since", "2026-01-31", "--status", "dead,skipped")
    assert "12" in shown.out
    assert "34" in shown.out
    assert stub.last.body == {"since": "2026-01-31T00:00:00.000Z", "statuses": ["dead", "skipped"]}
    shown = cli(
        *["subscribers", "recover", "sub_1", "--since", "2026-01-31", "--until", "2026-02-01"],
        *["--dry-run", "--replay-missing", "--rate", "5"],
    )
    assert "Nothing was sent" in shown.err
    assert stub.last.body == {
        "since": "2026-01-31T00:00:00.000Z",
        "until": "2026-02-01T00:00:00.000Z",
        "dry_run": True,
        "replay_missing": True,
        "rate": 5.0,
    }


def test_rekey(cli: Cli, stub: Stub) -> None:
    stub.answer("POST /v1/rekey", {"resealed": 7, "unreadable": 0})
    shown = cli("rekey")
    assert (shown.code, "7" in shown.out) == (0, True)
    assert "POSTBACK_SECRET_KEYS" in shown.err
    assert "wait until none of these jobs is open" in shown.err
    assert cli("rekey", "--json").json == {"resealed": 7, "unreadable": 0}
    stub.answer("POST /v1/rekey", {"resealed": 7, "unreadable": 2})
    shown = cli("rekey")
    assert shown.code == 1
    assert "2 subscribers hold secrets that none of the keys opens" in shown.err
    assert "Before you remove" not in shown.err
