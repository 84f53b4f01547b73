"""Receives webhooks with Django: WEBHOOK_SECRET=whsec_… python with_django.py runserver 9000

A whole project in one file. In yours, take the view and its line in `urlpatterns`.
"""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from inbox import Inbox
from standardwebhooks import Webhook, WebhookVerificationError

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"])
webhook = Webhook(os.environ["WEBHOOK_SECRET"])
inbox = Inbox()


@csrf_exempt  # the sender has no cookie and no form; the signature says who it is
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    body = request.body  # the raw bytes: what json.loads gives was not signed
    try:
        webhook.verify(body, dict(request.headers))
    except (WebhookVerificationError, ValueError):  # what is malformed comes out as a ValueError
        return HttpResponse(status=400)
    inbox.keep(request.headers["webhook-id"], body)
    return HttpResponse(status=204)  # only now that it is kept; the work is for handle.py


urlpatterns = [path("webhook", receive)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
