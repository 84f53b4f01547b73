"""`postback subscribers recover`: what did not arrive is sent again."""

import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postback.cli import completion, output, owed, progress
from postback.cli.options import MAX_LIMIT, Json, Since, read_commas
from postback.cli.progress import Track
from postback.cli.session import connect
from postback.cli.subscriber_options import SubscriberId

if TYPE_CHECKING:
    from postback.cli.client import Client


def recover(
    context: typer.Context,
    subscriber_id: SubscriberId,
    since: Since,
    until: Since = None,
    statuses: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Only deliveries in these states, repeated or with commas; dead,skipped.",
            autocompletion=completion.delivery_states,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    replay_missing: Annotated[
        bool,
        typer.Option("--replay-missing", help="Also what it would get today and never did: it came later."),
    ] = False,
    rate: Annotated[float | None, typer.Option(help="Deliveries a second; its own rate limit, or 10.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until each of them was tried.")] = False,
    as_json: Json = False,
) -> None:
    """Send everything of a time window again, paced; what is still being sent is left alone."""
    body = {
        "since": since,
        "until": until,
        "statuses": read_commas(statuses or ()) or None,
        "dry_run": dry_run or None,
        "replay_missing": replay_missing or None,
        "rate": rate,
    }
    given = {name: value for name, value in body.items() if value is not None}
    with connect(context) as api, progress.bars() as track:
        moving = track("looking for what to send")
        following = wait and not dry_run
        last = owed.newest(api, subscriber_id) if following else ""
        before = owed.ids(api, subscriber_id) if following else frozenset()
        answer = api.post("subscribers", subscriber_id, "recover", body=given, patient=True)
        moving(1, 1)
        if following and answer["replayed"]:
            last = owed.newest(api, subscriber_id)  # what it never got becomes owed only now
        waiting = _sent(api, subscriber_id, answer, before, last, track) if following else None
    if as_json:
        output.print_json(answer)
        return
    output.print_details({name: answer[name] for name in ("recovered", "replayed")})
    if answer["recovered"] + answer["replayed"] == 0:
        output.say("There is nothing to send in that time.")
    else:
        _advise(subscriber_id, dry_run, waiting)


def _sent(
    api: "Client", subscriber_id: str, answer: Mapping[str, Any], before: Collection[str], last: str, track: Track
) -> int | None:
    """Waits until each was tried; how many wait for another try, None if there was nothing to send."""
    if answer["last_due_at"] is None:
        return None
    bar = track("sending")
    try:
        return owed.follow(api, subscriber_id, answer, before, last, bar, clock=time.monotonic, sleep=time.sleep)
    except KeyboardInterrupt:
        output.say(f"They go on being sent. {_follow(subscriber_id)}")
        raise


def _advise(subscriber_id: str, dry_run: bool, waiting: int | None) -> None:
    if dry_run:
        output.say("Nothing was sent: this was a dry run.")
    elif waiting is None:
        output.say(_follow(subscriber_id))
    elif waiting:
        output.say(f"{waiting} did not arrive yet and are tried again. {_follow(subscriber_id)}")
    else:
        output.say(f"All were sent. See how with: postback deliveries list --subscriber {subscriber_id}")


def _follow(subscriber_id: str) -> str:
    return f"Follow them with: postback deliveries list --subscriber {subscriber_id} --status pending"


def unsent_since(api: "Client", subscriber_id: str) -> str | None:
    """From when on a subscriber got nothing when it was last disabled, as far as that is still written down."""
    rows = api.get("subscribers", subscriber_id, "audit", query={"limit": MAX_LIMIT})["data"]
    return next((row["changes"]["unsent_since"]["to"] for row in rows if "unsent_since" in row["changes"]), None)
