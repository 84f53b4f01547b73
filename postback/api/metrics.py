"""`GET /metrics`, for Prometheus."""

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from postback.house import House

MEDIA_TYPE = "text/plain"


async def show(house: House, request: Request) -> Response:
    """What this process has counted, and what waits in its database."""
    text = house.metrics.text(await house.watch.look())
    return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})
