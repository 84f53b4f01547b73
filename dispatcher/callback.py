"""The dispatcher's side of a callback: the signed URL, and the POST that a result found by asking becomes."""

import asyncio

import httpx2 as httpx

from dispatcher.patience import TIMEOUT
from ledger.job import Job
from ledger.tokens import CallbackTokens


class CallbackPoster:
    """Sends results to the receiver as a provider with callbacks would: one way in for all.

    `client` reaches the receiver; `receiver_url` is where, without a trailing slash.
    """

    def __init__(self, client: httpx.AsyncClient, receiver_url: str, tokens: CallbackTokens) -> None:
        self._client = client
        self._receiver_url = receiver_url
        self._tokens = tokens

    async def post(self, job: Job, body: bytes, found_by: str = "poll") -> int | None:
        """The receiver's status code; None when it did not answer. The token is minted for this POST.

        `found_by` is `poll`, or `answer` for a result that was in the answer to the submission.
        """
        url = callback_url(self._receiver_url, self._tokens, job)
        try:
            async with asyncio.timeout(TIMEOUT):
                headers = {"content-type": "application/json", "postback-found-by": found_by}
                answer = await self._client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            return None
        return answer.status_code


def callback_url(base: str, tokens: CallbackTokens, job: Job) -> str:
    """The signed URL of a job's callbacks. Whoever has it can answer for the provider: it is never shown or logged."""
    return f"{base}/callbacks/{tokens.mint(job.id, job.provider)}"
