"""`postback subscribers test`: one notification sent now, and how that went."""

from typing import Annotated

import typer

from postback.cli import completion, output
from postback.cli.deliveries import print_delivery
from postback.cli.errors import CommandFailed
from postback.cli.options import Json
from postback.cli.session import connect
from postback.cli.subscriber_options import SubscriberId


def send_test(
    context: typer.Context,
    subscriber_id: SubscriberId,
    event: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="An example of this event type; a postback.ping if not.",
            autocompletion=completion.event_types,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Send a subscriber a postback.ping, or an example of any event type, at once.

    Exit code 1 if it does not arrive.
    """
    with connect(context) as api:
        delivery = api.post("subscribers", subscriber_id, "test", body={"type": event} if event else None, patient=True)
    if as_json:
        output.print_json(delivery)
    else:
        print_delivery({name: value for name, value in delivery.items() if name != "diagnosis"})
    if diagnosis := delivery["diagnosis"]:
        raise CommandFailed(
            f"the {delivery['type']} did not arrive ({diagnosis['error_class']}): {delivery['last_error']}\n"
            f"{diagnosis['advice']}"
        )
