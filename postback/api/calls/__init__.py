"""Every call of the API, as data: the routes and the OpenAPI are made from this one table."""

from postback.api.calls import deliveries, jobs, keys, open, operating, stream, subscribers
from postback.api.calls.call import Call, Query

__all__ = ["CALLS", "Call", "Query"]

CALLS: tuple[Call, ...] = (
    *jobs.CALLS,
    *subscribers.CALLS,
    *deliveries.CALLS,
    *stream.CALLS,
    *keys.CALLS,
    *operating.CALLS,
    *open.CALLS,
)
