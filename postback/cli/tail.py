"""`postback tail`: what happens, a line each, as it happens."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postback.cli import completion, output
from postback.cli.errors import CommandFailed
from postback.cli.feed import Feed
from postback.cli.options import MAX_LIMIT, read_commas
from postback.cli.session import connect

if TYPE_CHECKING:
    from postback.cli.client import Client


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
    """Follow what happens, a line for each event that is recorded, until Ctrl-C.

    It begins with what happens from now on, and loses nothing when the server is away for a while. Steps on the way of
    a job and events for operators are recorded only if a subscriber listens to them; it says which are not.
    """
    try:
        with connect(context) as api:
            wanted = read_commas(types or ())
            feed = Feed(api, wanted, greet=lambda: _greet(api, wanted), report=output.say)
            for notification in feed.notifications():
                if job_id is None or _job_of(notification) == job_id:
                    _print(notification, as_json)
    except KeyboardInterrupt:
        output.say("Stopped.")


def _greet(api: "Client", types: Sequence[str]) -> None:
    output.say("Following what happens. Stop with Ctrl-C.")
    try:
        events = _unrecorded(api, types)
    except CommandFailed:
        return  # it is but a hint
    if events:
        output.say(f"Not recorded, for no subscriber listens to them: {', '.join(events)}. To have them, register one:")
        output.say(f"  postback subscribers add URL {' '.join(f'--event {event}' for event in events)}")


def _unrecorded(api: "Client", types: Sequence[str]) -> list[str]:
    """Of what is followed, the types that are recorded only if somebody wants them, and nobody does."""
    from ledger.events import ONLY_IF_WANTED, wants

    missing = [event for event in ONLY_IF_WANTED if wants(types or ("*",), event)]
    cursor = None
    while missing:
        page = api.get("subscribers", query={"limit": MAX_LIMIT, "cursor": cursor})
        for subscriber in page["data"]:
            missing = [event for event in missing if not wants(subscriber["events"], event)]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return missing


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
