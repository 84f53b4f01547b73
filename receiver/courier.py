"""Carries one delivery to its subscriber: signs it, sends it, and tells what is to be remembered of the attempt."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from ledger.clock import SECOND
from ledger.deliveries import Attempt
from ledger.keys import SecretKeys
from ledger.parcels import Parcel
from ledger.subscribers import live_secrets
from receiver import signing
from receiver.advice import UNSIGNED
from receiver.answers import EgressError, Response
from receiver.egress import Egress
from receiver.payload import fit
from receiver.redaction import Redaction, redaction_for


class Carried(NamedTuple):
    """How an attempt ended. `retry_after` is that header of the answer, as received."""

    attempt: Attempt
    retry_after: str | None = None


class Courier:
    """Takes parcels, rows of `ledger.parcels`, to where they belong. Whatever happens there, it comes back."""

    def __init__(self, keys: SecretKeys, egress: Egress) -> None:
        self._keys = keys
        self._egress = egress

    async def carry(self, parcel: Parcel, now: int, traceparent: str | None = None) -> Carried:
        """Makes one attempt, which begins at `now`, in epoch milliseconds, as a step of a trace."""
        try:
            secrets = live_secrets(parcel, self._keys, now)
            body = fit(parcel.body, parcel.payload)
            ours = {
                "content-type": "application/json",
                "postback-attempt": str(parcel.attempt_count + 1),
                **signing.headers(secrets, parcel.notification_id, now // SECOND, body),
            }
            if traceparent is not None:
                ours["traceparent"] = traceparent
            custom = self._custom_headers(parcel, ours)
        except ValueError as error:  # also `BadKeys`; none of these quotes a secret
            return Carried(Attempt(now, 0, error_class="guard", error=f"{UNSIGNED}: {error}"))
        headers = ours | custom
        redaction = redaction_for(tuple(custom.items()), tuple(secrets))
        sent = redaction.request_headers(headers)
        try:
            answer = await self._egress.post(parcel.url, headers, body)
        except EgressError as error:
            return Carried(_failed(error, now, sent, redaction))
        return Carried(_answered(answer, now, sent, redaction), answer.headers.get("retry-after"))

    def _custom_headers(self, parcel: Parcel, ours: Mapping[str, str]) -> dict[str, str]:
        """Those that do not stand in for ours, however they are written."""
        if not parcel.sealed_headers:
            return {}
        custom: dict[str, str] = json.loads(self._keys.decrypt(parcel.sealed_headers))
        return {name: value for name, value in custom.items() if name.lower() not in ours}


def _failed(error: EgressError, started_at: int, sent: dict[str, str], redaction: Redaction) -> Attempt:
    return Attempt(
        started_at,
        error.timing.total,
        error_class=error.error_class,
        error=redaction.text(error.message),
        # Before there was a connection, nothing was sent.
        request_headers=None if error.timing.response is None else sent,
        timing=error.timing.document(),
    )


def _answered(answer: Response, started_at: int, sent: dict[str, str], redaction: Redaction) -> Attempt:
    good = 200 <= answer.status <= 299
    return Attempt(
        started_at,
        answer.duration_ms,
        status_code=answer.status,
        error_class=None if good else "status",
        error=None if good else f"the subscriber answered HTTP {answer.status}",
        response_excerpt=redaction.excerpt(answer.excerpt, truncated=answer.truncated),
        request_headers=sent,
        response_headers=redaction.response_headers(answer.headers),
        timing=answer.timing.document(),
    )
