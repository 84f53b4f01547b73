"""Receives webhooks with Flask: WEBHOOK_SECRET=whsec_… flask --app with_flask run --port 9000"""

import os

from flask import Flask, request
from inbox import Inbox
from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
inbox = Inbox()
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024


@app.post("/webhook")
def receive() -> tuple[str, int]:
    body = request.get_data()  # the raw bytes: what request.json gives was not signed
    try:
        webhook.verify(body, dict(request.headers))
    except (WebhookVerificationError, ValueError):  # what is malformed comes out as a ValueError
        return "", 400
    inbox.keep(request.headers["webhook-id"], body)
    return "", 204  # only now that it is kept; the work is for handle.py
