"""`postback tail`: what happens, a line each, as it happens."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from postback.cli import completion, output
from postback.cli.feed import Feed
from postback.cli.options import read_commas
from postback.cli.session import connect


def tail(
    context: typer.Context,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Only these event types, repeated or with commas, e.g. job.failed or delivery.*; all if not given.",
            autocompletion=completion.event_types,
        ),
    ] = None,
    job_id: Annotated[
        str | None,
        typer.Option("--job", metavar="JOB", help="Only what concerns this job.", autocompletion=completion.job_ids),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each notification as a line of JSON.")] = False,
) -> None:
    """Follow what happens, a line for each event, until Ctrl-C.

    It begins with what happens from now on, and loses nothing when the server is away for a while.
    """
    try:
        with connect(context) as api:
            feed = Feed(api, read_commas(types or ()), greet=_greet, report=output.say)
            for notification in feed.notifications():
                if job_id is None or _job_of(notification) == job_id:
                    _print(notification, as_json)
    except KeyboardInterrupt:
        output.say("Stopped.")


def _greet() -> None:
    output.say("Following what happens. Stop with Ctrl-C.")


def _job_of(notification: Mapping[str, Any]) -> Any:
    return notification.get("job_id") or notification["data"].get("job_id")


def _print(notification: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        output.print_line_of_json(notification)
    else:
        output.print_words(notification["timestamp"], f"{notification['type']:<19}", *_about(notification))


def _about(notification: Mapping[str, Any]) -> list[str]:
    """What it is about, and why it went wrong where it did."""
    data = notification["data"]
    error = data.get("error")
    why = f"{error['code']}: {error['message']}" if error else data.get("last_error") or data.get("disabled_reason")
    prompt = (data.get("input") or {}).get("prompt")
    words = (data.get("id") or notification["id"], data.get("model"), why or prompt)
    return [" ".join(str(word).split()) for word in words if word]
