"""Bugs to plant, one for each target, so that each can be seen to find something."""

import json
from collections.abc import Callable, Mapping
from typing import Any


def _nan_is_a_number() -> None:
    from providers import jsontext

    reader = json.JSONDecoder(object_pairs_hook=jsontext._object, parse_constant=float, parse_float=jsontext._float)
    jsontext._decode = reader.decode


def _the_beginning_of_a_signature_is_enough() -> None:
    from itsdangerous.signer import SigningAlgorithm

    def verify(self: SigningAlgorithm, key: bytes, value: bytes, sig: bytes) -> bool:
        return sig[:16] == self.get_signature(key, value)[:16]

    SigningAlgorithm.verify_signature = verify  # type: ignore[method-assign]


def _a_limit_is_a_number() -> None:
    from postback.api import requests

    def page_of(request: Any) -> tuple[str | None, int]:
        return None, int(request.query_params.get("limit", "50"))

    requests.page_of = page_of


def _nothing() -> None:
    """It is broken as it is."""


PLANTS: Mapping[str, Callable[[], None]] = {
    "body": _nan_is_a_number,
    "token": _the_beginning_of_a_signature_is_enough,
    "request": _a_limit_is_a_number,
    "ladder": _nothing,
}
