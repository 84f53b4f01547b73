"""Every command against the stub: what it asks, what it prints."""

import sys

import pytest
import typer
from starlette.responses import Response

from .conftest import Cli
from .samples import ATTEMPT, CALLBACK, DELIVERY, JOB, NOTIFICATION, QUEUED, SUBSCRIBER, TIMELINE, page
from .stub import Stub

LISTS = [
    ("jobs", JOB, ["job_1", "succeeded", "dashscope", "stable-diffusion-3.5-large"]),
    ("subscribers", SUBSCRIBER, ["sub_1", "yes", "failing", "https://example.com/hook"]),
    ("callbacks", CALLBACK, ["cb_1", "accepted", "job_1", "t-1"]),
    ("notifications", NOTIFICATION, ["ntf_1", "job.succeeded", "job_1"]),
    ("deliveries", DELIVERY, ["dlv_1", "dead", "job.succeeded", "status 500"]),
]


@pytest.mark.parametrize(("noun", "row", "words"), LISTS, ids=[row[0] for row in LISTS])
def test_lists(cli: Cli, stub: Stub, noun: str, row: dict[str, object], words: list[str]) -> None:
    stub.answer(f"GET /v1/{noun}", page(row, cursor="c2"))
    shown = cli(noun, "list")
    assert shown.code == 0
    heading, line = shown.out.splitlines()
    assert heading.startswith("ID")
    assert all(word in line for word in words)
    assert shown.err == "There are more: add --cursor c2\n"
    assert cli(noun, "list", "--json").json == page(row, cursor="c2")
    assert stub.last.query == {"limit": "50"}


@pytest.mark.parametrize("noun", [row[0] for row in LISTS])
def test_empty_lists(cli: Cli, stub: Stub, noun: str) -> None:
    stub.answer(f"GET /v1/{noun}", page())
    shown = cli(noun, "list")
    assert (shown.code, shown.out) == (0, "")
    assert shown.err.startswith("No ")
    assert cli(noun, "list", "--json").json == page()


FILTERS = [
    (
        "jobs list --status failed --provider acedata --model flux-dev --task-id t --created-after 2026-01-31 "
        "--created-before 2026-01-31T13:00+01:00 --limit 3 --cursor c",
        {
            "status": "failed",
            "provider": "acedata",
            "model": "flux-dev",
            "task_id": "t",
            "created_after": "2026-01-31T00:00:00.000Z",
            "created_before": "2026-01-31T12:00:00.000Z",
            "limit": "3",
            "cursor": "c",
        },
    ),
    ("notifications list --job job_1 --type job.lost", {"job_id": "job_1", "type": "job.lost"}),
    ("callbacks list --job job_1 --task-id t --verdict duplicate", {"job_id": "job_1", "task_id": "t"}),
    (
        "deliveries list --status dead --subscriber sub_1 --job-id job_1 --notification ntf_1",
        {"status": "dead", "subscriber_id": "sub_1", "job_id": "job_1", "notification_id": "ntf_1"},
    ),
]


@pytest.mark.parametrize(("line", "query"), FILTERS)
def test_filters(cli: Cli, stub: Stub, line: str, query: dict[str, str]) -> None:
    stub.answer(f"GET /v1/{line.split()[0]}", page())
    assert cli(*line.split()).code == 0
    assert query.items() <= stub.last.query.items()


def test_a_job_and_its_timeline(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/jobs/job_1", JOB)
    stub.answer("GET /v1/jobs/job_1/timeline", TIMELINE)
    stub.answer("GET /v1/deliveries", page(DELIVERY))
    stub.answer("GET /v1/deliveries/dlv_1", {**DELIVERY, "attempts": [ATTEMPT]})
    shown = cli("jobs", "show", "job_1")
    assert (shown.code, shown.err) == (0, "")
    for words in ("一只奔跑的猫 [bold]", "https://images.example.com/1.png", "InternalError: no luck", "accepted from"):
        assert words in shown.out
    assert "resubmit_of" not in shown.out
    first, warning, dead, *_ = shown.out.splitlines()
    assert first.endswith("job_1  succeeded in 9.0s")
    assert warning.endswith("warning: size is unusual.")
    assert "job.succeeded to sub_1 is dead: attempt 1, the last, failed with HTTP 500" in dead, "it was removed"
    assert "  $ postback deliveries redeliver dlv_1" in shown.out.splitlines()
    assert next(one.query for one in stub.asked if one.path == "/v1/deliveries")["job_id"] == "job_1"
    assert cli("jobs", "show", "job_1", "--json").json == {**JOB, "timeline": TIMELINE["data"]}


@pytest.mark.parametrize("verb", ["cancel", "resubmit"])
def test_a_job_changes(cli: Cli, stub: Stub, verb: str) -> None:
    stub.answer(f"POST /v1/jobs/job_1/{verb}", {**QUEUED, "id": "job_2"})
    shown = cli("jobs", verb, "job_1")
    assert shown.code == 0
    assert "job_2" in shown.out
    assert cli("jobs", verb, "job_1", "--json").json["id"] == "job_2"


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("jobs delete job_1", "DELETE /v1/jobs/job_1"),
        ("subscribers remove sub_1", "DELETE /v1/subscribers/sub_1"),
        ("keys revoke key_1", "DELETE /v1/keys/key_1"),
    ],
)
def test_what_cannot_be_undone_is_asked_on_a_terminal_and_else_refused(
    cli: Cli, stub: Stub, monkeypatch: pytest.MonkeyPatch, line: str, call: str
) -> None:
    stub.answers[call] = [Response(status_code=204)]
    refused = cli(*line.split(), "--json")
    assert (refused.code, refused.out, stub.asked) == (2, "", [])
    assert "add --yes" in refused.err
    assert cli(*line.split(), "--yes", "--json").json == {}
    assert len(stub.asked) == 1
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert cli(*line.split(), "--yes").code == 0
    assert len(stub.asked) == 2
    monkeypatch.setattr("typer.confirm", refuse)
    assert cli(*line.split()).code == 1
    assert len(stub.asked) == 2


def refuse(*_: object, **__: object) -> None:
    raise typer.Abort


def test_a_callback(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/callbacks/cb_1", CALLBACK)
    shown = cli("callbacks", "show", "cb_1")
    assert shown.code == 0
    assert "一只猫" in shown.out
    assert "content-type" in shown.out
    assert "\x1b" not in shown.out
    assert cli("callbacks", "show", "cb_1", "--json").json == CALLBACK


def test_a_callback_that_is_not_text(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/callbacks/cb_1", {**CALLBACK, "body": None, "body_base64": "/w=="})
    assert "/w==" in cli("callbacks", "show", "cb_1").out


def test_a_delivery_and_its_attempts(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/deliveries/dlv_1", {**DELIVERY, "attempts": [ATTEMPT]})
    shown = cli("deliveries", "show", "dlv_1")
    assert shown.code == 0
    for words in ("the subscriber answered 500", "dns 3, connect 5, response 112", "webhook-id", "shop/2"):
        assert words in shown.out
    assert cli("deliveries", "show", "dlv_1", "--json").json["attempts"] == [ATTEMPT]


def test_the_headers_of_what_arrived_are_shown_to_who_asks(cli: Cli, stub: Stub) -> None:
    arrived = {**ATTEMPT, "error_class": None, "error": None, "status_code": 200}
    early = {**arrived, "request_headers": None, "response_headers": None, "timing": None}
    stub.answer("GET /v1/deliveries/dlv_1", {**DELIVERY, "attempts": [early, {**arrived, "number": 2}]})
    assert "shop/2" not in cli("deliveries", "show", "dlv_1").out
    out = cli("deliveries", "show", "dlv_1", "--verbose").out
    assert out.count("shop/2") == 1
    places = [
        out.index(words) for words in ("response to 1", "Attempt 2: sent", "Attempt 2: answered", "response to 2")
    ]
    assert places == sorted(places)


def test_a_notification(cli: Cli, stub: Stub) -> None:
    stub.answer("GET /v1/notifications/ntf_1", NOTIFICATION)
    shown = cli("notifications", "show", "ntf_1")
    assert shown.code == 0
    assert "一只奔跑的猫" in shown.out
    assert "postback deliveries list --notification ntf_1" in shown.err
    assert cli("notifications", "show", "ntf_1", "--json").json == NOTIFICATION


def test_redeliver(cli: Cli, stub: Stub) -> None:
    stub.answer("POST /v1/deliveries/dlv_1/redeliver", {**DELIVERY, "status": "pending"}, status=202)
    shown = cli("deliveries", "redeliver", "dlv_1")
    assert (shown.code, "pending" in shown.out) == (0, True)
    assert cli("deliveries", "redeliver", "dlv_1", "--json").json["status"] == "pending"


def test_redelivering_what_is_still_owed_says_how_in_words_of_the_command_line(cli: Cli, stub: Stub) -> None:
    stub.refuse("POST /v1/deliveries/dlv_1/redeliver", 409, 'It is pending; {"at_once": true} does not wait.')
    stub.answer("GET /v1/deliveries/dlv_1", {**DELIVERY, "status": "pending"})
    shown = cli("deliveries", "redeliver", "dlv_1")
    assert (shown.code, shown.err) == (
        1,
        "Error: dlv_1 is still being sent by itself. To try it now, add --now\n",
    )
    stub.answer("GET /v1/deliveries/dlv_1", {**DELIVERY, "status": "dead"})
    stub.refuse("POST /v1/deliveries/dlv_1/redeliver", 409, "Its subscriber is disabled.")
    assert cli("deliveries", "redeliver", "dlv_1").err == "Error: Its subscriber is disabled.\n"
