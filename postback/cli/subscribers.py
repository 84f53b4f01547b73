"""`postback subscribers`: the registered webhooks."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from postback.cli import output
from postback.cli.deliveries import print_delivery
from postback.cli.errors import CommandFailed
from postback.cli.options import Cursor, Json, Limit, Since, Yes, read_commas, read_duration, read_headers, read_pairs
from postback.cli.session import connect

app = typer.Typer(help="Register webhooks and look after them.", no_args_is_help=True)

SubscriberId = Annotated[str, typer.Argument(metavar="SUBSCRIBER", help="A subscriber's id: sub_…")]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", "--events", metavar="TYPE", help="Event types, repeated or with commas; '*' is all."),
]
Description = Annotated[str | None, typer.Option(help="What it is for.")]
Headers = Annotated[
    list[str] | None, typer.Option("--header", metavar="NAME:VALUE", help="A header to send with every notification.")
]
Metadata = Annotated[list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="Your own labels.")]
MaxInFlight = Annotated[int | None, typer.Option(min=1, help="Deliveries under way at once.")]
RateLimit = Annotated[float | None, typer.Option(help="Deliveries a second.")]

_COLUMNS = {"ID": "id", "ENABLED": "enabled", "URL": "url", "EVENTS": "events", "DESCRIPTION": "description"}


@app.command()
def add(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where notifications are sent.")],
    events: Events = None,
    description: Description = None,
    headers: Headers = None,
    metadata: Metadata = None,
    secret: Annotated[str | None, typer.Option(help="Your own signing secret, whsec_…; one is made if not.")] = None,
    max_in_flight: MaxInFlight = None,
    rate_limit: RateLimit = None,
    as_json: Json = False,
) -> None:
    """Register a webhook. Its signing secret is shown."""
    body = {
        "url": url,
        "secret": secret,
        **_changes(events, description, headers, metadata, max_in_flight, rate_limit),
    }
    with connect(context) as api:
        subscriber = api.post("subscribers", body={name: value for name, value in body.items() if value is not None})
    _print(subscriber, as_json)
    output.say("Verify what arrives with the secret, using any Standard Webhooks library.")


@app.command("list")
def list_(context: typer.Context, limit: Limit = 50, cursor: Cursor = None, as_json: Json = False) -> None:
    """List subscribers, newest first."""
    with connect(context) as api:
        page = api.get("subscribers", query={"limit": limit, "cursor": cursor})
    output.print_page(_COLUMNS, page, as_json, "No subscribers. Register one with: postback subscribers add URL")


@app.command()
def show(context: typer.Context, subscriber_id: SubscriberId, as_json: Json = False) -> None:
    """Show a subscriber, without its secret."""
    with connect(context) as api:
        subscriber = api.get("subscribers", subscriber_id)
    _print(subscriber, as_json)


@app.command()
def update(
    context: typer.Context,
    subscriber_id: SubscriberId,
    url: Annotated[str | None, typer.Option(help="Where notifications are sent.")] = None,
    events: Events = None,
    description: Description = None,
    headers: Headers = None,
    metadata: Metadata = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether notifications are sent.")] = None,
    max_in_flight: MaxInFlight = None,
    rate_limit: RateLimit = None,
    as_json: Json = False,
) -> None:
    """Change what is given, leave the rest."""
    body = {
        "url": url,
        "enabled": enabled,
        **_changes(events, description, headers, metadata, max_in_flight, rate_limit),
    }
    changes = {name: value for name, value in body.items() if value is not None}
    if not changes:
        raise typer.BadParameter("nothing to change: give at least one option")
    with connect(context) as api:
        subscriber = api.patch("subscribers", subscriber_id, body=changes)
    _print(subscriber, as_json)


@app.command()
def remove(context: typer.Context, subscriber_id: SubscriberId, yes: Yes = False, as_json: Json = False) -> None:
    """Remove a subscriber; what it is still owed is not sent."""
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Remove {subscriber_id}?", abort=True, err=True)
    with connect(context) as api:
        answer = api.delete("subscribers", subscriber_id)
    if as_json:
        output.print_json(answer)
    output.say(f"{subscriber_id} is removed.")


@app.command()
def secret(context: typer.Context, subscriber_id: SubscriberId, as_json: Json = False) -> None:
    """Print a subscriber's signing secret."""
    with connect(context) as api:
        answer = api.get("subscribers", subscriber_id, "secret")
    if as_json:
        output.print_json(answer)
    else:
        typer.echo(answer["secret"])


@app.command()
def rotate_secret(
    context: typer.Context,
    subscriber_id: SubscriberId,
    grace: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long the old secret signs too; 24h if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a subscriber a new secret; for a while both sign."""
    if grace is not None:
        read_duration(grace)
    with connect(context) as api:
        answer = api.post("subscribers", subscriber_id, "rotate-secret", body={"grace": grace} if grace else None)
    if as_json:
        output.print_json(answer)
        return
    typer.echo(subscriber_id)
    output.say(f"The new secret signs from now on. See it with: postback subscribers secret {subscriber_id}")


@app.command("test")
def ping(context: typer.Context, subscriber_id: SubscriberId, as_json: Json = False) -> None:
    """Send a subscriber a postback.ping.

    Exit code 1 if its first attempt fails.
    """
    with connect(context) as api:
        delivery = api.post("subscribers", subscriber_id, "test")
    if as_json:
        output.print_json(delivery)
    else:
        print_delivery(delivery)
    if delivery["status"] == "delivered":
        return
    follow = f"Follow it with: postback deliveries show {delivery['id']}"
    if delivery["attempt_count"]:
        raise CommandFailed(f"the ping did not arrive: {delivery['last_error']}\n{follow}")
    output.say(f"The ping is under way. {follow}")


@app.command()
def recover(
    context: typer.Context,
    subscriber_id: SubscriberId,
    since: Since,
    until: Since = None,
    statuses: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="STATUS", help="Only deliveries in these states, repeated or with commas."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Send everything of a time window again."""
    body = {"since": since, "until": until, "statuses": read_commas(statuses or ()) or None}
    with connect(context) as api:
        answer = api.post(
            "subscribers",
            subscriber_id,
            "recover",
            body={name: value for name, value in body.items() if value is not None},
        )
    _print(answer, as_json)


def _changes(
    events: list[str] | None,
    description: str | None,
    headers: list[str] | None,
    metadata: list[str] | None,
    max_in_flight: int | None,
    rate_limit: float | None,
) -> dict[str, Any]:
    return {
        "events": read_commas(events) if events else None,
        "description": description,
        "headers": read_headers(headers) if headers else None,
        "metadata": read_pairs(metadata, "--metadata") if metadata else None,
        "max_in_flight": max_in_flight,
        "rate_limit": rate_limit,
    }


def _print(record: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        output.print_json(record)
    else:
        output.print_details(record)
