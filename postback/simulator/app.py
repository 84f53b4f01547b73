"""Both providers' HTTP APIs as one app, so that jobs can be developed and shown without keys or cost.

/dashscope/api/v1/…   DashScope      DASHSCOPE_HTTP_BASE_URL
/acedata/…            AceData        ACEDATA_BASE_URL
/eventbridge/…        the certificate of DashScope's events, where the app is told to push them
/images/NAME.png      the images that results point to
/                     what this is, and the words that a prompt may hold
/_simulator/stats     what was asked and sent
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import httpx2 as httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from postback.simulator import images, script
from postback.simulator.acedata import AceData
from postback.simulator.callbacks import Callbacks
from postback.simulator.dashscope import DashScope
from postback.simulator.eventbridge import Events, Rule
from postback.simulator.world import World

DASHSCOPE_PATH = "/dashscope/api/v1"
ACEDATA_PATH = "/acedata"


def create_app(
    world: World, transport: httpx.AsyncBaseTransport | None = None, *, rule: Rule | None = None
) -> Starlette:
    """The simulator over one world. Its lifespan must run: it sends AceData's callbacks, and where there is a `rule`
    DashScope's events, over `transport` if given."""
    callbacks = Callbacks(world, transport)
    events = Events(world, rule, transport) if rule is not None else None

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with callbacks.running(), events.running() if events is not None else nullcontext():
            yield

    async def stats(_: Request) -> Response:
        return JSONResponse(_stats(world))

    return Starlette(
        routes=[
            Route("/", _about),
            Route("/_simulator/stats", stats),
            Mount(DASHSCOPE_PATH, (DashScope(world, events.announce) if events else DashScope(world)).app()),
            Mount(ACEDATA_PATH, AceData(world, callbacks).app()),
            *images.routes,
            *(events.routes if events is not None else ()),
        ],
        lifespan=lifespan,
    )


def environment(base_url: str) -> dict[str, str]:
    """The variables that send a client of either provider to the simulator at `base_url`."""
    base = base_url.rstrip("/")
    return {"DASHSCOPE_HTTP_BASE_URL": base + DASHSCOPE_PATH, "ACEDATA_BASE_URL": base + ACEDATA_PATH}


async def _about(request: Request) -> Response:
    return JSONResponse(
        {
            "name": "Postback simulator",
            "about": "Stands in for DashScope and AceData. Nothing is generated and nothing is billed.",
            "environment": environment(str(request.base_url)),
            "keys": "Any key is accepted but one that begins with `bad`.",
            "words": {word.example: word.does for word in script.WORDS},
            "models": script.MODELS,
            "stats": "/_simulator/stats",
        }
    )


def _stats(world: World) -> dict[str, object]:
    now, stats = world.now(), world.stats
    return {
        "tasks": {
            task.id: {
                "provider": task.provider,
                "model": task.model,
                "prompt": task.prompt,
                "status": task.state(now),
                "submissions": stats.submissions[task.provider][task.prompt],
                "fetches": stats.fetches[task.id],
                "callbacks": stats.callbacks.get(task.id, []),
            }
            for task in world.tasks.values()
        },
        "submissions": stats.submissions,
        "per_second": stats.per_second,
        "throttled": stats.throttled,
    }
