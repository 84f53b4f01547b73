"""`postback subscribers secret` and `rotate-secret`."""

from typing import Annotated

import typer

from postback.cli import output
from postback.cli.options import Json, read_duration
from postback.cli.session import connect
from postback.cli.subscriber_options import SubscriberId


def secret(context: typer.Context, subscriber_id: SubscriberId, as_json: Json = False) -> None:
    """Print a subscriber's signing secret."""
    with connect(context) as api:
        answer = api.get("subscribers", subscriber_id, "secret")
    if as_json:
        output.print_json(answer)
    else:
        typer.echo(answer["secret"])


def rotate_secret(
    context: typer.Context,
    subscriber_id: SubscriberId,
    grace: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="How long the old secret signs too; 24h if not given, 0s ends it at once."
        ),
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
    if answer.get("public_key"):
        output.say(f"Its new public key is {answer['public_key']}")
