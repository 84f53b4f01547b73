"""The options that registering and changing a subscriber share, and how their texts are read."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from postback.cli.options import read_commas, read_duration, read_headers, read_pairs

NONE = "none"
"""Said of an option: back to its default."""

_LABEL = "metadata."
_FIELD = re.compile(r"model|provider|metadata\..+")

SubscriberId = Annotated[str, typer.Argument(metavar="SUBSCRIBER", help="A subscriber's id: sub_…")]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--event", "--events", metavar="TYPE", help="Event types, repeated or with commas; 'job.*' and '*' too."
    ),
]
Description = Annotated[str | None, typer.Option(help="What it is for.")]
Headers = Annotated[
    list[str] | None, typer.Option("--header", metavar="NAME:VALUE", help="A header to send with every notification.")
]
Metadata = Annotated[list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="Your own labels.")]
MaxInFlight = Annotated[int | None, typer.Option(min=1, help="Deliveries under way at once.")]
RateLimit = Annotated[float | None, typer.Option(help="Deliveries a second.")]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="FIELD=VALUES",
        help="Only jobs like this, e.g. metadata.tenant=acme or model=flux-dev,flux-schnell; repeat for more, "
        "and all must hold; 'none' for all jobs.",
    ),
]
Payload = Annotated[str | None, typer.Option(metavar="KIND", help="full, or thin: ids, type and status only.")]
Schedule = Annotated[
    str | None,
    typer.Option(metavar="DELAYS", help="The delay before each attempt, e.g. 0s,5s,5m; 'none' for the server's."),
]
Signature = Annotated[
    str | None, typer.Option(metavar="SCHEME", help="v1, or v1a: signed with ed25519 too, for a public key.")
]


def read_fields(
    *,
    events: Sequence[str] | None,
    description: str | None,
    headers: Sequence[str] | None,
    metadata: Sequence[str] | None,
    max_in_flight: int | None,
    rate_limit: float | None,
    filters: Sequence[str] | None,
    payload: str | None,
    schedule: str | None,
    signature: str | None,
) -> dict[str, Any]:
    """The fields of a request's body; what was not given is not in it."""
    given = {
        "events": read_commas(events) if events else None,
        "description": description,
        "headers": read_headers(headers) if headers else None,
        "metadata": read_pairs(metadata, "--metadata") if metadata else None,
        "max_in_flight": max_in_flight,
        "rate_limit": rate_limit,
        "filter": read_filter(filters) if filters else None,
        "payload": payload,
        "schedule": read_schedule(schedule) if schedule else None,
        "signature": signature,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    return fields | dict.fromkeys([name for name in ("filter", "schedule") if fields.get(name) == NONE])


def read_filter(pairs: Sequence[str]) -> dict[str, Any] | str:
    """`metadata.NAME=`, `model=` and `provider=` texts as a filter, several values as a list; or `NONE`."""
    if list(pairs) == [NONE]:
        return NONE
    found: dict[str, list[Any]] = {}
    for pair in pairs:
        field, _, text = pair.partition("=")
        values = read_commas([text])
        if not values or not _FIELD.fullmatch(field):
            raise typer.BadParameter(
                f"{pair!r} is not of the form metadata.NAME=VALUE, model=NAME or provider=NAME", param_hint="--filter"
            )
        is_label = field.startswith(_LABEL)
        scalars = [read_pairs([f"value={value}"], "--filter")["value"] if is_label else value for value in values]
        found.setdefault(field, []).extend(scalars)
    lines = {field: values[0] if len(values) == 1 else values for field, values in found.items()}
    labels = {field.removeprefix(_LABEL): lines.pop(field) for field in found if field.startswith(_LABEL)}
    return {**lines, "metadata": labels} if labels else lines


def read_schedule(text: str) -> list[str] | str:
    """Durations separated by commas; or `NONE`."""
    if text == NONE:
        return NONE
    delays = read_commas([text])
    for delay in delays:
        read_duration(delay)
    return delays
