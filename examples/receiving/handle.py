"""Deals with what the webhook has received, one message after the other: python handle.py [--once]

Run one of it. It may be stopped at any time: what it was just dealing with comes again when it is started.
"""

import json
import sys
import time
from typing import Any

from inbox import Inbox


def handle(event: dict[str, Any]) -> None:
    """Your work. It may come twice if the program ends in the middle of it; `data.sequence` tells old news from new."""
    about = event["data"]
    print(event["type"], about.get("id", ""), about.get("status", ""), flush=True)
    for result in about.get("results", []):
        print("  ", result["url"] or result["error"]["message"], flush=True)


def handle_waiting(inbox: Inbox) -> None:
    """Everything that waits. What fails is told and stays for the next time; it holds nothing else up."""
    for id, body in inbox.waiting():
        try:
            handle(json.loads(body))
        except Exception as error:
            print(f"{id} failed: {error!r}", file=sys.stderr, flush=True)
        else:
            inbox.done(id)


if __name__ == "__main__":
    inbox = Inbox()
    handle_waiting(inbox)
    while "--once" not in sys.argv:
        time.sleep(1)
        handle_waiting(inbox)
