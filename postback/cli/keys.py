"""`postback keys`: named API keys. `postback sign-in`: a link to the dashboard."""

from typing import Annotated

import typer

from postback.cli import output
from postback.cli.options import Cursor, Json, Limit, Yes, confirm
from postback.cli.session import connect, session_of

app = typer.Typer(help="Make named API keys, see their last use, and revoke them.", no_args_is_help=True)

_COLUMNS = {
    "ID": "id",
    "NAME": "name",
    "SCOPE": "scope",
    "CREATED": "created_at",
    "LAST USED": "last_used_at",
    "REVOKED": "revoked_at",
}

_MAY = {
    "read": "look at everything",
    "submit": "submit and cancel jobs, and look at everything",
    "admin": "do everything",
}


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whatever tells you who has it.")],
    scope: Annotated[
        str, typer.Option(help="read (look), submit (submit and cancel jobs besides) or admin (everything).")
    ],
    as_json: Json = False,
) -> None:
    """Make an API key. It is shown this once, and kept nowhere."""
    _check(scope)
    with connect(context) as api:
        key = api.post("keys", body={"name": name, "scope": scope})
    if as_json:
        output.print_json(key)
        return
    typer.echo(key["key"])
    output.say(f"{key['id']} may {_MAY[key['scope']]}. Keep its text: it is not shown again.")


def _check(scope: str | None) -> None:
    if scope is not None and scope not in _MAY:
        raise typer.BadParameter(f"there is no scope {scope!r}; choose read, submit or admin", param_hint="--scope")


@app.command("list")
def list_(context: typer.Context, limit: Limit = 50, cursor: Cursor = None, as_json: Json = False) -> None:
    """List API keys, newest first, also those that were revoked."""
    with connect(context) as api:
        page = api.get("keys", query={"limit": limit, "cursor": cursor})
    output.print_page(_COLUMNS, page, as_json, "No named keys. Make one with: postback keys create NAME --scope read")


@app.command()
def revoke(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="A key's id: key_…")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Revoke an API key, for good; who signed in to the dashboard with it is signed out."""
    confirm(f"Revoke {key_id}?", yes)
    with connect(context) as api:
        answer = api.delete("keys", key_id)
    if as_json:
        output.print_json(answer)
    output.say(f"{key_id} is revoked. Other processes may believe it for some seconds more.")


def sign_in(
    context: typer.Context,
    scope: Annotated[
        str | None, typer.Option(help="Let whoever follows it do less than your key may: read or submit.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a link that signs a browser in to the dashboard, once."""
    _check(scope)
    with connect(context) as api:
        link = api.post("sign-in-links", body={"scope": scope} if scope else None)
    url = session_of(context).settings().url + link["path"]
    if as_json:
        output.print_json(link | {"url": url})
        return
    typer.echo(url)
    output.say(f"Open it in a browser. It is good once, until {link['expires_at']}.")
