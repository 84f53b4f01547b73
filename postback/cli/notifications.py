"""`postback notifications`: what was told to subscribers."""

import json
from typing import Annotated

import typer

from postback.cli import completion, output
from postback.cli.options import Cursor, Json, Limit
from postback.cli.session import connect

app = typer.Typer(help="Inspect what was told to subscribers.", no_args_is_help=True)

NotificationId = Annotated[
    str,
    typer.Argument(
        metavar="NOTIFICATION",
        help="A notification's id: ntf_…, the webhook-id of what arrived.",
        autocompletion=completion.notification_ids,
    ),
]

_COLUMNS = {"ID": "id", "TYPE": "type", "TIMESTAMP": "timestamp", "JOB": "job_id"}


@app.command("list")
def list_(
    context: typer.Context,
    job_id: Annotated[
        str | None,
        typer.Option("--job-id", "--job", help="Only notifications about this job.", autocompletion=completion.job_ids),
    ] = None,
    event: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Only of this event type.", autocompletion=completion.event_types),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List notifications, newest first."""
    query: dict[str, str | int | None] = {"job_id": job_id, "type": event, "limit": limit, "cursor": cursor}
    with connect(context) as api:
        page = api.get("notifications", query=query)
    output.print_page(_COLUMNS, page, as_json, "No notifications.")


@app.command()
def show(context: typer.Context, notification_id: NotificationId, as_json: Json = False) -> None:
    """Show a notification as it was sent, and how to see who got it."""
    with connect(context) as api:
        notification = api.get("notifications", notification_id)
    if as_json:
        output.print_json(notification)
        return
    output.print_details({name: value for name, value in notification.items() if name != "data"})
    output.print_heading("Data")
    typer.echo(output.clean(json.dumps(notification["data"], ensure_ascii=False, indent=2)))
    output.say(f"See who got it with: postback deliveries list --notification {notification_id}")
