"""`postback verify`: does a webhook's signature hold, and if not, why."""

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postback.cli import completion, output
from postback.cli.errors import CommandFailed, ExitCode
from postback.cli.options import Json, read_duration, read_headers
from postback.cli.session import connect

if TYPE_CHECKING:
    from postback.cli.client import Client
    from receiver.mismatch import Verdict


def verify(
    context: typer.Context,
    secret: Annotated[str | None, typer.Option(help="The signing secret, whsec_….")] = None,
    public_key: Annotated[str | None, typer.Option(help="The public key of v1a signatures, whpk_….")] = None,
    subscriber: Annotated[
        str | None,
        typer.Option(help="Ask the server for this subscriber's secret.", autocompletion=completion.subscriber_ids),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(metavar="'NAME: VALUE'", help="A header as it came; repeat it for all of them.")
    ] = None,
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
    if sum(given is not None for given in (secret, public_key, subscriber)) != 1:
        raise typer.BadParameter("give one of --secret, --public-key and --subscriber")
    if header and (webhook_id or timestamp or signature):
        raise typer.BadParameter("give the headers either with --header or with --id, --timestamp and --signature")
    if public_key is not None and not public_key.startswith("whpk_"):
        raise typer.BadParameter("a public key starts with whpk_", param_hint="--public-key")
    seconds = read_duration(tolerance) // 1000
    named = {"webhook-id": webhook_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    headers = read_headers(header) if header else named
    if subscriber is not None:
        with connect(context) as api:
            verdict = _of_subscriber(api, subscriber, headers, body, seconds)
    else:
        verdict = _judge(secret or public_key or "", headers, _read(body), seconds)
    if as_json:
        output.print_json({"ok": verdict.ok, "mismatch": verdict.mismatch, "explanation": verdict.explanation})
    elif verdict.ok:
        typer.echo(verdict.explanation)
    if not verdict.ok:
        raise CommandFailed(verdict.explanation)


def _judge(key: str, headers: dict[str, str], body: bytes, tolerance: int) -> "Verdict":
    from receiver import signing

    try:
        return signing.verify(key, headers, body, time.time(), tolerance)
    except ValueError as error:
        hint = "--public-key" if key.startswith("whpk_") else "--secret"
        raise typer.BadParameter(str(error), param_hint=hint) from None


def _of_subscriber(
    api: "Client", subscriber: str, headers: dict[str, str], body: Path | None, tolerance: int
) -> "Verdict":
    """Judged with what the server keeps for a subscriber, and whether it knows the message at all."""
    from receiver.mismatch import Mismatch, Verdict

    secret = api.get("subscribers", subscriber, "secret")["secret"]
    raw = _read(body)
    verdict = _judge(secret, headers, raw, tolerance)
    if verdict.mismatch is Mismatch.ONLY_V1A and (public_key := api.get("subscribers", subscriber).get("public_key")):
        verdict = _judge(public_key, headers, raw, tolerance)
    id = next((value for name, value in headers.items() if name.lower() == "webhook-id"), "")
    if verdict.ok or not id:
        return verdict
    return Verdict(verdict.mismatch, f"{verdict.explanation} {_origin(api, id)}")


def _origin(api: "Client", notification_id: str) -> str:
    if not re.fullmatch("ntf_[0-9a-z]+", notification_id):
        return (
            "A webhook-id of Postback begins with ntf_, and this one does not: the message comes from another sender."
        )
    try:
        api.get("notifications", notification_id)
    except CommandFailed as error:
        if error.exit_code != ExitCode.NOT_FOUND:
            raise
        return (
            "The server has no notification with this webhook-id: the message is forged, or comes from another server, "
            "or its job was erased."
        )
    return "The server does have a notification with this webhook-id."


def _read(body: Path | None) -> bytes:
    if body is None:
        return sys.stdin.buffer.read()
    try:
        return body.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"cannot read {body}: {error.strerror}", param_hint="--body") from None
