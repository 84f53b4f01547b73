"""`postback deliveries`: getting notifications to subscribers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postback.cli import completion, output
from postback.cli.errors import CommandFailed, ExitCode
from postback.cli.options import Cursor, Json, Limit
from postback.cli.session import connect

if TYPE_CHECKING:
    from postback.cli.client import Client

app = typer.Typer(help="Inspect deliveries and send them again.", no_args_is_help=True)

DeliveryId = Annotated[
    str, typer.Argument(metavar="DELIVERY", help="A delivery's id: dlv_…", autocompletion=completion.delivery_ids)
]

_COLUMNS = {
    "ID": "id",
    "STATUS": "status",
    "TRIES": "attempt_count",
    "LAST ERROR": "last_error",
    "TYPE": "type",
    "NEXT": "next_attempt_at",
    "CREATED": "created_at",
    "JOB": "job_id",
    "SUBSCRIBER": "subscriber_id",
}
SHOWN_EXCERPT = 200
"""How many characters of an answer the table of attempts shows; --verbose shows all that was kept."""

_ATTEMPT_COLUMNS = {
    "#": "number",
    "TRIGGER": "trigger",
    "STARTED": "started_at",
    "MS": "duration_ms",
    "OF WHICH": "timing",
    "STATUS": "status_code",
    "ERROR": "error_class",
    "WHY": "error",
    "RESPONSE": "response_excerpt",
}


@app.command("list")
def list_(
    context: typer.Context,
    status: Annotated[
        str | None,
        typer.Option(
            help="pending, delivering, delivered, dead or skipped.", autocompletion=completion.delivery_states
        ),
    ] = None,
    subscriber_id: Annotated[
        str | None,
        typer.Option(
            "--subscriber-id",
            "--subscriber",
            help="Only deliveries to this subscriber.",
            autocompletion=completion.subscriber_ids,
        ),
    ] = None,
    job_id: Annotated[
        str | None,
        typer.Option("--job-id", "--job", help="Only deliveries about this job.", autocompletion=completion.job_ids),
    ] = None,
    notification_id: Annotated[
        str | None, typer.Option("--notification-id", "--notification", help="Only deliveries of this notification.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List deliveries, newest first."""
    query: dict[str, str | int | None] = {
        "status": status,
        "subscriber_id": subscriber_id,
        "job_id": job_id,
        "notification_id": notification_id,
        "limit": limit,
        "cursor": cursor,
    }
    with connect(context) as api:
        page = api.get("deliveries", query=query)
    output.print_page(_COLUMNS, page, as_json, "No deliveries.")


@app.command()
def show(
    context: typer.Context,
    delivery_id: DeliveryId,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="The headers of every attempt.")] = False,
    as_json: Json = False,
) -> None:
    """Show a delivery and each of its attempts; of those that failed the headers too."""
    with connect(context) as api:
        delivery = api.get("deliveries", delivery_id)
    if as_json:
        output.print_json(delivery)
        return
    print_delivery(delivery, verbose=verbose)


@app.command()
def redeliver(
    context: typer.Context,
    delivery_id: DeliveryId,
    now: Annotated[
        bool, typer.Option("--now", help="Also one that is still owed: its next attempt is made now.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send a finished delivery again, on a fresh schedule."""
    with connect(context) as api:
        try:
            delivery = api.post("deliveries", delivery_id, "redeliver", body={"at_once": True} if now else None)
        except CommandFailed as failure:
            if failure.exit_code == ExitCode.FAILED and not now and _is_pending(api, delivery_id):
                raise CommandFailed(f"{delivery_id} is still being sent by itself. To try it now, add --now") from None
            raise
    if as_json:
        output.print_json(delivery)
        return
    output.print_table({"ID": "id", "STATUS": "status"}, [delivery])
    output.say(f"Follow it with: postback deliveries show {delivery_id}")


def _is_pending(api: "Client", delivery_id: str) -> bool:
    status: str = api.get("deliveries", delivery_id)["status"]
    return status == "pending"


def print_delivery(delivery: Mapping[str, Any], *, verbose: bool = False) -> None:
    """A delivery for people: its fields, its attempts, and the headers of those that failed, or of all."""
    output.print_details({name: value for name, value in delivery.items() if name != "attempts"})
    attempts = delivery.get("attempts")
    if not attempts:
        return
    output.print_heading("Attempts")
    output.print_table(_ATTEMPT_COLUMNS, [_row(attempt) for attempt in attempts])
    for attempt in attempts:
        if verbose or attempt["error_class"]:
            _print_headers(f"Attempt {attempt['number']}: sent", attempt["request_headers"])
            _print_headers(f"Attempt {attempt['number']}: answered", attempt["response_headers"])
        if verbose:
            output.print_details({f"response to {attempt['number']}": attempt["response_excerpt"]})


def _row(attempt: Mapping[str, Any]) -> dict[str, Any]:
    """An attempt in a line: of a long answer the beginning, which mostly says it."""
    excerpt = attempt["response_excerpt"] or ""
    short = excerpt if len(excerpt) <= SHOWN_EXCERPT else excerpt[:SHOWN_EXCERPT] + "…"
    return {**attempt, "timing": _split(attempt["timing"]), "response_excerpt": short or None}


def _split(timing: Mapping[str, int | None] | None) -> str | None:
    """`dns 3, connect 5, tls 12, response 80`, without what did not happen."""
    parts = [f"{name} {spent}" for name, spent in (timing or {}).items() if spent is not None]
    return ", ".join(parts) or None


def _print_headers(title: str, headers: Mapping[str, str] | None) -> None:
    if headers:
        output.print_heading(title)
        output.print_details(headers)
