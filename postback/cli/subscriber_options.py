"""The options that registering and changing a subscriber share, and how their texts are read."""

import re
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature as parameters_of
from typing import Annotated, Any

import typer

from postback.cli import completion
from postback.cli.options import read_commas, read_duration, read_headers, read_pairs

NONE = "none"
"""Said of an option: back to its default."""

_GETS, _SENT = "What it gets", "How it is sent"
_LABEL = "metadata."
_FIELD = re.compile(r"model|provider|metadata\..+")

SubscriberId = Annotated[
    str, typer.Argument(metavar="SUBSCRIBER", help="A subscriber's id: sub_…", autocompletion=completion.subscriber_ids)
]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--event",
        "--events",
        metavar="TYPE",
        rich_help_panel=_GETS,
        help="Event types, repeated or with commas; 'job.*' and '*' too.",
        autocompletion=completion.event_types,
    ),
]
Description = Annotated[str | None, typer.Option(help="What it is for.")]
Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--header", metavar="NAME:VALUE", rich_help_panel=_SENT, help="A header to send with every notification."
    ),
]
Metadata = Annotated[list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="Your own labels.")]
MaxInFlight = Annotated[int | None, typer.Option(min=1, rich_help_panel=_SENT, help="Deliveries under way at once.")]
RateLimit = Annotated[float | None, typer.Option(rich_help_panel=_SENT, help="Deliveries a second.")]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="FIELD=VALUES",
        rich_help_panel=_GETS,
        help="Only jobs like this, e.g. metadata.tenant=acme or model=flux-dev,flux-schnell; repeat for more, "
        "and all must hold; 'none' for all jobs.",
    ),
]
Payload = Annotated[
    str | None, typer.Option(metavar="KIND", rich_help_panel=_GETS, help="full, or thin: ids, type and status only.")
]
Schedule = Annotated[
    str | None,
    typer.Option(
        metavar="DELAYS",
        rich_help_panel=_SENT,
        help="The delay before each attempt, e.g. 0s,5s,5m; 'none' for the server's.",
    ),
]
Signature = Annotated[
    str | None,
    typer.Option(
        metavar="SCHEME", rich_help_panel=_SENT, help="v1, or v1a: signed with ed25519 too, for a public key."
    ),
]


def read_fields(
    events: Events = None,
    description: Description = None,
    headers: Headers = None,
    metadata: Metadata = None,
    max_in_flight: MaxInFlight = None,
    rate_limit: RateLimit = None,
    filters: Filters = None,
    payload: Payload = None,
    schedule: Schedule = None,
    signature: Signature = None,
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


def takes_fields(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter `fields` is what `read_fields` makes of options: they stand in its place."""
    own, shared = parameters_of(command), parameters_of(read_fields).parameters

    @wraps(command)
    def run(**given: Any) -> None:
        fields = read_fields(**{name: given.pop(name) for name in shared})
        command(fields=fields, **given)

    parameters = [
        one.replace(kind=one.KEYWORD_ONLY)
        for name, parameter in own.parameters.items()
        for one in (shared.values() if name == "fields" else [parameter])
    ]
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": None}
    return run


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
