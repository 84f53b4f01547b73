"""`postback listen`: webhooks on a machine that nobody can reach from outside."""

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from postback.cli import completion, output
from postback.cli.options import read_commas
from postback.cli.session import session_of

if TYPE_CHECKING:
    from postback.cli.hook import Tried

_PURPOSE = b"postback listen: signing secret"


def listen(
    context: typer.Context,
    forward_to: Annotated[str, typer.Option(metavar="URL", help="Where to POST, e.g. http://localhost:3000/hook.")],
    events: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these event types, e.g. job.succeeded or job.*; all if not given.",
            autocompletion=completion.event_types,
        ),
    ] = None,
    secret: Annotated[
        str | None, typer.Option(metavar="WHSEC", help="Sign with this secret; made from the API key if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each notification.")] = False,
) -> None:
    """Forward notifications to a webhook on this machine, signed as a subscriber gets them.

    No public URL is needed. It begins with what happens from now on and runs until Ctrl-C.
    """
    try:
        _listen(context, _checked(forward_to), read_commas(events or ()), secret, as_json)
    except KeyboardInterrupt:
        output.say("Stopped.")


def _listen(context: typer.Context, url: str, events: list[str], secret: str | None, as_json: bool) -> None:
    from postback.cli.client import Client, find_key
    from postback.cli.feed import Feed
    from postback.cli.hook import Hook
    from postback.setting_types import without_password

    settings = session_of(context).settings()
    if secret is not None:
        _check_secret(secret)
    key = secret or secret_of(find_key(settings).value or "")

    def greet() -> None:
        output.say(f"Forwarding {', '.join(events) or 'everything'} from {without_password(settings.url)} to {url}")
        output.say(f"Signing secret for your application: {key}")
        output.say("Stop with Ctrl-C.")

    with Client(settings) as api, Hook(url, key) as hook:
        for notification in Feed(api, events, greet=greet, report=output.say).notifications():
            if not as_json:
                typer.echo(output.clean(f"--> {notification['type']} [{notification['id']}]"))
            tried = hook.send(notification)
            typer.echo(_line(notification, url, tried) if as_json else _answer(url, tried))


def secret_of(api_key: str) -> str:
    """The signing secret of whoever has that API key: the same each time, and no way back to the key."""
    return "whsec_" + base64.b64encode(hmac.digest(api_key.encode(), _PURPOSE, hashlib.sha256)).decode("ascii")


def _answer(url: str, tried: "Tried") -> str:
    outcome = tried.error if tried.status_code is None else tried.status_code
    return output.clean(f"<-- [{outcome}] {url} ({tried.duration_ms} ms)")


def _line(notification: dict[str, Any], url: str, tried: "Tried") -> str:
    """One attempt as a line of JSON."""
    document = {
        "id": notification["id"],
        "type": notification["type"],
        "job_id": notification.get("job_id"),
        "url": url,
        "status_code": tried.status_code,
        "error": tried.error,
        "duration_ms": tried.duration_ms,
    }
    return json.dumps(document, ensure_ascii=False)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        raise typer.BadParameter("write a URL such as http://localhost:3000/hook", param_hint="--forward-to")
    if parts.username is not None:
        raise typer.BadParameter("leave user and password out of the URL", param_hint="--forward-to")
    return url


def _check_secret(secret: str) -> None:
    from receiver import signing

    try:
        signing.parse_secret(secret)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--secret") from None
