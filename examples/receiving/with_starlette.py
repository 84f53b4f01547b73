"""Receives webhooks with Starlette: WEBHOOK_SECRET=whsec_… uvicorn with_starlette:app --port 9000"""

import os

from inbox import Inbox
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
inbox = Inbox()


async def receive(request: Request) -> Response:
    body = await request.body()  # the raw bytes: what request.json() gives was not signed
    try:
        webhook.verify(body, dict(request.headers))
    except (WebhookVerificationError, ValueError):  # what is malformed comes out as a ValueError
        return Response(status_code=400)
    await run_in_threadpool(inbox.keep, request.headers["webhook-id"], body)
    return Response(status_code=204)  # only now that it is kept; the work is for handle.py


app = Starlette(routes=[Route("/webhook", receive, methods=["POST"])])
