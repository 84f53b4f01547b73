"""Python imports this first where `PYTHONPATH` leads here: every logger says all it can, and `RAISE` names where a bug
raises. The program itself is as it is."""

import logging
import os
from typing import Any

import structlog

_filtering = structlog.make_filtering_bound_logger
structlog.make_filtering_bound_logger = lambda *_: _filtering(logging.DEBUG)
_basic_config = logging.basicConfig


def _all_of_it(**given: Any) -> None:
    _basic_config(**given)
    logging.getLogger().setLevel(logging.DEBUG)
    logging.debug("everything is said")


logging.basicConfig = _all_of_it


def _bug(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a bug")


if os.environ.get("RAISE") == "everywhere":
    from dispatcher.client import ProviderClient
    from ledger import subscribers
    from receiver import egress, intake

    _submit, _post, _store, _create = ProviderClient.submit, egress.Egress.post, intake.store, subscribers.create

    async def _submits(self: Any, order: Any, callback_url: Any) -> Any:
        return await (_submit if "bug" not in order.input["prompt"] else _bug)(self, order, callback_url)

    async def _posts(self: Any, url: str, headers: Any, body: bytes) -> Any:
        return await (_post if "/bug" not in url else _bug)(self, url, headers, body)

    def _stores(connection: Any, moment: Any, arrivals: Any, *given: Any) -> Any:
        good = not any(b"bug" in arrival.body for arrival in arrivals)
        return (_store if good else _bug)(connection, moment, arrivals, *given)

    def _creates(connection: Any, moment: Any, draft: Any, by: str) -> Any:
        return (_create if draft.description != "bug" else _bug)(connection, moment, draft, by)

    ProviderClient.submit = _submits  # type: ignore[method-assign]
    egress.Egress.post = _posts  # type: ignore[method-assign]
    intake.store = _stores
    subscribers.create = _creates

if os.environ.get("RAISE") == "at the start":
    from postback import house

    house.open_house = _bug
