"""Receives webhooks with FastAPI: WEBHOOK_SECRET=whsec_… uvicorn with_fastapi:app --port 9000"""

import os

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from inbox import Inbox
from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
inbox = Inbox()
app = FastAPI()


@app.post("/webhook", status_code=204)
async def receive(request: Request) -> None:
    body = await request.body()  # the raw bytes: a parameter with a model would be parsed, and that was not signed
    try:
        webhook.verify(body, dict(request.headers))
    except (WebhookVerificationError, ValueError):  # what is malformed comes out as a ValueError
        raise HTTPException(400) from None
    await run_in_threadpool(inbox.keep, request.headers["webhook-id"], body)
    # Answered only now that it is kept; the work is for handle.py.
