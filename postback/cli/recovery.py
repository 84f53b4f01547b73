"""`postback subscribers recover`: what did not arrive is sent again."""

from typing import TYPE_CHECKING, Annotated

import typer

from postback.cli import output
from postback.cli.options import MAX_LIMIT, Json, Since, read_commas
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
            "--status", metavar="STATUS", help="Only deliveries in these states, repeated or with commas; dead,skipped."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    replay_missing: Annotated[
        bool,
        typer.Option("--replay-missing", help="Also what it would get today and never did: it came later."),
    ] = False,
    rate: Annotated[float | None, typer.Option(help="Deliveries a second; its own rate limit, or 10.")] = None,
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
    with connect(context) as api:
        answer = api.post(
            "subscribers",
            subscriber_id,
            "recover",
            body={name: value for name, value in body.items() if value is not None},
            patient=True,
        )
    if as_json:
        output.print_json(answer)
        return
    output.print_details({name: answer[name] for name in ("recovered", "replayed")})
    follow = f"postback deliveries list --subscriber {subscriber_id} --status pending"
    output.say("Nothing was sent: this was a dry run." if dry_run else f"Follow them with: {follow}")


def unsent_since(api: "Client", subscriber_id: str) -> str | None:
    """From when on a subscriber got nothing when it was last disabled, as far as that is still written down."""
    rows = api.get("subscribers", subscriber_id, "audit", query={"limit": MAX_LIMIT})["data"]
    return next((row["changes"]["unsent_since"]["to"] for row in rows if "unsent_since" in row["changes"]), None)
