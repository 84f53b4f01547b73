"""A query parameter that is one of a few words, as a form asks for it: what else it says is told beside its field."""

from collections.abc import Collection

from starlette.requests import Request

from postback.api import requests


def one_of(value: str, choices: Collection[str]) -> str:
    """The value, where it is one of these. Raises ValueError, which says which there are."""
    if value not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}")
    return value


def chosen(request: Request, name: str, choices: Collection[str]) -> tuple[str | None, str]:
    """What was chosen, None for any; and what is wrong with it, or "". Raises `Problem` for what no form can send."""
    value = requests.text(request, name)
    try:
        return (one_of(value, choices) if value else None), ""
    except ValueError as error:
        return None, str(error)
