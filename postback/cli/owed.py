"""Following what a subscriber was sent again until each of it was tried."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol

from postback.cli.options import MAX_LIMIT
from postback.cli.progress import Advance

PAUSE = 1.0
"""Seconds between two counts; on a long list more, so that counting is a small part of the time."""

_SHARE = 5


class Api(Protocol):
    """The part of the client that counting needs."""

    def get(self, *path: str, query: Any = None) -> dict[str, Any]: ...


def ids(api: Api, subscriber_id: str) -> frozenset[str]:
    """The deliveries that a subscriber is owed now."""
    return frozenset(one["id"] for one in _owed(api, subscriber_id))


def newest(api: Api, subscriber_id: str) -> str:
    """The id of the delivery that a subscriber was owed last, an empty text if there was none."""
    page = api.get("deliveries", query={"subscriber_id": subscriber_id, "limit": 1})
    return next((one["id"] for one in page["data"]), "")


def follow(
    api: Api,
    subscriber_id: str,
    answer: Mapping[str, Any],
    before: Collection[str],
    last: str,
    advance: Advance,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> int:
    """Counts until each delivery of a recovery was tried; how many of them wait for another try by then.

    `answer` is that of the recovery, `before` are those that were owed already, `last` is the newest that may be part
    of it: whatever comes meanwhile has a later id. What fails is tried again, which may take days: that is not waited
    for. All times are seconds.
    """
    total, end = answer["recovered"] + answer["replayed"], answer["last_due_at"]
    done = 0
    while True:
        began = clock()
        waiting = [one for one in _owed(api, subscriber_id) if one["id"] <= last and one["id"] not in before]
        # Times of the API have one length, so that they sort as texts.
        untried = [one for one in waiting if one["status"] == "delivering" or (one["next_attempt_at"] or "") <= end]
        advance(max(0, total - len(untried) - done), total)
        done = max(done, total - len(untried))
        if not untried:
            return len(waiting)
        sleep(max(PAUSE, _SHARE * (clock() - began)))


def _owed(api: Api, subscriber_id: str) -> Iterator[Mapping[str, Any]]:
    for status in ("pending", "delivering"):
        cursor = None
        while True:
            query = {"subscriber_id": subscriber_id, "status": status, "limit": MAX_LIMIT, "cursor": cursor}
            page = api.get("deliveries", query=query)
            yield from page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
