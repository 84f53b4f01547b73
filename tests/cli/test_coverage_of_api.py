"""Whatever the API does, a command does: the table of calls against the commands."""

import typer

from postback.api.calls import CALLS
from postback.cli import app

COMMANDS = {
    "POST /v1/jobs": "submit",
    "POST /v1/jobs/batch": "submit",
    "GET /v1/jobs": "jobs list",
    "GET /v1/jobs/{id}": "jobs show",
    "GET /v1/jobs/{id}/timeline": "jobs show",
    "POST /v1/jobs/{id}/cancel": "jobs cancel",
    "POST /v1/jobs/{id}/resubmit": "jobs resubmit",
    "DELETE /v1/jobs/{id}": "jobs delete",
    "GET /artifacts/{id}/{signature}": "jobs save",
    "POST /v1/subscribers": "subscribers add",
    "GET /v1/subscribers": "subscribers list",
    "GET /v1/subscribers/{id}": "subscribers show",
    "PATCH /v1/subscribers/{id}": "subscribers update",
    "DELETE /v1/subscribers/{id}": "subscribers remove",
    "GET /v1/subscribers/{id}/secret": "subscribers secret",
    "POST /v1/subscribers/{id}/rotate-secret": "subscribers rotate-secret",
    "POST /v1/subscribers/{id}/test": "subscribers test",
    "POST /v1/subscribers/{id}/recover": "subscribers recover",
    "GET /v1/subscribers/{id}/audit": "subscribers audit",
    "POST /v1/rekey": "rekey",
    "GET /v1/callbacks": "callbacks list",
    "GET /v1/callbacks/{id}": "callbacks show",
    "GET /v1/notifications": "notifications list",
    "GET /v1/notifications/{id}": "notifications show",
    "GET /v1/deliveries": "deliveries list",
    "GET /v1/deliveries/{id}": "deliveries show",
    "POST /v1/deliveries/{id}/redeliver": "deliveries redeliver",
    "GET /v1/stream": "tail",
    "GET /v1/backup": "backup",
    "POST /v1/keys": "keys create",
    "GET /v1/keys": "keys list",
    "DELETE /v1/keys/{id}": "keys revoke",
    "POST /v1/sign-in-links": "sign-in",
}

OF_OTHERS = {"/callbacks/{token}", "/healthz", "/readyz", "/metrics"}
"""What providers call, and what watches the process."""


def test_every_call_has_a_command() -> None:
    calls = {f"{call.method} {call.path}" for call in CALLS if call.path not in OF_OTHERS}
    assert calls == COMMANDS.keys()


def test_every_filter_of_a_list_is_an_option() -> None:
    root = typer.main.get_command(app)
    for call in CALLS:
        name = COMMANDS.get(f"{call.method} {call.path}", "")
        if not call.paged:
            continue
        noun, verb = name.split()
        command = root.commands[noun].commands[verb]  # type: ignore[attr-defined]
        options = {option for one in command.params for option in one.opts}
        wanted = {f"--{query.name.replace('_', '-')}" for query in call.queries} | {"--limit", "--cursor"}
        assert wanted <= options, name
