"""Submits a job and leaves: the result comes by webhook. python submit_and_forget.py ORDER PROMPT

ORDER is your own name for the work: submitted again under the same one, it is the same job and is paid once.
Needs POSTBACK_API_KEY, and POSTBACK_URL if Postback is not on this machine. pip install httpx2
"""

import os
import secrets
import sys
import time
from contextlib import suppress
from functools import partial
from typing import Any

import httpx2 as httpx

PAUSES = (1, 2, 4, 8)
"""Seconds to wait after each try but the last."""


def submit(api: httpx.Client, order: str, prompt: str) -> dict[str, Any]:
    """The job, as recorded: nothing has been drawn yet. Tried again while Postback is away or busy, which the
    Idempotency-Key makes safe. Raises `httpx.HTTPError` when that does not help."""
    headers = {
        "Idempotency-Key": order,
        # The trace that this belongs to, if you have one: the webhook carries it on.
        "traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01",
    }
    body = {"model": "flux-schnell", "input": {"prompt": prompt}, "metadata": {"order": order}}
    post = partial(api.post, "/v1/jobs", headers=headers, json=body)
    for pause in PAUSES:
        with suppress(httpx.TransportError):
            answer = post()
            if answer.status_code != 503:
                break
        time.sleep(pause)
    else:
        answer = post()
    job: dict[str, Any] = answer.raise_for_status().json()
    return job


def main(order: str, prompt: str) -> None:
    """Prints the job's id, or why there is none."""
    url = os.environ.get("POSTBACK_URL", "http://127.0.0.1:8414")
    headers = {"Authorization": f"Bearer {os.environ['POSTBACK_API_KEY']}"}
    with httpx.Client(base_url=url, headers=headers, timeout=10) as api:
        try:
            print(submit(api, order, prompt)["id"])
        except httpx.HTTPStatusError as refusal:
            sys.exit(f"Refused: {refusal.response.text}")
        except httpx.TransportError as error:
            sys.exit(f"No answer from {url}: {error}")


if __name__ == "__main__":
    if len(sys.argv) != 3 or "POSTBACK_API_KEY" not in os.environ:
        sys.exit(__doc__)
    main(*sys.argv[1:])
