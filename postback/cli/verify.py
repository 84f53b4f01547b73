"""`postback verify`: does a webhook's signature hold, and if not, why."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from postback.cli import output
from postback.cli.errors import CommandFailed
from postback.cli.options import Json, read_duration
from postback.cli.session import connect


def verify(
    context: typer.Context,
    secret: Annotated[str | None, typer.Option(help="The signing secret, whsec_….")] = None,
    subscriber: Annotated[str | None, typer.Option(help="Ask the server for this subscriber's secret.")] = None,
    webhook_id: Annotated[str, typer.Option("--id", help="The webhook-id header.")] = "",
    timestamp: Annotated[str, typer.Option(help="The webhook-timestamp header.")] = "",
    signature: Annotated[str, typer.Option(help="The webhook-signature header.")] = "",
    body: Annotated[Path | None, typer.Option(help="A file with the raw body; standard input if not given.")] = None,
    tolerance: Annotated[str, typer.Option(metavar="DURATION", help="How far the timestamp may be off.")] = "5m",
    as_json: Json = False,
) -> None:
    """Check the signature of a webhook.

    Says why it does not verify. Exit code 0 if it does, 1 if not.
    """
    from receiver import signing

    if (secret is None) == (subscriber is None):
        raise typer.BadParameter("give either --secret or --subscriber")
    seconds = read_duration(tolerance) // 1000
    if subscriber is not None:
        with connect(context) as api:
            secret = api.get("subscribers", subscriber, "secret")["secret"]
    headers = {signing.ID: webhook_id, signing.TIMESTAMP: timestamp, signing.SIGNATURE: signature}
    try:
        verdict = signing.verify(secret or "", headers, _read(body), time.time(), seconds)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--secret") from None
    if as_json:
        output.print_json({"ok": verdict.ok, "mismatch": verdict.mismatch, "explanation": verdict.explanation})
    elif verdict.ok:
        typer.echo(verdict.explanation)
    if not verdict.ok:
        raise CommandFailed(verdict.explanation)


def _read(body: Path | None) -> bytes:
    if body is None:
        return sys.stdin.buffer.read()
    try:
        return body.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"cannot read {body}: {error.strerror}", param_hint="--body") from None
