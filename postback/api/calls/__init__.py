"""Every call of the API, as data: the routes and the OpenAPI are made from this one table."""

from postback.api import open_calls
from postback.api.call import Call, Query
from postback.api.calls import deliveries, jobs, keys, operating, stream, subscribers

__all__ = ["CALLS", "Call", "Query"]

CALLS: tuple[Call, ...] = (
    *jobs.CALLS,
    *subscribers.CALLS,
    *deliveries.CALLS,
    *stream.CALLS,
    *keys.CALLS,
    *operating.CALLS,
    *open_calls.CALLS,
)
