"""`postback subscribers`: the registered webhooks."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from postback.cli import output, recovery, secrets, trials
from postback.cli.options import Cursor, Json, Limit, Yes, confirm
from postback.cli.panels import Command
from postback.cli.session import connect
from postback.cli.subscriber_options import SubscriberId, takes_fields

app = typer.Typer(help="Register webhooks and look after them.", no_args_is_help=True)

_COLUMNS = {
    "ID": "id",
    "ENABLED": "enabled",
    "HEALTH": "state",
    "URL": "url",
    "EVENTS": "events",
    "DESCRIPTION": "description",
}


@app.command(cls=Command)
@takes_fields
def add(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where notifications are sent.")],
    fields: dict[str, Any],
    secret: Annotated[str | None, typer.Option(help="Your own signing secret, whsec_…; one is made if not.")] = None,
    as_json: Json = False,
) -> None:
    """Register a webhook. Its signing secret is shown."""
    with connect(context) as api:
        subscriber = api.post("subscribers", body={"url": url, **fields, **({"secret": secret} if secret else {})})
    _print(subscriber, as_json)
    output.say("Verify what arrives with the secret, using any Standard Webhooks library.")


@app.command("list")
def list_(context: typer.Context, limit: Limit = 50, cursor: Cursor = None, as_json: Json = False) -> None:
    """List subscribers, newest first."""
    with connect(context) as api:
        page = api.get("subscribers", query={"limit": limit, "cursor": cursor})
    if not as_json:
        page["data"] = [{**row, "state": row["health"]["state"]} for row in page["data"]]
    output.print_page(_COLUMNS, page, as_json, "No subscribers. Register one with: postback subscribers add URL")


@app.command()
def show(context: typer.Context, subscriber_id: SubscriberId, as_json: Json = False) -> None:
    """Show a subscriber, without its secret, and how its deliveries fare."""
    with connect(context) as api:
        subscriber = api.get("subscribers", subscriber_id)
    _print(subscriber, as_json)


@app.command(cls=Command)
@takes_fields
def update(
    context: typer.Context,
    subscriber_id: SubscriberId,
    *,
    url: Annotated[str | None, typer.Option(help="Where notifications are sent.")] = None,
    fields: dict[str, Any],
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether notifications are sent.")] = None,
    as_json: Json = False,
) -> None:
    """Change what is given, leave the rest."""
    own = {"url": url, "enabled": enabled}
    fields |= {name: value for name, value in own.items() if value is not None}
    if not fields:
        raise typer.BadParameter("nothing to change: give at least one option")
    with connect(context) as api:
        was_enabled = not enabled or api.get("subscribers", subscriber_id)["enabled"]
        subscriber = api.patch("subscribers", subscriber_id, body=fields)
        since = None if was_enabled else recovery.unsent_since(api, subscriber_id)
    _print(subscriber, as_json)
    if since is not None:
        output.say(f"While it was disabled, what it was owed since {since} was skipped. Send that with:")
        output.say(f"  postback subscribers recover {subscriber_id} --since {since}")


@app.command()
def remove(context: typer.Context, subscriber_id: SubscriberId, yes: Yes = False, as_json: Json = False) -> None:
    """Remove a subscriber; what it is still owed is not sent."""
    confirm(f"Remove {subscriber_id}?", yes)
    with connect(context) as api:
        answer = api.delete("subscribers", subscriber_id)
    if as_json:
        output.print_json(answer)
    output.say(f"{subscriber_id} is removed.")


app.command()(secrets.secret)
app.command()(secrets.rotate_secret)
app.command("test")(trials.send_test)
app.command()(recovery.recover)


@app.command()
def audit(
    context: typer.Context,
    subscriber_id: SubscriberId,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List who changed a subscriber, and what, newest first; also of one that was removed."""
    with connect(context) as api:
        page = api.get("subscribers", subscriber_id, "audit", query={"limit": limit, "cursor": cursor})
    if not as_json:
        page["data"] = [{**row, "changes": _told(row["changes"])} for row in page["data"]]
    columns = {"AT": "at", "WHO": "actor", "DID": "action", "CHANGED": "changes"}
    output.print_page(columns, page, as_json, "Nothing was written down.")


def _told(changes: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {_plain(one['from'])} → {_plain(one['to'])}" for name, one in changes.items())


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else "–" if value is None else json.dumps(value, ensure_ascii=False)


def _print(record: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        output.print_json(record)
    else:
        output.print_details(record)
